"""Texts that make patterns try again and again: brackets that never close, spaces without end."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from emoscribe.app.documents import paragraphs_of
from emoscribe.core.errors import EmoscribeError
from emoscribe.core.in_time import InTime
from emoscribe.core.text import one_line
from emoscribe.core.tiers import Annotation, Tier, read_tiers, spoken
from emoscribe.core.timeline import Transcript, Utterance, Word
from emoscribe.corpora.rows import csv_table
from emoscribe.extractors.speakers.turns import Turn, name_speakers, read_turns
from emoscribe.extractors.speech.captions import layered, unrolled
from emoscribe.extractors.speech.subtitles import read_transcript
from emoscribe.textualize.heard import punctuated
from emoscribe.textualize.windows import window_at

LENGTH = 20_000
# Times what a plain text of that length takes, and so many seconds that a clock of the processor cannot tell.
# Of the patterns that were quadratic, most took a thousand times as long.
TIMES, SLACK_S = 40, 0.15

PLAIN = "I really thought he would come back. "
ENDLESS = [
    *(
        "<",
        "<a",
        "<v ",
        "<v.",
        "<v x>",
        "<b ",
        "<b.",
        "</",
        "<1:",
        "{",
        "{\\",
        "{\\{\\",
        "{}",
        "{\\i1}",
        "[",
        "[a",
        "&",
    ),
    *("&#1", "1", "1.", "0:", " ", "\t", "- ", ">-", "a ", "A: ", "A'", ".", "..", "-", "a-", "_", "\n", " \n", "\r"),
    *("\x1b", "\x1b]", "\x9b", "\x9d", "\x90", "\x1b[0", '"', '""', '","', "'", "!", "\xa0", "\x85", "\u2028", "-->"),
    *("<NA> ", "1 ", "SPEAKER ", ",", ";", "<v>x ", "a\n", "A: a\n", "words_"),
]
TIME = "00:00:01,000 --> 00:00:02,000"
EVENT = "Dialogue: 0,0:00:01.00,0:00:02.00,Default,A,0,0,0,,"
GRID = '"ooTextFile" "TextGrid" 0 1 <exists> 1 "IntervalTier" "talk" 0 1 1 0 1 '


def tier_named(text: str) -> object:
    tier = Tier(text, (Annotation(0, 1, "a"),))
    return tier.kind, tier.speaker, tier.is_words, spoken([tier])


READERS: dict[str, Callable[[Path, str], object]] = {
    "srt": lambda path, text: read_transcript(_written(path / "a.srt", f"1\n{TIME}\n{text}x\n")),
    "srt time": lambda path, text: read_transcript(_written(path / "a.srt", f"1\n{TIME}{text}x\nhm\n")),
    "vtt": lambda path, text: read_transcript(_written(path / "a.vtt", f"WEBVTT\n\n{TIME}\n<v {text}>hm {text}x\n")),
    "ass": lambda path, text: read_transcript(_written(path / "a.ass", f"[{text}\n{EVENT}{text}x\n")),
    "json": lambda path, text: read_transcript(_written(path / "a.json", said_in_json(text))),
    "rttm": lambda path, text: read_turns(_written(path / "a.rttm", f"SPEAKER a{text}1 0 1 <NA> <NA> b{text}x"), "a"),
    "eaf": lambda path, text: read_tiers(_written(path / "a.eaf", text)),
    "textgrid": lambda path, text: read_tiers(_written(path / "a.TextGrid", f'{GRID}"{text}x')),
    "tier": lambda path, text: tier_named(f"a{text}x"),
    "line": lambda path, text: one_line(text),
    "document": lambda path, text: paragraphs_of(_written(path / "a.txt", f"a\n{text}x"), "a.txt"),
    "csv": lambda path, text: csv_table(path, f"{text}x\n{text}x"),
    "heard": lambda path, text: punctuated(f"a{text}x", random.Random(0)),
}


def said_in_json(text: str) -> str:
    words = [{"text": word} for word in text.split()]
    return json.dumps([{"start": 0, "end": 1, "text": text, "speaker": text, "words": words}])


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def seconds(work: Callable[[], object]) -> float:
    """Of the processor, which others on the machine do not lengthen."""
    began = time.process_time()
    try:
        work()
    except EmoscribeError as error:
        assert len(str(error)) < 1000 and "\n" not in str(error)
    return time.process_time() - began


def filled(unit: str) -> str:
    return (unit * (LENGTH // len(unit) + 1))[:LENGTH]


@pytest.mark.parametrize("name", READERS)
def test_what_never_ends_is_read_as_fast_as_what_is_said(name: str, tmp_path: Path) -> None:
    """Subtitles of 120 kB with tags that do not close took half a minute, others never ended."""
    read = READERS[name]
    plain_s = min(seconds(lambda: read(tmp_path, filled(PLAIN))) for _ in range(3))
    most_s = TIMES * plain_s + SLACK_S

    def is_slow(unit: str) -> bool:
        # Once is nobody's fault on a machine with others.
        return all(seconds(lambda: read(tmp_path, filled(unit))) > most_s for _ in range(3))

    assert not [unit for unit in ENDLESS if is_slow(unit)], f"plain takes {plain_s:.4f} s"


# Of so many, what compares each with each takes seconds.
MANY = 10_000
UTTERANCES = [Utterance(i, i + 1, f"a{i}", None, (Word(i, i + 1, f"a{i}"),)) for i in range(MANY)]

TIER = Tier("Anna", tuple(Annotation(i, i + 1, "a") for i in range(MANY)))
SAID = InTime(TIER.annotations)


@pytest.mark.parametrize(
    "work",
    [
        lambda: layered(UTTERANCES),
        lambda: unrolled([(0, 1, ["a"] * MANY), (1, 2, ["a"] * MANY + ["b"])]),
        lambda: name_speakers(Transcript(tuple(UTTERANCES), None, ""), [Turn(i, i + 1, "A") for i in range(MANY)]),
        lambda: window_at(UTTERANCES, 0, MANY),
        lambda: [SAID.during(each) for each in TIER.annotations],
    ],
    ids=["layered", "unrolled", "speakers", "window", "labels"],
)
def test_of_many_not_each_is_compared_with_each(work: Callable[[], object]) -> None:
    assert any(seconds(work) < 1.5 for _ in range(3))


def test_a_chain_of_comments_is_followed_once(tmp_path: Path) -> None:
    """From its end, a chain in an ELAN file was followed a link a time."""
    chain = "".join(
        f'<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="r{i}" ANNOTATION_REF="r{i + 1}"><ANNOTATION_VALUE>a'
        "</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>"
        for i in range(MANY)
    )
    path = tmp_path / "chain.eaf"
    path.write_text(
        "<ANNOTATION_DOCUMENT><HEADER/><TIME_ORDER><TIME_SLOT TIME_SLOT_ID='s' TIME_VALUE='1000'/></TIME_ORDER>"
        f"<TIER TIER_ID='a'>{chain}<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID='r{MANY}' TIME_SLOT_REF1='s' "
        "TIME_SLOT_REF2='s'/></ANNOTATION></TIER></ANNOTATION_DOCUMENT>"
    )
    (tier,) = read_tiers(path).tiers
    assert len(tier.annotations) == MANY and {each.start_s for each in tier.annotations} == {1.0}


def test_formatting_is_taken_off_where_brackets_also_stay_open(tmp_path: Path) -> None:
    text = f"1\n{TIME}\n<b>one</b> < two <font color=red>three</font> {{\\an8}}four {{\\i five <i\n"
    (said,) = read_transcript(_written(tmp_path / "a.srt", text)).utterances
    assert said.text == "one < two three four {\\i five <i"
    text = f"WEBVTT\n\n{TIME}\n<v Ann>one <c>two</c> <v Ben\n"
    (said,) = read_transcript(_written(tmp_path / "a.vtt", text)).utterances
    assert (said.speaker, said.text) == ("Ann", "one two <v Ben")


def test_the_number_of_a_character_can_have_any_length(tmp_path: Path) -> None:
    """html.unescape() gives up on five thousand digits."""
    text = f"WEBVTT\n\n{TIME}\nso &#{'1' * 5000};\n"
    (said,) = read_transcript(_written(tmp_path / "a.vtt", text)).utterances
    assert said.text.startswith("so &#111")


def test_an_event_of_tags_alone_takes_no_memory(tmp_path: Path) -> None:
    """What pysubs2 keeps of a line grows with the square of its tags: of 200 kB, gigabytes."""
    import tracemalloc

    path = _written(tmp_path / "a.ass", EVENT + "{\\i1}" * 20_000 + "said")
    tracemalloc.start()
    (said,) = read_transcript(path).utterances
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert said.text == "said" and most < 20e6
