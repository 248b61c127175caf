"""What no recording holds: cues of days in two seconds, a million of them, windows without end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core import limits
from emoscribe.core.errors import EmoscribeError, MediaError, SettingsError
from emoscribe.core.files import read_json
from emoscribe.core.settings import load
from emoscribe.core.timeline import Cues, FaceTrack, Media, Transcript, Utterance, Word
from emoscribe.extractors.media import probe
from emoscribe.extractors.speakers.turns import read_turns
from emoscribe.extractors.speech.subtitles import read_transcript
from emoscribe.pipeline import open_session
from emoscribe.textualize.settings import WindowSettings
from emoscribe.textualize.windows import check_windows, cut

CLIP_S = 2.0


def clock(time_s: float, point: str = ",") -> str:
    milliseconds = round(time_s * 1000)
    seconds = milliseconds // 1000
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{milliseconds % 1000:03d}"


def srt(cues: list[tuple[float, float]]) -> str:
    return "".join(f"{clock(a)} --> {clock(b)}\nword {n}\n\n" for n, (a, b) in enumerate(cues))


def vtt(cues: list[tuple[float, float]]) -> str:
    return "WEBVTT\n\n" + "".join(f"{clock(a, '.')} --> {clock(b, '.')}\nword {n}\n\n" for n, (a, b) in enumerate(cues))


def ass(cues: list[tuple[float, float]]) -> str:
    return "[Events]\n" + "".join(
        f"Dialogue: 0,{clock(a, '.')},{clock(b, '.')},Default,,0,0,0,,word {n}\n" for n, (a, b) in enumerate(cues)
    )


def in_json(cues: list[tuple[float, float]]) -> str:
    return json.dumps([{"start": a, "end": b, "text": f"word {n}", "speaker": "A"} for n, (a, b) in enumerate(cues)])


def whisper_cpp(cues: list[tuple[float, float]]) -> str:
    return json.dumps(
        {
            "transcription": [
                {"offsets": {"from": round(a * 1000), "to": round(b * 1000)}, "text": f"word {n}"}
                for n, (a, b) in enumerate(cues)
            ]
        }
    )


def textgrid(cues: list[tuple[float, float]]) -> str:
    entries = " ".join(f'{a} {b} "word {n}"' for n, (a, b) in enumerate(cues))
    return f'"ooTextFile" "TextGrid" 0 1 <exists> 1 "IntervalTier" "talk" 0 1 {len(cues)} {entries}'


def rttm(cues: list[tuple[float, float]]) -> str:
    return "".join(f"SPEAKER a 1 {a} {b - a} <NA> <NA> s{n} <NA> <NA>\n" for n, (a, b) in enumerate(cues))


SPOKEN = {"srt": srt, "vtt": vtt, "ass": ass, "json": in_json, "cpp.json": whisper_cpp, "TextGrid": textgrid}


@pytest.fixture
def read(tmp_path: Path):
    def write_and_read(suffix: str, content: str, duration_s: float | None = CLIP_S):
        path = tmp_path / f"a.{suffix}"
        path.write_text(content)
        if suffix in ("rttm", "turns.json"):
            return read_turns(path, "a", duration_s)
        return read_transcript(path, duration_s).utterances

    return write_and_read


def refused(work) -> str:
    with pytest.raises(EmoscribeError) as error:
        work()
    message = str(error.value)
    assert "\n" not in message and len(message) < 400
    return message


@pytest.mark.parametrize("suffix", [*SPOKEN, "rttm", "turns.json"])
@pytest.mark.parametrize(
    ("cues", "message"),
    [
        ([(0.0, 1.0), (180_000.0, 180_001.0)], "1 of 2 {} after the end of the recording: one begins at 180000.0 s"),
        ([(0.0, 35_996_400.0)], "1,000,000"),
        ([(0.0, 36_000.0)], "one lasts from 0.0 to 36000.0 s, and the recording 2.0 s, after which 60 s are allowed"),
        ([(i / 10_000, i / 10_000 + 0.1) for i in range(20_000)], "has 20,000 {}, and at most 500 of a recording"),
    ],
    ids=["late", "endless", "long", "dense"],
)
def test_what_does_not_fit_the_recording_is_refused(suffix: str, cues, message: str, read) -> None:
    """Of a clip of two seconds, cues at 50 h and of 9,999 h passed, and so did 20,000 of them."""
    write = rttm if suffix == "rttm" else SPOKEN.get(suffix, in_json)
    what = "turns" if suffix in ("rttm", "turns.json") else "cues"
    assert message.format(what) in refused(lambda: read(suffix, write(cues)))


@pytest.mark.parametrize("suffix", ["srt", "rttm"])
def test_a_million_is_too_many_for_any_recording(suffix: str, read, monkeypatch) -> None:
    monkeypatch.setattr(limits, "MOST_CUES", 100)
    cues = [(float(i), i + 1.0) for i in range(101)]
    write = {"srt": srt, "rttm": rttm}[suffix]
    message = refused(lambda: read(suffix, write(cues), None))
    assert "has 101" in message and "at most 100 are read" in message


def test_bounds_leave_room_for_what_there_is() -> None:
    hours = 24
    # Of talk without a pause: a cue a second, five words a second.
    assert hours * 3600 < limits.MOST_CUES and hours * 3600 * 25 < limits.MOST_CHARACTERS
    # Word by word in JSON, some 60 bytes each.
    assert hours * 3600 * 5 * 60 < limits.MOST_TEXT_BYTES and hours * 3600 * 2 < limits.MOST_WINDOWS


@pytest.mark.parametrize("suffix", SPOKEN)
def test_the_last_cues_may_go_on_after_the_end(suffix: str, read) -> None:
    cues = [(0.0, 1.0), (1.5, 20.0), (2.5, 4.0)]
    found = read(suffix, SPOKEN[suffix](cues))
    assert [(u.start_s, u.end_s) for u in found] == [(0.0, 1.0), (1.5, CLIP_S)]


def test_turns_may_go_on_after_the_end(read) -> None:
    assert [turn.end_s for turn in read("rttm", rttm([(0.0, 1.0), (1.5, 2.4)]))] == [1.0, 2.4]


@pytest.mark.parametrize("suffix", [*SPOKEN, "rttm", "TextGrid", "eaf"])
def test_a_file_that_is_too_large_is_not_read(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    with path.open("wb") as file:
        file.truncate(limits.MOST_TEXT_BYTES + 1)  # a hole: it takes no room
    read_it = (lambda: read_turns(path, "a")) if suffix == "rttm" else (lambda: read_transcript(path))
    assert "has 50,000,001 bytes, and at most 50,000,000 are read" in refused(read_it)


def test_nor_is_json_or_a_config(tmp_path: Path) -> None:
    result, config = tmp_path / "a.json", tmp_path / "a.yaml"
    for path, most in ((result, limits.MOST_TABLE_BYTES), (config, limits.MOST_CONFIG_BYTES)):
        with path.open("wb") as file:
            file.truncate(most + 1)
    assert "at most 500,000,000 are read" in refused(lambda: read_json(result))
    assert "at most 1,000,000 are read" in refused(lambda: open_session(config))


def test_words_of_a_transcript_lie_in_what_they_are_words_of(read) -> None:
    words = [{"text": "so", "start": 0.2, "end": 9e5}, {"text": "it", "start": 0.9, "end": 0.1}]
    (said,) = read("json", json.dumps([{"start": 0.1, "end": 1.0, "text": "so it", "words": words}]), None)
    assert said.words == (Word(0.2, 1.0, "so"), Word(0.1, 0.9, "it"))


# ── windows ──────────────────────────────────────────────────────────────────


def test_windows_by_the_clock_are_bounded() -> None:
    """`--window 1 --hop 1` over 833 h made three million windows."""
    with pytest.raises(
        SettingsError, match=r"windows every 1 s are 3,000,000 in 3,000,000\.0 s, and at most 200,000 .*"
    ):
        check_windows(WindowSettings(window_s=1.0, hop_s=1.0), 3e6)
    with pytest.raises(SettingsError, match=r"set windows\.hop_s to 15\.00 or more"):
        cut(Cues(Media("v.mp4", 3e6, "0")), WindowSettings(window_s=1.0))
    check_windows(WindowSettings(window_s=1.0), 86_400)
    check_windows(WindowSettings(), 3e6)


def test_windows_that_lie_over_each_other_are_bounded() -> None:
    """Each word was kept as often as windows of an hour, every twentieth of a second, lie over it."""
    with pytest.raises(SettingsError, match=r"at most 200 windows may lie over each other: hop_s must be 18 or more"):
        load(WindowSettings, window_s=3600.0, hop_s=0.05)
    assert load(WindowSettings, window_s=10.0, hop_s=0.05).hop_s == 0.05


@pytest.mark.parametrize("suffix", ["vtt", "json", "rttm"])
def test_a_recording_has_not_a_thousand_speakers(suffix: str, read) -> None:
    cues = [(float(n), n + 1.0) for n in range(1_001)]
    content = {
        "vtt": "WEBVTT\n\n" + "".join(f"{clock(a, '.')} --> {clock(b, '.')}\n<v s{a}>word\n\n" for a, b in cues),
        "json": json.dumps([{"start": a, "end": b, "text": "word", "speaker": f"s{a}"} for a, b in cues]),
        "rttm": rttm(cues),
    }[suffix]
    assert "names 1,001 speakers, and at most 1,000 are told apart" in refused(lambda: read(suffix, content, None))


def test_too_many_windows_are_known_before_anything_is_perceived(tmp_path: Path, make_media) -> None:
    video = make_media(tmp_path / "v.wav", sound=np.zeros(16_000, dtype=np.float32))
    with open_session("embedded", window=1.0, hop=0.05, offline=True) as session, pytest.MonkeyPatch.context() as patch:
        patch.setattr("emoscribe.textualize.windows.MOST_WINDOWS", 10)
        with pytest.raises(SettingsError, match="at most 10 are read"):
            session.opened(video)


def test_an_utterance_of_pauses_that_grow_is_cut_word_by_word() -> None:
    """Each halving cut off one word, and a thousand of them went too deep."""
    starts_s = np.cumsum(np.arange(3_000) * 0.01 + 0.1)
    words = tuple(Word(float(t), float(t) + 0.05, "a") for t in starts_s)
    said = Utterance(0.0, float(starts_s[-1]) + 1, "", None, words)
    windows = cut(Cues(Media("v.mp4", said.end_s, "0"), Transcript((said,), None, "")), WindowSettings())
    assert sum(len(window.words) for window in windows) == 3_000
    assert all(window.end_s - window.start_s <= 12 or len(window.words) == 1 for window in windows)


def test_gaps_of_days_are_looked_through_once() -> None:
    times_s = np.array([5.0, 999_990.0])
    face = FaceTrack("landmarker", ("AU12",), times_s, np.ones(2, int), np.zeros((2, 4)), np.zeros((2, 1)), times_s)
    windows = cut(Cues(Media("v.mp4", 1e6, "0"), None, face), WindowSettings(min_gap_s=0.1, max_gap_s=0.5))
    assert [(window.start_s, window.end_s) for window in windows] == [(5.0, 5.5), (999_990.0, 999_990.5)]


# ── recordings ───────────────────────────────────────────────────────────────


def test_a_recording_of_days_in_some_bytes_is_refused(tmp_path: Path) -> None:
    """A clock that is a damaged byte off told of a hundred days, whose silence was listened to."""
    path = tmp_path / "long.gif"
    # Two pictures of a pixel; the first stands for 650 s, over and over.
    picture = b"\x21\xf9\x04\x00\xe8\xfd\x00\x00\x2c" + b"\x00" * 4 + b"\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00"
    path.write_bytes(b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff" + picture * 3 + b"\x3b")
    with pytest.raises(MediaError, match=r"says that it lasts 1,\d+ s, and of its size none is longer than \d+ s"):
        probe(path)
