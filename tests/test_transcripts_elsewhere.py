"""Transcripts that other programs write, read for what was said in this recording or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from emoscribe.core.errors import MediaError
from emoscribe.core.timeline import Utterance, Word
from emoscribe.extractors.speech.subtitles import read_transcript

DURATION_S = 19.7


@pytest.fixture
def read(tmp_path: Path):
    def write_and_read(name: str, content: str | bytes | dict | list, duration_s: float = DURATION_S):
        path = tmp_path / name
        if isinstance(content, dict | list):
            content = json.dumps(content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_transcript(path, duration_s).utterances

    return write_and_read


# ── captions that repeat ─────────────────────────────────────────────────────

# As YouTube writes them: each line comes again above the next one, alone for 10 ms, padded by a line of one space.
ROLLING = """WEBVTT
Kind: captions

00:00:00.400 --> 00:00:02.230 align:start position:0%
\x20
i<00:00:00.700><c> miss</c><00:00:01.000><c> him</c>

00:00:02.230 --> 00:00:02.240 align:start position:0%
i miss him
\x20

00:00:02.240 --> 00:00:05.390 align:start position:0%
i miss him
i<00:00:03.300><c> thought</c><00:00:03.700><c> he</c><00:00:04.000><c> came</c>

00:00:05.390 --> 00:00:05.400 align:start position:0%
i thought he came
\x20

00:00:05.400 --> 00:00:08.590 align:start position:0%
i thought he came
wait<00:00:06.600><c> you</c>
"""


def test_captions_that_roll_up_are_read_once(read) -> None:
    truth = (
        Utterance(0.4, 2.23, "i miss him"),
        Utterance(2.24, 5.39, "i thought he came"),
        Utterance(5.4, 8.59, "wait you"),
    )
    assert read("a.vtt", ROLLING) == truth
    converted = ROLLING.partition("\n\n")[2].replace(" align:start position:0%", "").replace("\n \n", "\n")
    assert read("a.srt", converted) == truth


def test_three_lines_that_roll_up(read) -> None:
    lines = ["one fish", "two fish", "red fish", "blue fish", "old fish"]
    shown = [(i, lines[max(0, i - 2) : i + 1]) for i in range(5)]
    text = "".join(f"00:00:0{i},000 --> 00:00:0{i + 1},000\n" + "\n".join(said) + "\n\n" for i, said in shown)
    assert [(u.start_s, u.text) for u in read("a.srt", text)] == list(enumerate(lines))


def test_what_is_said_twice_stays_said_twice(read) -> None:
    said = ["No.", "No.", "Wait!\nNo.", "No.\nReally?", "Yes.", "Yes.", "Go.", "Go.", "Go.", "Now."]
    text = "".join(f"00:00:0{i},000 --> 00:00:0{i},990\n{line}\n\n" for i, line in enumerate(said))
    assert [u.text for u in read("a.srt", text)] == [line.replace("\n", " ") for line in said]


def test_layers_and_karaoke_are_read_once(read) -> None:
    head = "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\nStyle: D,Arial,20\n\n"
    head += "[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    events = [
        "Dialogue: 0,0:00:00.40,0:00:02.20,D,Ann,0,0,0,,{\\blur4}I miss him",
        "Dialogue: 1,0:00:00.40,0:00:02.20,D,Ann,0,0,0,,{\\bord0}I miss him",
        "Dialogue: 1,0:00:00.50,0:00:02.30,D,Ben,0,0,0,,I miss him",
        "Dialogue: 0,0:00:03.10,0:00:05.40,D,Ann,0,0,0,,{\\k30}I {\\k40}thought {\\kf20}he\\N{\\ko30}came",
        "Dialogue: 0,0:00:06.00,0:00:07.00,D,Ann,0,0,0,,I miss him",
    ]
    assert read("a.ass", head + "\n".join(events)) == (
        Utterance(0.4, 2.2, "I miss him", "Ann"),
        Utterance(0.5, 2.3, "I miss him", "Ben"),
        Utterance(3.1, 5.4, "I thought he came", "Ann"),
        Utterance(6.0, 7.0, "I miss him", "Ann"),
    )


def test_a_line_of_spaces_ends_no_cue_but_a_number_behind_it_is_not_said(read) -> None:
    text = "WEBVTT\n\n1\n00:01.000 --> 00:02.000\none\n \ntwo\n \n2\n00:03.000 --> 00:04.000\nthree\n"
    assert [u.text for u in read("a.vtt", text)] == ["one two", "three"]


# ── the JSON of other tools ──────────────────────────────────────────────────

MISS = "I miss him so much, 747."


def test_words_without_times_share_what_their_neighbours_leave(read) -> None:
    """WhisperX's aligner gives numerals none."""
    times = [("I", 0.4, 0.6), ("miss", 0.6, 1.0), ("him", 1.0, 1.3), ("so", None, None), ("much,", 1.6, 2.0)]
    words = [{"word": w, **({"start": a, "end": b, "score": 0.9} if a is not None else {})} for w, a, b in times]
    segment = {"start": 0.4, "end": 2.2, "text": f" {MISS}", "words": [*words, {"word": "747."}]}
    (said,) = read("a.json", {"segments": [segment], "language": "en"})
    assert said.text == MISS and " ".join(word.text for word in said.words) == MISS
    assert said.words[0] == Word(0.4, 0.6, "I", 0.9)
    assert (said.words[3].start_s, said.words[3].end_s) == (1.3, 1.6)
    assert (said.words[5].start_s, said.words[5].end_s) == (2.0, 2.2)


