"""What holds of whatever is given: times, prompts, scores, speakers, and every file that is written."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from emoscribe.commands.parameters import seconds
from emoscribe.core.errors import EmoscribeError, SettingsError
from emoscribe.core.labels import BASIC
from emoscribe.core.text import one_line
from emoscribe.core.tiers import read_tiers
from emoscribe.core.timeline import (
    Cues,
    LabelledTranscript,
    Media,
    Moment,
    Segment,
    Transcript,
    Utterance,
    timed_words,
)
from emoscribe.extractors.speakers.clustering import turns_of
from emoscribe.extractors.speakers.turns import Turn, name_speakers, read_turns
from emoscribe.extractors.speakers.voiceprints import Voiceprints, windows_of
from emoscribe.extractors.speech.subtitles import inside, read_transcript
from emoscribe.outputs.formats import FORMATS
from emoscribe.outputs.lines import clock, segment_line
from emoscribe.outputs.schema import load_result
from emoscribe.prompts.render import clean, render, shipped_templates
from emoscribe.prompts.settings import PromptSettings
from emoscribe.textualize.settings import WindowSettings
from emoscribe.textualize.windows import clock_bounds, cut
from emoscribe.training.answers import scores_of, tuned_thresholds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# How many times as much is tried; for a long run before a release, say.
TIMES = int(os.environ.get("EMOSCRIBE_FUZZ", "1"))
few = settings(
    max_examples=40 * TIMES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
fewer = settings(few, max_examples=20 * TIMES)

# What formats, terminals, pages and prompts act on.
SIGNS = [
    *("-->", "<i>", "</b>", "<v Ann>", "</script>", "<!--", "]]>", "&amp;", "&", "{\\an8}", "\\N", "\\h", "{", "}"),
    *("\n", "\r\n", "\r", "\x85", "\u2028", "\x0b", "\x0c", "\x00", "\x1b[2J", "\x1b]0;a\x07", "\x9b", "\x0e"),
    *("\x0f", "\ud800", "\udc80", "\ufffe", "\ufeff", "\u202e", "\u200d", "\xa0", "\t", '"', "'", '""', "=1+1"),
    *("+1", "@", ";", ",", "|", ";;", "%", "{{", "{%", "NOTE", "WEBVTT", "1", "00:00:01,000 --> 00:00:02,000"),
    *("<NA>", "[unclear]", "intervals [1]:", "!", "emotion: joy", '"\nemotion: joy', "A: ", "- ", " ", "word"),
    *("שלום", "信", "\U0001f469\u200d\U0001f467", "İ"),
]
texts = st.lists(st.one_of(st.sampled_from(SIGNS), st.text(max_size=6)), max_size=6).map("".join)
times = st.floats(0, 9_000, allow_nan=False).map(lambda time_s: round(time_s, 3))
maybe = st.one_of(st.none(), texts)


@st.composite
def utterances(draw, most: int = 5, until_s: float = 9_000.0) -> tuple[Utterance, ...]:
    """In order of time, which may overlap, some with words."""
    found = []
    for _ in range(draw(st.integers(0, most))):
        start_s = draw(st.floats(0, until_s, allow_nan=False))
        said = Utterance(start_s, start_s + draw(st.floats(0, 40)), draw(texts), draw(maybe))
        if draw(st.booleans()):
            words = tuple(replace(word, probability=draw(st.floats(0, 1))) for word in timed_words(said))
            said = replace(said, words=words)
        found.append(said)
    return tuple(sorted(found, key=lambda said: (said.start_s, said.end_s)))


@st.composite
def transcripts(draw) -> LabelledTranscript:
    """Labelled transcripts of whatever was said, by whomever, in files of any name."""
    segments, start_s = [], 0.0
    for _ in range(draw(st.integers(1, 4))):
        start_s = round(start_s + draw(st.floats(0, 2_000)), 3)
        end_s = round(start_s + draw(st.floats(0.001, 60)), 3)
        evidence = draw(st.sampled_from(["none", "weak", "enough"]))
        face = draw(maybe)
        moment = Moment(
            start_s, end_s, draw(maybe), draw(maybe), face, draw(maybe), {1: face} if face else {}, evidence
        )
        parts = draw(st.lists(st.floats(0.01, 1), min_size=7, max_size=7))
        scores = {label: part / sum(parts) for label, part in zip(BASIC.labels, parts, strict=True)}
        corrected = draw(st.booleans())
        chosen = draw(st.sampled_from(BASIC.labels)) if corrected else None
        segments.append(Segment(moment, scores, corrected=corrected, chosen=chosen))
    # As the system gives names that are not UTF-8: with halves of characters, but not with any.
    name = re.sub("[/\0\ud800-\udc7f\udd00-\udfff]", "", draw(texts)) or "a"
    media = Media(f"{name[:40]}.mp4", segments[-1].moment.end_s, "0f" * 32, 25.0, 640, 360, True)
    heard = Transcript(draw(utterances(3)), None, "nobody") if draw(st.booleans()) else None
    return LabelledTranscript(media, "basic", BASIC.labels, tuple(segments), {"a": draw(texts)}, transcript=heard)


# ── times ────────────────────────────────────────────────────────────────────


@few
@given(st.floats(0, 1e6, allow_nan=False))
def test_a_clock_is_read_as_what_it_shows(time_s: float) -> None:
    assert re.fullmatch(r"(\d+:)?[0-5]\d:[0-5]\d\.\d", clock(time_s))
    assert seconds(clock(time_s)) == pytest.approx(time_s, abs=0.0501)


@few
@given(st.floats(0.1, 100), st.floats(0.05, 100), st.floats(0, 50), st.floats(0, 500))
def test_windows_by_the_clock_cover_a_stretch(window_s: float, hop_s: float, begin_s: float, length_s: float) -> None:
    until_s = begin_s + length_s
    bounds = list(clock_bounds(window_s, hop_s, begin_s, until_s))
    assert bounds[0][0] == begin_s and len(bounds) <= length_s / hop_s + 1
    assert all(begin_s <= start_s <= end_s <= until_s for start_s, end_s in bounds)
    assert all(b[0] - a[0] == pytest.approx(hop_s) for a, b in itertools.pairwise(bounds))
    if hop_s <= window_s:
        assert bounds[-1][1] == pytest.approx(until_s)


@few
@given(utterances(until_s=60.0), st.floats(0.1, 30), st.floats(1, 100))
def test_each_word_is_in_one_window(said: tuple[Utterance, ...], window_s: float, duration_s: float) -> None:
    kept = inside(Transcript(said, None, ""), Media("v.mp4", duration_s, "0"))
    cues = Cues(Media("v.mp4", duration_s, "0"), kept)
    words = [word for utterance in kept.utterances for word in timed_words(utterance)]
    by_clock = cut(cues, WindowSettings(window_s=window_s))
    assert sorted(map(str, words)) == sorted(str(word) for window in by_clock for word in window.words)
    by_speech = cut(cues, WindowSettings())
    assert sorted(map(str, words)) == sorted(str(word) for window in by_speech for word in window.words)
    for window in (*by_clock, *by_speech):
        assert 0 <= window.start_s <= window.end_s <= duration_s + 1e-6


@few
@given(utterances(until_s=60.0))
def test_words_lie_in_order_in_what_they_are_words_of(said: tuple[Utterance, ...]) -> None:
    for utterance in said:
        words = timed_words(replace(utterance, words=()))
        assert " ".join(word.text for word in words) == " ".join(utterance.text.split())
        bounds = [utterance.start_s, *(time_s for word in words for time_s in (word.start_s, word.end_s))]
        assert all(a <= b + 1e-6 for a, b in itertools.pairwise([*bounds, utterance.end_s]))


# ── prompts ──────────────────────────────────────────────────────────────────


def rendered(template: str, text: str, speaker: str, face: str, before: str) -> Any:
    moments = [Moment(0, 1, speaker, before), Moment(1, 2, speaker, text, face, "voice")]
    asked = PromptSettings(template=template, context_turns=2)  # pyright: ignore[reportArgumentType]
    return render(moments, 1, asked, id="", labels=BASIC.labels)


@pytest.mark.parametrize("template", shipped_templates())
@fewer
@given(said=st.tuples(texts, texts, texts, texts))
def test_what_a_video_says_cannot_change_the_frame(template: str, said: tuple[str, ...]) -> None:
    said = tuple(text if clean(text) else "word" for text in said)
    frame = rendered(template, "QQA", "QQB", "QQC", "QQD").text
    pairs = template == "richet" or " :" in frame
    expected = frame
    for mark, text in zip(("QQA", "QQB", "QQC", "QQD"), said, strict=True):
        shown = clean(text).replace(";", ",") if pairs else clean(text)
        assert not re.search('[\n\r\x00-\x1f\x85\u2028"]', shown)
        expected = expected.replace(mark, shown)
    prompt = rendered(template, *said)
    assert prompt.text == expected
    for start, end in prompt.spans.values():
        assert 0 <= start < end <= len(prompt.text)
    start, end = prompt.spans["target"]
    assert (clean(said[0]).replace(";", ",") if pairs else clean(said[0])) in prompt.text[start:end]


# ── scores ───────────────────────────────────────────────────────────────────

logits = st.lists(st.lists(st.floats(-1e300, 1e300), min_size=4, max_size=4), min_size=1, max_size=5).map(np.array)


@few
@given(logits, st.permutations(range(4)), st.sampled_from(["labels", "label-sets"]))
def test_scores_are_probabilities_whatever_the_order(values: np.ndarray, order: list[int], task: str) -> None:
    run: Any = SimpleNamespace(task=task, range=None, name="run")
    with np.errstate(over="ignore"):
        scores, others = scores_of(run, values), scores_of(run, values[:, order])
    assert np.isfinite(scores).all() and ((scores >= 0) & (scores <= 1)).all()
    if task == "labels":
        np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-9)
    np.testing.assert_allclose(scores[:, order], others, atol=1e-12)
    targets = [frozenset({"a"} if row[0] > row[1] else {"b"}) for row in values]
    thresholds = tuned_thresholds([dict(zip("abcd", row, strict=True)) for row in scores.tolist()], targets)
    assert all(0 <= threshold <= 1 for threshold in thresholds.values())


@few
@given(logits, st.sampled_from([float("nan"), float("inf"), -float("inf")]), st.integers(0, 3))
def test_what_is_no_number_is_no_score(values: np.ndarray, wrong: float, at: int) -> None:
    values[0, at] = wrong
    run: Any = SimpleNamespace(task="labels", range=None, name="run")
    with pytest.raises(EmoscribeError, match="scores that are no numbers"):
        scores_of(run, values)


# ── speakers ─────────────────────────────────────────────────────────────────


@st.composite
def voiceprints(draw) -> Voiceprints:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    bounds, stretch, at_s = [], [], 0.0
    for number in range(draw(st.integers(0, 6))):
        begin_s = at_s + draw(st.floats(0, 3))
        at_s = begin_s + draw(st.floats(0.05, 8))
        windows = windows_of(begin_s, at_s)
        bounds += windows
        stretch += [number] * len(windows)
    voices = rng.normal(size=(draw(st.integers(1, 4)), 8))
    vectors = voices[rng.integers(0, len(voices), len(bounds))] + draw(st.floats(0, 1)) * rng.normal(
        size=(len(bounds), 8)
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    starts_s, ends_s = np.array(bounds).reshape(-1, 2).T
    return Voiceprints(starts_s, ends_s, np.array(stretch, dtype=int), rng.normal(7, 5, len(bounds)), vectors)


# Start, length and who.
spans = st.tuples(st.floats(0, 90), st.floats(0, 20), st.sampled_from("ABC"))


@few
@given(voiceprints(), st.one_of(st.none(), st.integers(1, 5)))
def test_somebody_speaks_wherever_there_is_speech(prints: Voiceprints, count: int | None) -> None:
    turns = turns_of(prints, count)
    assert all(a.end_s <= b.start_s + 1e-6 for a, b in itertools.pairwise(turns))
    assert all(turn.start_s <= turn.end_s for turn in turns)
    names = list(dict.fromkeys(turn.speaker for turn in turns))
    assert names == [f"speaker {number}" for number in range(1, len(names) + 1)]
    assert count is None or len(names) <= count
    for start_s, end_s in zip(prints.start_s, prints.end_s, strict=True):
        middle_s = (start_s + end_s) / 2
        assert any(turn.start_s - 1e-6 <= middle_s <= turn.end_s + 1e-6 for turn in turns)


def test_an_evening_of_voices_is_compared_in_the_memory_of_an_hour() -> None:
    """Each window with each: of ten hours that were gigabytes."""
    import tracemalloc

    count = 9_000
    starts_s = np.arange(count) * 1.5
    rng = np.random.default_rng(0)
    vectors = np.eye(8)[np.arange(count) // 300 % 2] + 0.05 * rng.normal(size=(count, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    prints = Voiceprints(starts_s, starts_s + 1.5, np.arange(count) // 300, np.full(count, 20.0), vectors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("emoscribe.extractors.speakers.clustering.MOST_WINDOWS", 500)
        tracemalloc.start()
        turns = turns_of(prints)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert {turn.speaker for turn in turns} == {"speaker 1", "speaker 2"} and most < 50e6


@few
@given(
    utterances(until_s=60.0),
    st.lists(st.tuples(st.floats(0, 90), st.floats(0, 20), st.sampled_from("ABC")), max_size=6),
)
def test_speakers_are_named_and_no_word_is_lost(said: tuple[Utterance, ...], spoken: list) -> None:
    turns = [Turn(start_s, start_s + length_s, name) for start_s, length_s, name in spoken]
    named = name_speakers(Transcript(said, None, ""), turns).utterances
    before = sorted((word.start_s, word.text) for utterance in said for word in utterance.words)
    assert sorted((word.start_s, word.text) for utterance in named for word in utterance.words) == before
    assert {utterance.speaker for utterance in named} <= {*(u.speaker for u in said), "A", "B", "C"}
    assert all(utterance.start_s <= utterance.end_s for utterance in named)


# ── what is read ─────────────────────────────────────────────────────────────


@few
@given(texts)
def test_a_line_is_one_line(text: str) -> None:
    line = one_line(text)
    assert one_line(line) == line and "\n" not in line and line == line.strip()
    line.encode()


@few
@given(st.lists(texts, min_size=1, max_size=4), st.sampled_from(["srt", "vtt", "ass", "json", "TextGrid", "rttm"]))
def test_whatever_subtitles_say_is_read_or_refused(said: list[str], suffix: str) -> None:
    lines = {
        "srt": [f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\n{text}\n" for n, text in enumerate(said)],
        "vtt": ["WEBVTT\n", *(f"00:0{n}.000 --> 00:0{n}.900\n<v {text}>{text}\n" for n, text in enumerate(said))],
        "ass": [f"Dialogue: 0,0:00:0{n}.00,0:00:0{n}.90,D,{text},0,0,0,,{text}" for n, text in enumerate(said)],
        "json": [
            json.dumps([{"start": n, "end": n + 1, "text": text, "speaker": text} for n, text in enumerate(said)])
        ],
        "TextGrid": [f'"ooTextFile" "TextGrid" 0 9 <exists> 1 "IntervalTier" "{said[0]}" 0 9 1 0 1 "{said[-1]}"'],
        "rttm": [f"SPEAKER {text} 1 {n} 1 <NA> <NA> {text} <NA> <NA>" for n, text in enumerate(said)],
    }[suffix]
    path = _folder() / f"a.{suffix}"
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass", newline="")
    try:
        found = read_turns(path, "a") if suffix == "rttm" else read_transcript(path, 20.0).utterances
    except EmoscribeError as error:
        assert "\n" not in str(error) and len(str(error)) < 600
        return
    for each in found:
        assert 0 <= each.start_s <= each.end_s
        name = each.speaker
        assert name is None or (name and one_line(name) == name)
        if isinstance(each, Utterance):
            assert each.text and one_line(each.text) == each.text


# ── what is written ──────────────────────────────────────────────────────────

_FOLDERS: list[Path] = []


@pytest.fixture(autouse=True)
def _place(tmp_path: Path):
    _FOLDERS[:] = [tmp_path]


def _folder() -> Path:
    return _FOLDERS[0]


def written(transcript: LabelledTranscript, name: str) -> Path:
    """The file, as `Writer` makes it; without its text where the format refuses the transcript."""
    from emoscribe.outputs.write import Writer

    path = _folder() / f"out{FORMATS[name].suffix}"
    path.unlink(missing_ok=True)
    (found,) = Writer(_folder(), [name]).write(transcript, "out")
    assert found == path
    return path


def text_of(path: Path) -> str:
    text = path.read_bytes().decode()
    # JSON and XML escape what they may not hold, and may hold DEL.
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", text)
    return text


def judged(transcript: LabelledTranscript) -> int:
    return sum(segment.judged for segment in transcript.segments)


def near(transcript: LabelledTranscript) -> list[tuple[Any, Any]]:
    moments = [segment.moment for segment in transcript.segments]
    return [(pytest.approx(m.start_s, abs=0.011), pytest.approx(m.end_s, abs=0.011)) for m in moments]


@fewer
@given(transcripts())
def test_json_reads_back(transcript: LabelledTranscript) -> None:
    path = written(transcript, "json")
    again = load_result(path)
    assert again.to_dict() == json.loads(text_of(path))
    path.write_bytes(written(again, "json").read_bytes())
    assert load_result(path).to_dict() == again.to_dict()


@pytest.mark.parametrize("name", ["srt", "vtt", "ass"])
@fewer
@given(transcript=transcripts())
def test_subtitles_read_back(name: str, transcript: LabelledTranscript) -> None:
    """One cue a moment, at its time, whatever is said in it."""
    from pysubs2 import SSAFile
    from pysubs2.time import TIMESTAMP, timestamp_to_ms

    path = written(transcript, name)
    text = text_of(path)
    if name == "ass":
        found = [(event.start, event.end) for event in SSAFile.from_string(text, format_=name).events]
    else:
        # A program that looks for arrows finds those of the times, and one that looks for empty lines as many cues.
        blocks = text.removeprefix("WEBVTT\n\n").removesuffix("\n\n").split("\n\n")
        heads = [next(line for line in block.split("\n") if "-->" in line) for block in blocks]
        assert text.count("-->") == len(heads)
        found = [tuple(timestamp_to_ms(each) for each in TIMESTAMP.findall(head)) for head in heads]
    assert [(start / 1000, end / 1000) for start, end in found] == near(transcript)
    read = read_transcript(path).utterances
    assert len(read) >= 1 and all(utterance.text for utterance in read)


@fewer
@given(transcripts())
def test_tables_read_back(transcript: LabelledTranscript) -> None:
    for name, count in (("csv", len(transcript.segments)), ("boris", judged(transcript)), ("people", None)):
        header, *rows = csv.reader(io.StringIO(text_of(written(transcript, name)), newline=""))
        assert all(len(row) == len(header) for row in rows)
        assert count is None or len(rows) == count
        assert not any(cell[:1] in "=+@" and cell for row in rows for cell in row)


@fewer
@given(transcripts())
def test_a_workbook_reads_back(transcript: LabelledTranscript) -> None:
    from openpyxl import load_workbook

    book = load_workbook(written(transcript, "xlsx"))
    assert book["moments"].max_row == len(transcript.segments) + 1
    assert not any(cell.data_type == "f" for page in book for row in page.iter_rows() for cell in row)


@pytest.mark.parametrize("name", ["eaf", "textgrid"])
@fewer
@given(transcript=transcripts())
def test_tiers_read_back(name: str, transcript: LabelledTranscript) -> None:
    tiers = read_tiers(written(transcript, name)).tiers
    emotions = [each for tier in tiers if tier.kind == "emotion" for each in tier.annotations]
    assert len(emotions) == judged(transcript)
    for tier in tiers:
        assert all(a.end_s <= b.start_s + 1e-6 for a, b in itertools.pairwise(tier.annotations))
        assert all(one_line(each.text) == each.text for each in tier.annotations)


@fewer
@given(transcripts())
def test_emotionml_reads_back(transcript: LabelledTranscript) -> None:
    root = ElementTree.fromstring(written(transcript, "emotionml").read_bytes())
    assert len(root.findall("{*}emotion")) == judged(transcript)


@fewer
@given(transcripts())
def test_speech_reads_back(transcript: LabelledTranscript) -> None:
    said = transcript.transcript.utterances if transcript.transcript is not None else None
    for name in ("rttm", "ctm"):
        try:
            path = written(transcript, name)
        except SettingsError:
            continue
        lines = text_of(path).splitlines()
        if name == "ctm":
            assert all(len(line.split(" ")) in (5, 6) for line in lines)
        elif said is not None and lines:
            turns = read_turns(path, "a")
            assert len(turns) == len(lines) == sum(bool(u.speaker) for u in said)
            assert {turn.speaker for turn in turns} <= {one_line(u.speaker or "") or "-" for u in said}


@fewer
@given(transcripts())
def test_a_page_holds_what_is_said_as_data(transcript: LabelledTranscript) -> None:
    from html.parser import HTMLParser

    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.tags: list[str] = []

        def handle_starttag(self, tag: str, attrs: list) -> None:
            self.tags.append(tag)

    def tags_of(value: LabelledTranscript) -> list[str]:
        parser = Tags()
        parser.feed(written(value, "html").read_bytes().decode())
        return [tag for tag in parser.tags if tag in ("script", "style", "img", "iframe", "link", "meta", "object")]

    plain = replace(transcript, segments=(Segment(Moment(0, 1, None, "a"), dict.fromkeys(BASIC.labels, 1 / 7)),))
    plain = replace(plain, media=replace(plain.media, path="a.mp4"), provenance={}, transcript=None)
    assert tags_of(transcript) == tags_of(plain)


@few
@given(transcripts(), st.one_of(st.none(), st.integers(1, 200)))
def test_a_moment_is_a_line(transcript: LabelledTranscript, width: int | None) -> None:
    for segment in transcript.segments:
        line = segment_line(segment, width)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", line)
        assert width is not None or "\n" not in line
