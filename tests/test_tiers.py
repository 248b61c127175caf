"""ELAN and Praat files as transcripts and as tables of labels; written by Praat, or by hand as ELAN writes them."""

from __future__ import annotations

from html import escape
from pathlib import Path

import pytest
from emoscribe.core.errors import MediaError, SettingsError
from emoscribe.core.tiers import Annotation, read_tiers
from emoscribe.core.timeline import LabelledTranscript, Media, Moment, Segment, Transcript, Utterance, Word
from emoscribe.corpora.corpus import Corpus, CorpusRequest
from emoscribe.corpora.registry import read_corpus
from emoscribe.extractors.speech.subtitles import read_transcript
from emoscribe.outputs import write_outputs
from parselmouth.praat import call

Entries = list[tuple[int, int, str]]


def eaf(path: Path, tiers: dict[str, Entries], media: str = "", more: str = "", **attributes: str) -> Path:
    """As ELAN writes it.

    Args:
        attributes: of the tier of that name.
        more: tiers as XML.
    """
    slots, bodies = [], []
    for name, entries in tiers.items():
        body = []
        for start, end, text in entries:
            number = len(slots)
            slots += (start, end)
            body.append(
                f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number}" TIME_SLOT_REF1="ts{number}" '
                f'TIME_SLOT_REF2="ts{number + 1}"><ANNOTATION_VALUE>{escape(text)}</ANNOTATION_VALUE>'
                "</ALIGNABLE_ANNOTATION></ANNOTATION>"
            )
        about = attributes.get(name, "")
        bodies.append(f'<TIER LINGUISTIC_TYPE_REF="t" TIER_ID="{escape(name)}" {about}>{"".join(body)}</TIER>')
    times = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="ts{number}"' + (f' TIME_VALUE="{time}"/>' if time is not None else "/>")
        for number, time in enumerate(slots)
    )
    path.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT VERSION="3.0"><HEADER TIME_UNITS="milliseconds">'
        f"{media}</HEADER><TIME_ORDER>{times}</TIME_ORDER>{''.join(bodies)}{more}</ANNOTATION_DOCUMENT>",
        encoding="utf-8",
    )
    return path


def textgrid(path: Path, tiers: dict[str, list[tuple[float, float, str]]], short: bool = False) -> Path:
    """By Praat itself; its scripts write a quotation mark twice."""
    grid = None
    for name, entries in tiers.items():
        one = call("Create TextGrid", 0, 10, name.replace(" ", "_"), "")
        call(one, "Set tier name", 1, name)
        for bound in sorted({bound for start_s, end_s, _ in entries for bound in (start_s, end_s)} - {0, 10}):
            call(one, "Insert boundary", 1, bound)
        for start_s, end_s, text in entries:
            number = call(one, "Get interval at time", 1, (start_s + end_s) / 2)
            call(one, "Set interval text", 1, number, text)
        grid = one if grid is None else call([grid, one], "Merge")
    call(grid, "Save as short text file" if short else "Save as text file", str(path))
    return path


def said(path: Path, duration_s: float | None = 10.0) -> list[tuple[float, float, str | None, str]]:
    return [(u.start_s, u.end_s, u.speaker, u.text) for u in read_transcript(path, duration_s).utterances]


# ── the files ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("text", ["plain", 'he said "hi" intervals [2]: xmin = 3 ! no', "ü 😀", "two\nlines"])
def test_what_praat_writes_is_read(tmp_path: Path, short: bool, text: str) -> None:
    """UTF-16 where it has to be; what looks like the file's own is text."""
    path = textgrid(tmp_path / "a.TextGrid", {"Clara M": [(0.5, 2.25, text)], "x": [(0, 10, "all")]}, short)
    first, second = read_tiers(path).tiers
    assert (first.name, first.annotations) == ("Clara M", (Annotation(0.5, 2.25, text),))
    assert second.annotations == (Annotation(0.0, 10.0, "all"),)


