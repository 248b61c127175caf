"""The report: what can be checked of a page without a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from emoscribe.core.derived import from_basic
from emoscribe.core.labels import COMPOUND, given
from emoscribe.core.timeline import Cues, FaceTrack, LabelledTranscript, Media, Moment, Segment
from emoscribe.extractors.media.peaks import SoundPeaks
from emoscribe.outputs.lines import reading
from emoscribe.outputs.report import PAGE_BYTES, flat, report_page
from emoscribe.outputs.tracks import face_tracks, thin, tracks_of

Node = Callable[..., Any]


class Page(HTMLParser):
    """Elements with their attributes, and the text that each script and style holds."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, str] = {}
        self._open = ""
        self.shown = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = ""
        if tag in ("script", "style"):
            self._open = dict(attrs).get("type") or tag
            self.raw[self._open] = ""

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.raw[self._open] += data
        else:
            self.shown += data

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.raw["application/json"])

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def html(labelled: LabelledTranscript, tmp_path_factory: pytest.TempPathFactory) -> str:
    return report_page(labelled, tmp_path_factory.mktemp("out"))


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.fixture(scope="session")
def unpacked(node: Node) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What `unpack.js` makes of the page's data."""
    return lambda data: node("import { unpack } from './unpack.js'; answer(unpack(given));", data)


def matches(result: dict[str, Any], transcript: LabelledTranscript) -> None:
    segments = result["segments"]
    assert len(segments) == len(transcript.segments)
    for drawn, segment in zip(segments, transcript.segments, strict=True):
        moment = segment.moment
        assert {name: drawn[name] for name in ("speaker", "text", "face", "voice", "faces", "evidence")} == {
            "speaker": moment.speaker,
            "text": moment.text,
            "face": moment.face,
            "voice": moment.voice,
            "faces": {str(person): words for person, words in moment.faces.items()},
            "evidence": moment.evidence,
        }
        assert (drawn["start_s"], drawn["end_s"]) == pytest.approx((moment.start_s, moment.end_s), abs=0.006)
        assert drawn["label"] == segment.label
        assert drawn["scores"] == pytest.approx(segment.scores, abs=0.0006)


# ── alone, and safe ──────────────────────────────────────────────────────────


