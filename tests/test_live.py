"""A live source, chunk by chunk, against the same file read whole in windows."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError, SettingsError
from emoscribe.core.settings import load
from emoscribe.core.timeline import Segment, Word
from emoscribe.extractors import media
from emoscribe.extractors.live import words_after
from emoscribe.extractors.media import SAMPLE_RATE
from emoscribe.extractors.sources import KEPT_S, WAITING_FRAMES, WAITING_S, LiveSource
from emoscribe.extractors.speech import vad
from emoscribe.llm.plan import Plan, make_plan
from emoscribe.llm.settings import AnalyzeSettings
from emoscribe.pipeline import Session

OFFLINE = Context(offline=True)
WINDOW_S = 2.0


def plan_of(**given) -> Plan:
    """As a live source is read: of voices, the past alone is known."""
    settings = load(AnalyzeSettings, "embedded", **{"windows__window_s": WINDOW_S} | given)
    plan = make_plan(settings, OFFLINE)
    return replace(plan, wording=plan.wording.model_copy(update={"voice_scope": "past"}))


def feed(source: LiveSource, path: Path, chunk_s: float = 0.1) -> None:
    """Push a file as a camera and a microphone would, sound and pictures in step."""
    with media.sound(path) as sound:
        frames = media.frames(path)
        frame = next(frames, None)
        for start_s, samples in sound.blocks(chunk_s):
            source.push_sound(samples, start_s)
            while frame is not None and frame.time_s < start_s + chunk_s:
                source.push_frame(frame.image, frame.time_s)
                frame = next(frames, None)
    source.close()


def both_ways(plan: Plan, path: Path) -> tuple[list[Segment], list[Segment]]:
    """A file's windows as a stream gives them, and as the file does."""
    with Session(plan, OFFLINE) as session:
        source = LiveSource()
        feeding = threading.Thread(target=feed, args=(source, path))
        feeding.start()
        live = list(session.stream(source))
        feeding.join()
        return live, list(session.analyze(path).segments)


@pytest.fixture(scope="module")
def streamed(example: Path) -> tuple[list[Segment], list[Segment]]:
    return both_ways(plan_of(), example)


def test_a_stream_gives_the_windows_of_the_file(streamed: tuple[list[Segment], list[Segment]]) -> None:
    live, whole = streamed
    assert len(live) == len(whole) == 10
    # The file's container says that it ends a frame later than what was pushed last is shown.
    for one, other in zip(live[:-1], whole[:-1], strict=True):
        assert (one.moment.start_s, one.moment.end_s) == (other.moment.start_s, other.moment.end_s)
    assert live[-1].moment.end_s == pytest.approx(whole[-1].moment.end_s, abs=0.1)
    assert [segment.moment.text for segment in live] == [segment.moment.text for segment in whole]
    assert [segment.moment.face for segment in live] == [segment.moment.face for segment in whole]
    assert [segment.moment.voice for segment in live] == [segment.moment.voice for segment in whole]
    assert [segment.label for segment in live] == [segment.label for segment in whole]
    for one, other in zip(live, whole, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-4)


def test_a_stream_remembers_what_was_said_before_a_pause(example: Path) -> None:
    plan = plan_of(windows__window_s=0.7, modalities="T")
    plan = replace(plan, prompt=plan.prompt.model_copy(update={"context_turns": 1}))
    live, whole = both_ways(plan, example)
    said = [bool(segment.moment.text) for segment in live]
    assert any(a and not b and c for a, b, c in zip(said, said[1:], said[2:], strict=False))
    for one, other in zip(live, whole, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-4)


def test_segments_come_while_the_source_goes_on(example: Path) -> None:
    """A window is given once all that began in it is known, not at the end."""
    source = LiveSource(has_audio=False)
    with Session(plan_of(modalities="V"), OFFLINE) as session:
        stream = session.stream(source)
        frames = media.frames(example, 5.0)
        looking = threading.Thread(
            target=lambda: [source.push_frame(f.image, f.time_s) for f in itertools.islice(frames, 25)]
        )
        looking.start()
        assert next(stream).moment.start_s == 0.0
        assert next(stream).moment.start_s == 2.0
        looking.join()
        source.close()
        assert [segment.moment.start_s for segment in stream] == [4.0]


def spoken_without_pauses(path: Path) -> np.ndarray:
    """What is said in a file in one go: (N,)."""
    with media.sound(path) as sound:
        return np.concatenate([sound.read(each.start_s, each.end_s) for each in vad.stretches(sound)])


def test_who_does_not_pause_is_heard_when_a_window_is_over(example: Path) -> None:
    """Somebody who talks on was not heard before they paused, or for fifteen seconds."""
    talk = spoken_without_pauses(example)
    source = LiveSource(has_video=False)
    with Session(plan_of(modalities="T"), OFFLINE) as session, closing(session.stream(source, patient=False)) as stream:
        source.push_sound(talk[: 3 * SAMPLE_RATE])
        first = next(stream)
        assert first.moment.end_s == 2.0 and "miss him so much" in first.moment.text
        source.push_sound(talk[3 * SAMPLE_RATE :])
        source.close()
        said = " ".join([first.moment.text, *(segment.moment.text for segment in stream)]).lower()
    for words in (
        "come back to me",
        "is that really you",
        "believe it",
        "happy to see you",
        "best day of my",
        "love you",
    ):
        assert said.count(words) == 1, said