def test_a_list_that_lacks_words_is_not_what_was_said(read) -> None:
    words = [{"word": "He", "start": 0.4, "end": 0.6}, {"word": "left", "start": 0.6, "end": 1.0}]
    segment = {"start": 0.4, "end": 2.2, "text": "He left me in 2016.", "words": words}
    assert read("a.json", [segment, {**segment, "start": 3, "end": 4, "words": []}]) == (
        Utterance(0.4, 2.2, "He left me in 2016."),
        Utterance(3.0, 4.0, "He left me in 2016."),
    )


SAID = (("I miss him so much.", 400, 2200), ("I thought he would come back.", 3100, 5400))
IN_TIME = tuple((start_ms / 1000, end_ms / 1000, text) for text, start_ms, end_ms in SAID)


@pytest.mark.parametrize(
    "content",
    [
        {
            "audio_duration": 20,
            "utterances": [{"start": a, "end": b, "text": t, "confidence": 0.9} for t, a, b in SAID],
        },
        {
            "transcription": [
                {"offsets": {"from": a, "to": b}, "timestamps": {"from": "00:00:00,400"}, "text": f" {t}"}
                for t, a, b in SAID
            ]
        },
        {"results": {"utterances": [{"start": a / 1000, "end": b / 1000, "transcript": t} for t, a, b in SAID]}},
        {"chunks": [{"timestamp": [a / 1000, b / 1000], "text": t} for t, a, b in SAID], "text": "all"},
        [{"start_ms": a, "end_ms": b, "text": t} for t, a, b in SAID],
        [{"start_time": a / 1000, "end_time": b / 1000, "sentence": t} for t, a, b in SAID],
    ],
    ids=["AssemblyAI", "whisper.cpp", "Deepgram", "transformers", "milliseconds by name", "another name"],
)
def test_what_other_tools_write(read, content) -> None:
    found = read("a.json", content)
    assert [u.text for u in found] == [text for *_, text in IN_TIME]
    assert [(u.start_s, u.end_s) for u in found] == [pytest.approx(times) for *times, _ in IN_TIME]


def test_milliseconds_are_told_from_seconds_in_a_long_recording_too(read) -> None:
    """In two hours, 5,400 could be a second."""
    items = [{"start": a, "end": b, "text": t} for t, a, b in SAID]
    assert [u.start_s for u in read("a.json", items, duration_s=7200.0)] == pytest.approx([0.4, 3.1])
    seconds = [{"start": 400, "end": 402, "text": SAID[0][0]}, {"start": 3100, "end": 3104, "text": SAID[1][0]}]
    assert [u.start_s for u in read("a.json", seconds, duration_s=7200.0)] == [400.0, 3100.0]


def test_numbers_of_speakers_are_speakers(read) -> None:
    items = [
        {"start": 0.0, "end": 1.0, "text": "a", "speaker": 0},
        {"start": 1.0, "end": 2.0, "text": "b", "speaker": "B"},
    ]
    assert [u.speaker for u in read("a.json", items)] == ["speaker 0", "B"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            [{"start": 1785835933.4, "end": 1785835935.2, "text": "a"}],
            "utterance 1: start_s must be a number of seconds",
        ),
        ([{"start": 0.1, "end": 0.2, "words": "a"}], "utterance 1: no text; its keys are start, end, words; text is"),
        ([{"begin_at": 0.1, "end": 0.2, "text": "a"}], "utterance 1: start_s must be a number of seconds from 0, got"),
        ({"monologues": []}, "must be a list of utterances, or an object with one under 'segments'"),
    ],
)
def test_what_is_not_understood_is_not_believed(read, content, message: str) -> None:
    with pytest.raises(MediaError) as error:
        read("a.json", content)
    assert message in str(error.value) and "\n" not in str(error.value)