def test_points_of_praat_are_left_out(tmp_path: Path) -> None:
    grid = call("Create TextGrid", 0, 3, "bell words", "bell")
    call(grid, "Insert point", 1, 1.5, "ding 2")
    call(grid, "Set interval text", 2, 1, "all")
    call(grid, "Save as text file", str(tmp_path / "a.TextGrid"))
    (tier,) = read_tiers(tmp_path / "a.TextGrid").tiers
    assert (tier.name, [each.text for each in tier.annotations]) == ("words", ["all"])


def test_annotations_about_annotations_and_times_between(tmp_path: Path) -> None:
    reference = (
        '<TIER TIER_ID="emotion" LINGUISTIC_TYPE_REF="s" PARENT_REF="Clara"><ANNOTATION><REF_ANNOTATION '
        'ANNOTATION_ID="r" ANNOTATION_REF="a0"><ANNOTATION_VALUE>joy</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>'
        '<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="s" ANNOTATION_REF="r"><ANNOTATION_VALUE>!</ANNOTATION_VALUE>'
        "</REF_ANNOTATION></ANNOTATION></TIER>"
    )
    origin = '<MEDIA_DESCRIPTOR MEDIA_URL="file:///x/a.mp4" MIME_TYPE="video/mp4" TIME_ORIGIN="2000"/>'
    tiers = {"Clara": [(0, None, "one"), (None, 300, "two")]}
    clara, emotion = read_tiers(eaf(tmp_path / "a.eaf", tiers, media=origin, more=reference)).tiers  # type: ignore[arg-type]
    assert [(round(a.start_s, 3), round(a.end_s, 3)) for a in clara.annotations] == [(2.0, 2.1), (2.2, 2.3)]
    assert [(a.text, round(a.end_s, 3)) for a in emotion.annotations] == [("joy", 2.1), ("!", 2.1)]
    assert emotion.parent == "Clara"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.eaf", b"hm", "a.eaf is not an ELAN file that can be read: syntax error"),
        ("a.eaf", b"<x/>", "is not an ELAN file that can be read: it begins with x"),
        ("a.eaf", b'<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="PAL-frames"/></ANNOTATION_DOCUMENT>', "in PAL-frames"),
        ("a.eaf", b"<ANNOTATION_DOCUMENT/>", "is not an ELAN file that can be read"),
        ("a.TextGrid", b"hm", "a.TextGrid is not a TextGrid that can be read: it ends too early"),
        ("a.TextGrid", b'"ooTextFile" "Sound" 1', "it does not begin as a TextGrid does"),
        ("a.TextGrid", b'"ooTextFile" "TextGrid" 0 1 <exists> 2 "IntervalTier" "x" 0', "it ends too early"),
        ("a.TextGrid", b'"ooTextFile" "TextGrid" 0 1 <exists> "x"', "could not convert"),
        ("a.TextGrid", b'"ooTextFile" \xff', "neither in UTF-8 nor in UTF-16; save it with Praat again"),
        ("gone.eaf", None, "no file"),
    ],
)
def test_what_is_no_such_file_is_refused_in_a_line(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(MediaError) as error:
        read_transcript(tmp_path / name)
    assert message in str(error.value) and "\n" not in str(error.value)


# ── transcripts ──────────────────────────────────────────────────────────────


def test_tiers_are_read_by_speaker_and_said_which(tmp_path: Path) -> None:
    tiers = {
        "SP1": [(1000, 2000, "hello & <hi>")],
        "Léo": [(1500, 2500, "hm")],
        "gloss": [(0, 100, "X")],
        "emotion@Léo": [(1500, 2500, "joy")],
        "empty": [],
    }
    more = '<TIER TIER_ID="SP1 words" LINGUISTIC_TYPE_REF="t" PARENT_REF="SP1"/>'
    path = eaf(tmp_path / "a.eaf", tiers, more=more, SP1='PARTICIPANT="Clara"')
    assert said(path) == [(1.0, 2.0, "Clara", "hello & <hi>"), (1.5, 2.5, "Léo", "hm")]
    assert read_transcript(path).source == "file a.eaf, tiers SP1, Léo"


@pytest.mark.parametrize("name", ["a.eaf", "a.TextGrid"])
def test_tiers_of_ours_come_back_with_their_words(tmp_path: Path, name: str) -> None:
    words = (Word(0.5, 1.0, "Oh,"), Word(1.0, 2.0, '"no"'))
    utterances = (Utterance(0.5, 2.0, 'Oh, "no"', "Clara M", words), Utterance(1.5, 3.0, "Hm. Hm."))
    moments = [Segment(Moment(u.start_s, u.end_s, u.speaker, u.text), {"joy": 1.0}) for u in utterances]
    transcript = LabelledTranscript(
        Media("a.mp4", 4.0, "0f"), "x", ("joy",), tuple(moments), transcript=Transcript(utterances, None, "")
    )
    form = {"a.eaf": "eaf", "a.TextGrid": "textgrid"}[name]
    (path,) = write_outputs(transcript, tmp_path, [form], "a")
    again = read_transcript(path, 4.0)
    assert again.utterances == utterances
    assert again.source == f"file {name}, tiers transcript@Clara M, transcript"


def test_an_aligners_words_are_joined_up_to_a_pause(tmp_path: Path) -> None:
    tiers = {
        "Clara - words": [(0.5, 1.0, "so"), (1.0, 1.25, "sp"), (1.25, 2.0, "what"), (4.0, 4.5, "well")],
        "Clara - phones": [(0.5, 0.75, "S"), (0.75, 1.0, "OW1")],
    }
    path = textgrid(tmp_path / "a.TextGrid", tiers)
    assert said(path) == [(0.5, 2.0, "Clara", "so what"), (4.0, 4.5, "Clara", "well")]
    (first, _) = read_transcript(path).utterances
    assert first.words == (Word(0.5, 1.0, "so"), Word(1.25, 2.0, "what"))
    alone = textgrid(tmp_path / "b.TextGrid", {"words": tiers["Clara - words"], "phones": tiers["Clara - phones"]})
    assert said(alone)[0] == (0.5, 2.0, None, "so what")


def test_no_tier_that_holds_what_is_said(tmp_path: Path) -> None:
    path = eaf(tmp_path / "a.eaf", {"emotion@Clara": [(0, 100, "joy")], "Gesture": [(0, 100, "nods")]})
    with pytest.raises(MediaError, match="its tiers are: emotion@Clara, Gesture; call one transcript@SPEAKER"):
        read_transcript(path)


def test_a_transcript_of_another_cut_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="after the end of the recording"):
        read_transcript(eaf(tmp_path / "a.eaf", {"Clara": [(9000, 9500, "hm")]}), 4.0)