def test_pictures_that_no_longer_come_are_not_waited_for(example: Path) -> None:
    source = LiveSource()
    with Session(plan_of(), OFFLINE) as session, closing(session.stream(source)) as stream:
        for frame in itertools.takewhile(lambda frame: frame.time_s < 1.0, media.frames(example, 5.0)):
            source.push_frame(frame.image, frame.time_s)
        source.push_sound(np.zeros(4 * SAMPLE_RATE))
        first = next(stream)
        assert (first.moment.start_s, first.moment.end_s) == (0.0, 2.0)
        assert first.moment.text == "" and first.moment.face


def test_words_that_were_told_are_not_told_again() -> None:
    def word(start_s: float, end_s: float, text: str) -> Word:
        return Word(start_s, end_s, text)

    told = word(1.6, 2.0, "as")
    again = [word(1.0, 1.5, "and"), word(1.65, 2.2, "ask"), word(2.2, 2.5, "what"), word(2.5, 2.9, "you")]
    assert [each.text for each in words_after(told, again, 2.3)] == ["what", "you"]
    assert [each.start_s for each in words_after(told, again, 2.3)] == [2.3, 2.5]
    assert [each.text for each in words_after(None, again, 0.0)] == ["and", "ask", "what", "you"]


def test_memory_does_not_grow_with_the_source() -> None:
    """Ten minutes: of the sound a minute and a half is kept, of the pictures those that wait."""
    source, minute = LiveSource(), np.zeros(60 * SAMPLE_RATE, dtype=np.float32)
    source.want(sound=False, frames=True)
    picture = np.zeros((48, 64, 3), dtype=np.uint8)
    for number in range(10):
        source.push_sound(minute)
        assert len(source.sound().read(0.0, 1e6)) <= (KEPT_S + 60) * SAMPLE_RATE, number
    pushed: list[float] = []

    def push() -> None:
        for number in range(3 * WAITING_FRAMES):
            source.push_frame(picture, number / 5)
            pushed.append(number / 5)

    pushing = threading.Thread(target=push, daemon=True)
    frames = source.frames(5.0)
    pushing.start()
    seen = [next(frames).time_s for _ in range(WAITING_FRAMES)]
    # Whoever pushes waits for whoever looks.
    assert len(pushed) <= 2 * WAITING_FRAMES + 1 and seen == pushed[: len(seen)]
    seen += [next(frames).time_s for _ in range(2 * WAITING_FRAMES)]
    pushing.join()
    assert seen == pytest.approx(np.arange(3 * WAITING_FRAMES) / 5)


def test_ten_minutes_are_streamed_with_little_remembered(example: Path) -> None:
    """A line in every half minute; what was said before is let go."""
    kept: list[int] = []
    source = LiveSource()
    with media.sound(example) as sound:
        line = sound.read(0.0, 6.0)

    def push() -> None:
        for number in range(100):
            source.push_sound(line if number % 5 == 0 else np.zeros_like(line))
        source.close()

    with Session(plan_of(modalities="A"), OFFLINE) as session:
        pushing = threading.Thread(target=push)
        pushing.start()
        for _ in session.stream(source):
            kept.append(len(source.sound().read(0.0, 1e6)))
        pushing.join()
    assert len(kept) == 300 and max(kept) <= (KEPT_S + WAITING_S + 2 * 6.0) * SAMPLE_RATE


def test_speech_is_found_in_a_growing_sound_as_in_a_whole_one(example: Path) -> None:
    source = LiveSource(has_video=False)
    with media.sound(example) as sound:
        whole = list(vad.stretches(sound))
        for start_s, samples in sound.blocks(0.07):
            source.push_sound(samples, start_s)
    source.close()
    settled: list[float] = []
    found = list(vad.stretches(source.sound(), settled.append))
    assert [(s.start_s, s.end_s) for s in found] == [(s.start_s, s.end_s) for s in whole]
    assert settled == sorted(settled)


def test_gaps_in_the_sound_are_silence() -> None:
    source = LiveSource(has_video=False)
    source.push_sound(np.ones(SAMPLE_RATE))
    source.push_sound(np.ones(SAMPLE_RATE), start_s=3.0)
    source.close()
    heard = source.sound().read(0.5, 4.0)
    assert source.media.duration_s == 4.0 and len(heard) == 3.5 * SAMPLE_RATE
    assert heard.sum() == 1.5 * SAMPLE_RATE


def test_what_is_not_known_before_the_end() -> None:
    source = LiveSource()
    assert source.media.duration_s is None and source.media.sha256 is None
    source.close()
    assert source.media.duration_s == 0.0
    with pytest.raises(EmoscribeError, match="this live source is closed"):
        source.push_sound(np.zeros(1))
    with pytest.raises(SettingsError, match="made without pictures"):
        LiveSource(has_video=False).push_frame(np.zeros((2, 2, 3), dtype=np.uint8), 0.0)


def test_what_goes_wrong_is_heard_by_whoever_waits(tmp_path: Path) -> None:
    def broken(*_: object) -> Iterator[media.Frame]:
        raise EmoscribeError("the camera was unplugged")

    class Unplugged(LiveSource):
        frames = broken

    with (
        Session(plan_of(modalities="V"), OFFLINE) as session,
        pytest.raises(EmoscribeError, match="the camera was unplugged"),
    ):
        next(session.stream(Unplugged(has_audio=False)))


def test_speakers_from_a_file_are_refused(tmp_path: Path) -> None:
    plan = plan_of()
    speech = plan.settings.speech.model_copy(update={"speakers": "turns.rttm"})
    plan = replace(plan, settings=plan.settings.model_copy(update={"speech": speech}))
    with Session(plan, OFFLINE) as session, pytest.raises(SettingsError, match=r"speech\.speakers is for files"):
        next(session.stream(LiveSource()))