# ── fitted to the recording ──────────────────────────────────────────────────


def test_a_transcript_of_another_cut_is_refused(read) -> None:
    text = "00:00:00,400 --> 00:00:02,200\na\n\n00:10:03,100 --> 00:10:05,400\nb\n"
    with pytest.raises(
        MediaError, match=r"a.srt has 1 of 2 cues after the end of the recording: one begins at 603.1 s"
    ):
        read("a.srt", text)
    assert len(read("a.srt", text, duration_s=700.0)) == 2


def test_nothing_is_said_after_the_end(read) -> None:
    cues = [("18,000", "25,000", "a"), ("19,600", "19,600", "c"), ("20,500", "21,000", "b")]
    text = "".join(f"00:00:{start} --> 00:00:{end}\n{said}\n\n" for start, end, said in cues)
    assert read("a.srt", text) == (Utterance(18.0, DURATION_S, "a"), Utterance(19.6, DURATION_S, "c"))


# ── encodings ────────────────────────────────────────────────────────────────

RUSSIAN = "Я так скучаю по нему.\nЯ думала, он вернётся ко мне.\nПодожди, это правда ты?"
CHINESE = "我很想他。\n我以为他会回到我身边。\n等等，真的是你吗？\n我不敢相信。\n再次见到你我真高兴。\n"
CHINESE += "这是我一生中最好的一天。"
# Some lines in a code page of their time, and a line that could be in several.
WRITTEN = {
    "cp1251": (RUSSIAN, "Привет"),
    "koi8_r": (RUSSIAN, "Привет"),
    "cp1250": ("Bardzo za nim tęsknię.\nMyślałam, że do mnie wróci.", "koń"),
    "cp1254": ("Bana geri döneceğini düşünmüştüm.\nBekle, bu gerçekten sen misin?", None),
    "cp1253": ("Μου λείπει τόσο πολύ.\nΝόμιζα ότι θα γύριζε σε μένα.\nΠερίμενε, είσαι πραγματικά εσύ;", "Ναι"),
    "gbk": (CHINESE, "我很想他"),
    "cp1252": ("Ich möchte für ihn nur das Schönste, natürlich.", "señor"),
    "utf-16-le": ("I miss him", None),
    "utf-16-be": ("Я так скучаю", None),
}


def srt(lines: str, encoding: str) -> bytes:
    cues = (f"{i}\n00:00:0{i},000 --> 00:00:0{i},900\n{line}\n\n" for i, line in enumerate(lines.split("\n")))
    return "".join(cues).encode(encoding)


@pytest.mark.parametrize("encoding", WRITTEN)
def test_an_encoding_is_recognised_or_the_file_is_refused(read, encoding: str) -> None:
    certain, unclear = WRITTEN[encoding]
    assert "\n".join(u.text for u in read("a.srt", srt(certain, encoding))) == certain
    if unclear is not None:
        with pytest.raises(MediaError, match=r"a.srt is not in UTF-8, and which encoding it is in is unclear; save it"):
            read("a.srt", srt(unclear, encoding))


@pytest.mark.parametrize("encoding", ["cp1252", "cp1250", "cp1254"])
def test_typographic_signs_are_the_same_in_all_of_windows(read, encoding: str) -> None:
    assert read("a.srt", srt("I’m so “happy”… – really", encoding))[0].text == "I’m so “happy”… – really"


def test_a_few_lines_in_any_encoding_never_become_other_letters(read) -> None:
    """Whatever is read is what was written: of these, some are recognised and some refused."""
    read_at_all = 0
    for encoding, (lines, _) in WRITTEN.items():
        lines = lines.split("\n")
        for some in (lines[:count] for count in range(1, len(lines) + 1)):
            try:
                assert [u.text for u in read("a.srt", srt("\n".join(some), encoding))] == some, encoding
                read_at_all += 1
            except MediaError as error:
                assert "unclear" in str(error)
    assert read_at_all >= len(WRITTEN)