# ── tables of labels ─────────────────────────────────────────────────────────


def read(data: Path, **how) -> Corpus:
    return read_corpus(CorpusRequest("table", data, **how))


def test_annotations_are_rows(tmp_path: Path) -> None:
    media = (
        '<MEDIA_DESCRIPTOR MEDIA_URL="file:///elsewhere/my talk.mp4" MIME_TYPE="video/mp4" '
        'RELATIVE_MEDIA_URL="./media/my talk.mp4"/>'
    )
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "my talk.mp4").touch()
    tiers = {
        "emotion@Clara": [(500, 2000, "joy"), (5000, 6000, "fear")],
        "emotion@Léo": [(1500, 3000, "anger")],
        "transcript@Clara": [(500, 1000, "Oh!"), (1000, 2100, "You!"), (3000, 4000, "not now")],
        "transcript@Léo": [(1500, 3000, "No.")],
    }
    eaf(tmp_path / "a.eaf", tiers, media)
    (tmp_path / "b.mp4").touch()
    textgrid(tmp_path / "b.TextGrid", {"Emotion": [(0.5, 1.0, "joy")], "Ann": [(0.0, 1.0, "Yes.")]})
    corpus = read(tmp_path)
    assert corpus.label_set is not None and corpus.label_set.labels == ("fear", "joy", "anger")
    rows = [(c.id, c.start_s, c.end_s, c.speaker, c.text, c.target, c.source) for c in corpus.clips]
    assert rows == [
        ("test-1", 0.5, 2.0, "Clara", "Oh! You!", "joy", "a"),
        ("test-2", 1.5, 3.0, "Léo", "No.", "anger", "a"),
        ("test-3", 5.0, 6.0, "Clara", "", "fear", "a"),
        ("test-4", 0.5, 1.0, None, "Yes.", "joy", "b"),
    ]
    assert {c.media for c in corpus.clips} == {str(tmp_path / "media" / "my talk.mp4"), str(tmp_path / "b.mp4")}