def test_the_page_needs_nothing_but_itself_and_the_video(html: str, page: Page) -> None:
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert name not in attributes, (tag, attributes)
    # The namespace of SVG is a name, not an address.
    assert set(re.findall(r"\w+://[^\s\"']*", html)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(
        r"@import|url\(|\bimport\b.*from|fetch\(|XMLHttp|WebSocket|innerHTML|eval\(", page.raw["module"]
    )
    assert not re.search(r"@import|url\(", page.raw["style"])
    # Half of it is what moves: a third more than when it could neither zoom nor search.
    assert len(html.encode()) < 110_000


def test_the_policy_allows_this_script_and_style_and_no_other(page: Page) -> None:
    policy = next(a["content"] for a in page.of("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for rule, text in (("script-src", page.raw["module"]), ("style-src", page.raw["style"])):
        assert rules[rule] == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert "http" not in policy and "*" not in policy
    # Inline handlers and styles would be refused by it.
    assert not any(name.startswith("on") or name == "style" for _, a in page.elements for name in a)


def test_what_was_said_is_text(
    labelled: LabelledTranscript, html: str, page: Page, unpacked: Node, tmp_path: Path
) -> None:
    joke = "</script><script>alert(1)</script> & <b>=1+1</b>"
    assert html.count("<script") == html.count("</script>") == 2
    assert "alert(1)" in html and unpacked(page.data)["segments"][5]["text"] == joke
    hostile = replace(
        labelled,
        media=replace(labelled.media, path=f'/v/"><img src=x onerror=alert(1)>{joke.replace("/", "")}.mp4'),
        labels=("<u>", "b"),
        segments=(Segment(Moment(0, 1, joke, "<!--", joke, joke, {0: joke}), {"<u>": 0.4, "b": 0.6}),),
        provenance={joke: {joke: [joke]}, "speech": {"engine": joke}},
    )
    other = Page(report_page(hostile, tmp_path))
    assert [tag for tag, _ in other.elements if tag in ("script", "img", "b", "u")].count("script") == 2
    assert not other.of("img") and joke in other.shown
    matches(unpacked(other.data), hostile)


# ── what it holds ────────────────────────────────────────────────────────────


def test_the_data_is_the_transcript(labelled: LabelledTranscript, page: Page, unpacked: Node) -> None:
    kept = unpacked(page.data)
    matches(kept, labelled)
    assert kept["labels"] == list(labelled.labels) and labelled.tracks
    drawn = thin(labelled.tracks, 1000)["faces"]
    assert {name: kept["tracks"]["faces"][name] for name in drawn if name != "people"} == {
        name: drawn[name] for name in drawn if name != "people"
    }
    for person, known in zip(kept["tracks"]["faces"]["people"], drawn["people"], strict=True):
        for name, rows in known.items():
            if name in ("action_units", "times_s"):
                assert np.allclose(np.array(person[name], float), np.array(rows, float), atol=0.006, equal_nan=True)
            else:
                assert person.get(name) == rows


def test_what_is_drawn_of_tracks_survives_the_packing(
    labelled: LabelledTranscript, unpacked: Node, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    n = 60
    face = FaceTrack(
        source="pyfeat",
        names=("AU12",),
        times_s=np.arange(n) / 30,
        person=np.ones(n, int),
        boxes=np.array([[-3.0, 0, 4000, 7000]] * n),
        action_units=rng.uniform(0, 1, (n, 1)),
        frame_times_s=np.arange(n) / 30,
        pose=rng.uniform(-80, 80, (n, 3)),
        emotion_names=("joy", "anger"),
        emotions=rng.dirichlet((1, 1), n),
        valence=rng.uniform(-1, 1, n),
        arousal=rng.uniform(-1, 1, n),
    )
    peaks = SoundPeaks(50.0, 0.0, rng.integers(0, 101, 984).astype(np.uint8))
    tracks = tracks_of(Cues(labelled.media, face=face), peaks)
    kept = unpacked(Page(report_page(replace(labelled, tracks=tracks), tmp_path)).data)["tracks"]
    (person,) = kept["faces"]["people"]
    assert person["boxes"][0] == [0, 0, 4000, 7000]
    assert np.allclose(person["pose"], face.pose, atol=1.1)
    assert np.allclose(person["emotions"], face.emotions, atol=0.007)
    assert np.allclose(person["valence"], face.valence, atol=0.02)
    assert kept["sound"]["per_s"] == 50 and np.allclose(kept["sound"]["peaks"], peaks.peaks, atol=0.6)


def test_a_short_transcript_can_be_searched_for(labelled: LabelledTranscript, html: str) -> None:
    for segment in labelled.segments[:5]:
        assert segment.moment.text in html and segment.moment.face in html and segment.moment.voice in html


def test_the_head_says_what_was_perceived_and_what_a_label_is_not(page: Page) -> None:
    shown = " ".join(page.shown.split())
    assert "WolfgangLanger_Pexels.mp4 19.7 s · 640 × 360 pixels · 23.98 frames a second · 7 moments · 7 labels" in shown
    assert "speech pocketsphinx face landmarker voice opensmile model meld-minilm" in shown
    assert "It is not what somebody feels. Do not decide anything about a person by it." in shown
    assert "settings.languagenone" in shown and "0f0f0f" in shown


def test_the_video_is_looked_for_where_it_was_and_next_to_the_page(
    labelled: LabelledTranscript, tmp_path: Path
) -> None:
    video = tmp_path / "my films" / "Übung #1 50%.mp4"
    page = Page(report_page(replace(labelled, media=replace(labelled.media, path=str(video))), tmp_path / "out"))
    there, beside = page.data["player"]["sources"]
    assert there == "../my%20films/%C3%9Cbung%20%231%2050%25.mp4"
    assert (tmp_path / "out" / unquote(there)).resolve() == video
    assert unquote(beside) == video.name


@pytest.mark.parametrize(
    ("media", "kind"),
    [
        (Media("a.mp4", 3.0, "00", 25.0, 640, 360, True), "video"),
        (Media("a.flac", 3.0, "00", has_audio=True), "audio"),
        (Media("a.jpg", 0.0, "00", None, 640, 360), "img"),
    ],
)
def test_sound_and_stills_get_what_they_need(
    labelled: LabelledTranscript, tmp_path: Path, media: Media, kind: str
) -> None:
    page = Page(report_page(replace(labelled, media=media, tracks=None), tmp_path))
    assert page.data["player"] == {"kind": kind, "sources": page.data["player"]["sources"], "name": media.path}
    assert "tracks" not in page.data


def test_no_moment_at_all(labelled: LabelledTranscript, tmp_path: Path) -> None:
    page = Page(report_page(replace(labelled, segments=(), tracks=None, provenance={}), tmp_path))
    assert page.data["segments"] == [] and "0 moments" in page.shown


def test_how_it_was_made_is_told_as_json_has_it() -> None:
    """Settings read `True` and `None`, as Python has them."""
    made = {"offline": True, "speech": {"threads": None, "scale": [0.25, 0.5]}, "names": {}, "run": "mine"}
    assert dict(flat(made)) == {
        "offline": "true", "speech.threads": "none", "speech.scale": "0.25, 0.5", "names": "{}", "run": "mine",
    }  # fmt: skip


@pytest.mark.parametrize("labels", [COMPOUND.labels, tuple(f"feeling {i}" for i in range(40)), ("on", "off")])
def test_any_label_set(labelled: LabelledTranscript, unpacked: Node, tmp_path: Path, labels: tuple[str, ...]) -> None:
    def scores(segment: Segment) -> dict[str, float]:
        if labels == COMPOUND.labels:
            return from_basic(segment.scores, COMPOUND)
        return {label: (i + 1) / sum(range(len(labels) + 1)) for i, label in enumerate(labels)}

    transcript = replace(
        labelled, labels=labels, segments=tuple(Segment(s.moment, scores(s)) for s in labelled.segments)
    )
    data = Page(report_page(transcript, tmp_path)).data
    assert data["labels"] == list(labels)
    matches(unpacked(data), transcript)


def test_labels_whose_rounded_scores_tie_keep_their_order(
    labelled: LabelledTranscript, unpacked: Node, tmp_path: Path
) -> None:
    segment = Segment(Moment(0, 1, text="a"), {"on": 0.49999, "off": 0.50001})
    page = Page(report_page(replace(labelled, labels=("on", "off"), segments=(segment,)), tmp_path))
    assert unpacked(page.data)["segments"][0]["label"] == "off"


# ── an hour ──────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def hour(labelled: LabelledTranscript) -> LabelledTranscript:
    """A thousand moments, wordier than most, and faces at 5 frames a second."""
    rng = np.random.default_rng(0)
    units = ["lip corner puller (smile)", "cheek raiser", "brow lowerer", "outer brow raiser", "jaw drop", "lips part"]
    grades = ["very low", "low", "medium", "high", "very high"]
    segments = []
    for i in range(1000):
        faces = {
            person: ", ".join(rng.choice(["slight ", "strong "]) + unit for unit in rng.permutation(units)[:4])
            for person in range(2)
        }
        voice = ", ".join(f"{rng.choice(grades)} {what}" for what in ("pitch", "loudness", "rate", "pitch variation"))
        text = " ".join(rng.choice(["wait", "really", "und", "こんにちは", "yesterday"], 10))
        scores = dict(zip(labelled.labels, rng.dirichlet(np.ones(7)).tolist(), strict=True))
        segments.append(Segment(Moment(3.6 * i, 3.6 * i + 3.5, "Ann", text, faces[0], voice, faces), scores))
    n = 18_000
    face = FaceTrack(
        source="landmarker",
        names=("AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU12", "AU15", "AU24", "AU25", "AU26", "AU43"),
        times_s=np.arange(n) / 5,
        person=np.zeros(n, int),
        boxes=rng.uniform(0, 640, (n, 4)),
        action_units=rng.uniform(0, 1, (n, 12)),
        frame_times_s=np.arange(n) / 5,
    )
    return replace(
        labelled,
        media=replace(labelled.media, duration_s=3600.0),
        segments=tuple(segments),
        tracks=face_tracks(face),
    )


def test_an_hour_stays_small_and_loses_no_word(hour: LabelledTranscript, unpacked: Node, tmp_path: Path) -> None:
    html = report_page(hour, tmp_path)
    assert len(html.encode()) <= PAGE_BYTES < 300_000
    kept = unpacked(Page(html).data)
    matches(kept, hour)
    (person,) = kept["tracks"]["faces"]["people"]
    assert 100 < len(person["times_s"]) < 18_000
    assert person["times_s"][-1] > 3580


def test_two_decimals_are_rounded_once(labelled: LabelledTranscript, node: Node, tmp_path: Path) -> None:
    """0.9651 is 0.97 on the terminal, and was 0.96 here: rounded to 0.965 first."""
    scores = [{"on": score, "off": 1 - score} for score in (0.9651, 0.9649, 0.12501, 1.0, 0.585, 0.00499)]
    segments = tuple(Segment(Moment(0, 1, text="a"), each) for each in scores)
    page = Page(report_page(replace(labelled, labels=("on", "off"), segments=segments), tmp_path))
    script = "import { unpack } from './unpack.js'; import { reading } from './dom.js';"
    assert node(script + "answer(unpack(given).segments.map(reading));", page.data) == list(map(reading, segments))


# ── what the page makes of it ────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["sets", "ratings"])
def test_what_is_no_single_label_is_drawn_from_the_same_data(
    kind: str, labelled: LabelledTranscript, node: Node, tmp_path: Path
) -> None:
    answers: dict[str, Any] = {"thresholds": {label: 0.3 for label in labelled.labels}}
    made = [replace(one, given=given(one.scores, answers["thresholds"])) for one in labelled.segments]
    if kind == "ratings":
        answers = {"labels": (), "label_set": "", "range": (-1.0, 1.0)}
        made = [replace(one, scores={}, rating=0.5 - 0.3 * i) for i, one in enumerate(labelled.segments)]
    transcript = replace(labelled, segments=tuple(made), **answers)
    data = Page(report_page(transcript, tmp_path)).data
    script = "import { unpack } from './unpack.js'; import { reading, shown, placed } from './dom.js';"
    script += "const read = unpack(given); answer(read.segments.map((one) => [reading(one),"
    script += " read.range ? placed(one.rating, read.range) : shown(one)]));"
    drawn = node(script, data)
    assert [words for words, _ in drawn] == [reading(segment) for segment in made]
    if kind == "ratings":
        assert [place for _, place in drawn] == pytest.approx([0.75, 0.6, 0.45, 0.3, 0.15, 0.0, 0.0])
    else:
        assert drawn[3] == ["joy 0.34, surprise 0.33", ["joy", "surprise"]]
        assert [shown for _, shown in drawn] == [list(segment.shown) for segment in made]


def test_modules_that_are_put_into_one_scope_do_not_clash(page: Page, node_program: Path, tmp_path: Path) -> None:
    """Each is a module of its own when tested, but the page has them all in one: names may stand once."""
    script = tmp_path / "page.mjs"
    script.write_text(page.raw["module"], encoding="utf-8")
    done = subprocess.run([node_program, "--check", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
