"""What faces and voices do besides what is graded: blinks, looks aside, a moving head, pauses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.measures import BLENDSHAPES, UnitScale
from emoscribe.core.timeline import Cues, FaceTrack, Media, Transcript, Utterance, VoiceTrack, Word
from emoscribe.extractors.perceive import follow_faces
from emoscribe.extractors.settings import FaceSettings
from emoscribe.extractors.sources import FileSource
from emoscribe.llm.run import find_run, shipped_runs
from emoscribe.outputs.tracks import blink_rates, face_tracks
from emoscribe.prompts.render import render
from emoscribe.textualize.behaviour import BEHAVIOUR_WORDS, behaviour_words, blinks, gaze_aside, head_movement
from emoscribe.textualize.face import face_evidence, face_words
from emoscribe.textualize.moments import moments_of
from emoscribe.textualize.pauses import pause_words, pauses
from emoscribe.textualize.settings import WindowSettings, WordingSettings

ALSO = WordingSettings(behaviour=True, pauses=True)


def face(seconds: float = 12.0, blinks_s: Sequence[float] = (), fps: float = 25.0, **shapes: float) -> FaceTrack:
    """A still face whose eyes close for 0.12 s at some times, with some of the blendshapes throughout."""
    times_s = np.arange(round(seconds * fps)) / fps
    closed = np.zeros(len(times_s))
    for time_s in blinks_s:
        closed = np.maximum(closed, np.clip(1.0 - np.abs(times_s - time_s) / 0.12, 0.05, 1.0))
    n = len(times_s)
    return FaceTrack(
        source="landmarker",
        names=("AU12", "AU43"),
        times_s=times_s,
        person=np.ones(n, dtype=int),
        boxes=np.tile((0.0, 0.0, 200.0, 200.0), (n, 1)),
        action_units=np.stack([np.full(n, 0.6), closed], axis=1),
        frame_times_s=times_s,
        pose=np.zeros((n, 3)),
        scale=UnitScale(grades=(0.25, 0.5, 0.75)),
        blendshape_names=tuple(BLENDSHAPES),
        blendshapes=np.tile([shapes.get(name, 0.0) for name in BLENDSHAPES], (n, 1)),
    )


# ── blinks ───────────────────────────────────────────────────────────────────


def test_blinks_are_short_closings_of_open_eyes() -> None:
    track = face(blinks_s=(1.0, 4.0, 4.4, 11.99))
    # Lids that go down and stay there are not a blink, nor is what they do down there, nor what is cut off.
    track.action_units[150:200, 1] = 0.8
    track.action_units[175, 1] = 1.0
    seen = blinks(track, 1)
    assert seen is not None and seen.times_s == pytest.approx((1.0, 4.0, 4.4))
    assert seen.seen_s == pytest.approx(12.0) and seen.per_minute == pytest.approx(15.0)
    first = blinks(track, 1, 0.0, 2.0)
    assert first is not None and first.times_s == pytest.approx((1.0,)) and first.per_minute == pytest.approx(30.0)


def test_of_few_looks_a_second_blinks_are_not_measured() -> None:
    assert blinks(face(blinks_s=(1.0,), fps=24.0), 1) is None
    assert blinks(replace(face(), names=("AU12", "AU04")), 1) is None
    assert blinks(face(seconds=0.04), 1) is None
    nobody = blinks(face(), 7)
    assert nobody is not None and nobody.times_s == () and np.isnan(nobody.per_minute)


def test_a_face_that_comes_back_has_not_blinked_meanwhile() -> None:
    track = face(blinks_s=(5.0,))
    there = (track.times_s < 5.0) | (track.times_s > 8.0)
    track.action_units[:, 1] = np.where(there, track.action_units[:, 1], 0.0)
    gone = replace(
        track, **{name: getattr(track, name)[there] for name in ("times_s", "person", "boxes", "action_units", "pose")}
    )
    seen = blinks(replace(gone, blendshapes=None), 1)
    assert seen is not None and seen.times_s == () and seen.seen_s == pytest.approx(9.0, abs=0.1)


def blinks_between(path: Path, start_s: float, end_s: float, engines) -> tuple[float, ...] | None:
    settings = FaceSettings(engine="landmarker", device="cpu", sampling_fps=25.0)
    track = follow_faces(FileSource(path, start_s, end_s), settings, engines)
    seen = blinks(track, int(track.person[0]))
    return seen and seen.times_s


def test_blinks_that_were_counted_by_eye(feat_media: Path, engines, landmarker_models) -> None:
    """In frames 26 to 28, at 30 a second."""
    found = blinks_between(feat_media / "single_face.mp4", 0.5, 1.4, engines)
    assert found == pytest.approx((27 / 30,), abs=0.05)


def test_blinks_while_the_head_turns(shared: Path, engines, landmarker_models) -> None:
    """In frames 23 to 27 and 31 to 34, at 25 a second."""
    found = blinks_between(shared / "media" / "talking-head.mp4", 0.6, 1.7, engines)
    assert found == pytest.approx((25 / 25, 32.5 / 25), abs=0.06)


def test_blinks_are_kept_with_a_result() -> None:
    (person,) = face_tracks(face(blinks_s=(1.0, 4.0)))["faces"]["people"]
    assert person["blinks_s"] == [1.0, 4.0]
    assert blink_rates(face_tracks(face(blinks_s=(1.0, 4.0)))) == {1: pytest.approx(10.0)}
    assert blink_rates(face_tracks(face(seconds=5.0, blinks_s=(1.0,)))) == {}
    seldom = face_tracks(face(fps=5.0))
    assert seldom["faces"]["people"][0]["blinks_s"] is None and blink_rates(seldom) == {}


# ── eyes and head ────────────────────────────────────────────────────────────


def test_a_look_aside() -> None:
    right = face(eyeLookOutLeft=0.8, eyeLookInRight=0.6)
    assert gaze_aside(right, 1) == pytest.approx(0.7) and behaviour_words(right, 1, 0, 2) == ["looks aside"]
    left = face(eyeLookInLeft=0.8, eyeLookOutRight=0.6)
    assert gaze_aside(left, 1) == pytest.approx(-0.7)
    assert behaviour_words(face(eyeLookOutLeft=0.5, eyeLookInRight=0.5), 1, 0, 2) == []
    assert gaze_aside(replace(right, blendshapes=None), 1) is None and gaze_aside(right, 1, 50.0, 60.0) is None


def test_a_mirror_shows_the_other_side(feat_media: Path, landmarker_models) -> None:
    """Of faces that look aside; by the real networks."""
    from emoscribe.core.context import Context
    from emoscribe.extractors.face.track import FaceTracker
    from emoscribe.extractors.media import Frame, frames
    from emoscribe.extractors.registry import engine_spec

    settings = FaceSettings(engine="landmarker", device="cpu")
    engine = engine_spec("face", "landmarker").load(settings, Context(offline=True))
    image = next(frames(feat_media / "WolfgangLanger_Pexels.mp4", start_s=9.6)).image
    sides = []
    for shown in (image, np.ascontiguousarray(image[:, ::-1])):
        tracker = FaceTracker(engine.vocabulary)
        for seen in engine.see([Frame(0.0, shown)]):
            tracker.add(seen, shown)
        sides.append(gaze_aside(tracker.track(), tracker.track().person[0]))
    assert sides[0] > 0.5 and sides[1] < -0.5


def test_a_head_that_moves() -> None:
    track = face()
    assert track.pose is not None
    track.pose[:, 1] = 12 * np.sin(track.times_s * 5)
    track.pose[:, 0] = np.where(track.times_s < 6, 0, 12 * np.sin(track.times_s * 5))
    moved = head_movement(track, 1, 0, 4)
    assert moved is not None and moved.pitch_deg == 0 and moved.yaw_deg == pytest.approx(24, abs=1)
    assert behaviour_words(track, 1, 0, 4) == ["head turning"]
    assert behaviour_words(track, 1, 6, 10) == ["head turning", "head moving up and down"]
    assert head_movement(track, 1, 0, 0.08) is None and head_movement(replace(track, pose=None), 1) is None


# ── pauses ───────────────────────────────────────────────────────────────────


def said(*times_s: tuple[float, float]) -> tuple[Word, ...]:
    return tuple(Word(start_s, end_s, "so", 0.9) for start_s, end_s in times_s)


def test_pauses_lie_between_words() -> None:
    words = said((1.0, 1.5), (1.9, 2.0), (2.7, 3.0), (4.5, 5.0))
    found = pauses(words, 0.0, 6.0)
    assert found is not None and found.lengths_s == pytest.approx((0.7, 1.5))
    assert found.share == pytest.approx(2.2 / 6)
    assert pause_words(words, 0.0, 6.0) == ["long pauses", "silent a third of the time or more"]
    assert pause_words(words[:3], 0.0, 6.0) == ["a pause"]
    assert pause_words(words[:2], 0.0, 6.0) == [] and pauses(words[:1], 0.0, 6.0) is None


# ── in words, only where a run reads them ────────────────────────────────────


def cues() -> Cues:
    """Somebody who blinks often, looks aside, turns the head and pauses."""
    track = face(blinks_s=np.arange(0.5, 12.0, 0.8).tolist(), eyeLookOutLeft=0.9, eyeLookInRight=0.9)
    assert track.pose is not None
    track.pose[:, 1] = 12 * np.sin(track.times_s * 5)
    words = said((0.2, 0.6), (2.6, 3.0), (3.0, 3.4))
    voice = VoiceTrack(("pitch_hz",), np.array([0.0]), np.array([4.0]), (None,), np.array([[120.0]]))
    heard = Transcript((Utterance(0.2, 3.4, "so so so", None, words),), "en", "test")
    return Cues(Media("a.mp4", 12.0, "0" * 64, 25.0, 640, 360, True), heard, track, voice)


def test_words_for_runs_that_ask() -> None:
    (moment, *_) = moments_of(cues(), WindowSettings(window_s=4.0), ALSO)
    assert moment.face == "lip corner puller (smile), blinks often, looks aside, head turning"
    assert moment.voice == "nothing to compare it with, a long pause, silent a third of the time or more"
    assert face_evidence(f"neutral face, {', '.join(BEHAVIOUR_WORDS)}") == "weak"


def test_without_asking_not_a_word_is_different() -> None:
    (moment, *_) = moments_of(cues(), WindowSettings(window_s=4.0), WordingSettings())
    assert (moment.face, moment.voice) == ("lip corner puller (smile)", "nothing to compare it with")
    assert face_words(cues().face or face(), 4.0, 8.0) == {1: "lip corner puller (smile)"}


_BRIEF = '"so so so"\nface: lip corner puller (smile)\nvoice: nothing to compare it with'
# As they were before there were such words.
PROMPTS = {
    "goemotions-minilm": _BRIEF,
    "meld-minilm": _BRIEF,
    "meld-smollm2": f"someone: {_BRIEF}\n"
    "Which emotion does the last speaker show: neutral, surprise, fear, sadness, joy, disgust, anger?\nemotion:",
}


@pytest.mark.parametrize("name", shipped_runs())
def test_prompts_of_shipped_runs_are_what_they_learnt_to_read(name: str) -> None:
    """To the byte, whatever else can be measured."""
    run = find_run(name)
    moments = moments_of(cues(), WindowSettings(window_s=4.0), run.wording, None)
    text = render(moments, 0, run.prompt, id="0", labels=run.labels).text
    assert text == PROMPTS[name]