def test_another_tier_in_splits_of_folders(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        tiers = {"Affect@Clara": [(0, 1000, "joy|fear"), (1000, 2000, "joy")], "emotion": [(0, 1000, "anger")]}
        eaf(tmp_path / split / f"{split}.eaf", tiers)
    corpus = read(tmp_path, columns={"label": "Affect"})
    assert [(clip.split, clip.target, clip.speaker) for clip in corpus.clips] == [
        ("train", frozenset({"joy", "fear"}), "Clara"),
        ("train", frozenset({"joy"}), "Clara"),
        ("test", frozenset({"joy", "fear"}), "Clara"),
        ("test", frozenset({"joy"}), "Clara"),
    ]
    assert not corpus.missing and corpus.clips[0].media is None
    # What nobody has written down is still to be heard.
    assert {clip.text for clip in corpus.clips} == {None}


def test_a_recording_that_is_not_there_is_missing(tmp_path: Path) -> None:
    media = '<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/x/gone.mp4" MIME_TYPE="video/mp4"/>'
    eaf(tmp_path / "a.eaf", {"emotion": [(0, 1000, "joy"), (1000, 2000, "fear")]}, media)
    corpus = read(tmp_path)
    assert list(corpus.missing) == ["test-1", "test-2"] and corpus.missing["test-1"].endswith("gone.mp4")


def test_folds_by_source_are_cut_by_file(tmp_path: Path) -> None:
    for name in "abcdef":
        eaf(tmp_path / f"{name}.eaf", {"emotion": [(0, 1000, "joy"), (1000, 2000, "fear")], "Ann": [(0, 2000, "hm")]})
    corpus = read(tmp_path, folds="source")
    sources = [{clip.source for clip in corpus.split(split)} for split in ("train", "dev", "test")]
    assert all(sources) and sum(map(len, sources)) == 6


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            {},
            "no annotations of a tier 'emotion' in the test files in .*; their tiers are: Affect, Clara; name one with",
        ),
        ({"columns": {"label": "Mood"}}, "no annotations of a tier 'Mood'"),
        (
            {"columns": {"label": "Affect", "text": "Clara"}},
            "--column text: of annotation files only the tier of labels",
        ),
        ({"splits": ("train",)}, "no train.csv"),
    ],
)
def test_what_is_wrong_with_annotations_is_said(tmp_path: Path, how: dict, message: str) -> None:
    eaf(tmp_path / "a.eaf", {"Affect": [(0, 1000, "joy")], "Clara": [(0, 1000, "hm")]})
    with pytest.raises((MediaError, SettingsError), match=message):
        read(tmp_path, **how)


def test_tables_and_annotations_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("label,text\njoy,hm\n")
    eaf(tmp_path / "a.eaf", {"emotion": [(0, 1000, "joy")]})
    with pytest.raises(MediaError, match="holds tables and annotation files as splits; keep one kind"):
        read(tmp_path)
