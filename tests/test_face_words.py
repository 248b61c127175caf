"""What is said of faces: graded, pooled over time, ordered, and never made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.timeline import FaceTrack
from emoscribe.extractors.face import landmarker, pyfeat
from emoscribe.extractors.settings import FaceSettings
from emoscribe.textualize.face import (
    AT_REST,
    MOST_WORDS,
    NO_FACE,
    NOT_LOOKED,
    UNIT_WORDS,
    absence,
    face_evidence,
    face_words,
    looks,
)
from emoscribe.textualize.settings import WordingSettings

SCALES = {"landmarker": landmarker.SCALE, "py-feat": pyfeat.SCALE}

MESH = FaceSettings(engine="landmarker", device="cpu", sampling_fps=5.0)


def track_of(
    units: Mapping[str, np.ndarray | list[float]], *, source: str = "landmarker", width_px: float = 200.0, **more
) -> FaceTrack:
    """One face for as many frames as there are values, five a second."""
    values = np.stack([np.asarray(v, dtype=float) for v in units.values()], axis=1)
    times_s = np.arange(len(values)) / 5.0
    return FaceTrack(
        source=source,
        names=tuple(units),
        times_s=times_s,
        person=np.zeros(len(values), dtype=int),
        boxes=np.tile([10.0, 10.0, 10.0 + width_px, 10.0 + width_px], (len(values), 1)),
        action_units=values,
        frame_times_s=times_s,
        scale=SCALES[source],
        **more,
    )


# ── nothing, and nothing to say ──────────────────────────────────────────────


def test_no_face_is_not_a_face_at_rest_nor_unseen(feat_media: Path, track_faces) -> None:
    empty = track_faces(feat_media / "no_face.mp4", MESH)
    assert face_words(empty, 0.0, 2.0) == {}
    assert absence(empty, 0.0, 2.0) == NO_FACE
    assert absence(empty, 500.0, 502.0) == NOT_LOOKED
    assert absence(None, 0.0, 2.0) == NOT_LOOKED
    assert len({AT_REST, NO_FACE, NOT_LOOKED}) == 3


def test_a_face_at_rest_has_words() -> None:
    assert face_words(track_of({"AU12": [0.1] * 5}), 0.0, 1.0) == {0: AT_REST}


def test_a_moment_between_two_samples() -> None:
    track = track_of({"AU12": [0.9] * 5})
    assert face_words(track, 0.05, 0.15) == {0: "strong lip corner puller (smile)"}
    assert face_words(track, 0.3, 0.3) == {0: "strong lip corner puller (smile)"}


@pytest.mark.parametrize(
    ("words", "evidence"),
    [
        (None, "none"),
        (NO_FACE, "none"),
        (NOT_LOOKED, "none"),
        (AT_REST, "weak"),
        (f"{AT_REST}, lips closed, jaw closed, head turned", "weak"),
        ("slight cheek raiser, lips closed", "weak"),
        ("jaw drop, slight cheek raiser", "enough"),
        ("strong lip corner puller (smile)", "enough"),
    ],
)
def test_evidence(words: str | None, evidence: str) -> None:
    assert face_evidence(words) == evidence


# ── grades and pooling ───────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.2, AT_REST), (0.3, "slight nose wrinkler"), (0.6, "nose wrinkler"), (0.8, "strong nose wrinkler")],
)
def test_grades(value: float, words: str) -> None:
    assert face_words(track_of({"AU09": [value] * 5}), 0.0, 1.0) == {0: words}


def test_talking_is_no_open_mouth() -> None:
    """Mouth open in a third of the frames: somebody speaks."""
    talking = np.tile([0.9, 0.1, 0.1], 5)
    held = np.full(15, 0.9)
    assert face_words(track_of({"AU26": talking, "AU25": talking}), 0.0, 3.0) == {0: AT_REST}
    assert face_words(track_of({"AU26": held, "AU25": held}), 0.0, 3.0) == {0: "strong jaw drop, strong lips part"}


def test_a_blink_is_no_lowered_gaze() -> None:
    blinking = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    assert face_words(track_of({"AU43": blinking}), 0.0, 2.0) == {0: AT_REST}


def test_raised_brows_need_not_last() -> None:
    flash = [0.0] * 7 + [0.9] * 3
    assert face_words(track_of({"AU02": flash}), 0.0, 2.0) == {0: "strong outer brow raiser"}


def test_pooling_by_the_maximum() -> None:
    once = [0.0] * 19 + [0.9]
    track = track_of({"AU26": once})
    assert face_words(track, 0.0, 4.0) == {0: AT_REST}
    assert face_words(track, 0.0, 4.0, WordingSettings(face_pooling="max")) == {0: "strong jaw drop"}


def test_only_the_moment_counts() -> None:
    track = track_of({"AU12": [0.9] * 5 + [0.0] * 5})
    assert "smile" in face_words(track, 0.0, 1.0)[0]
    assert face_words(track, 1.0, 2.0) == {0: AT_REST}


def test_a_small_face_is_hedged() -> None:
    slight, plain = {"AU09": [0.3] * 5}, {"AU09": [0.6] * 5}
    assert face_words(track_of(slight, width_px=60.0), 0.0, 1.0) == {0: AT_REST}
    assert face_words(track_of(plain, width_px=60.0), 0.0, 1.0) == {0: "nose wrinkler"}


def test_the_most_telling_first_and_no_more_than_fit() -> None:
    strongest_last = {name: [0.3 + 0.025 * i] * 5 for i, name in enumerate(UNIT_WORDS)}
    phrases = face_words(track_of(strongest_last), 0.0, 1.0)[0].split(", ")
    assert len(phrases) == MOST_WORDS
    grades = [{"strong": 0, "slight": 2}.get(phrase.split()[0], 1) for phrase in phrases]
    assert grades == sorted(grades)


def test_a_shut_mouth_is_said() -> None:
    shut, ajar = [0.0] * 10, [0.0] * 5 + [0.2] * 5
    assert face_words(track_of({"AU25": shut, "AU26": ajar}), 0.0, 2.0) == {0: f"{AT_REST}, lips closed"}
    assert face_words(track_of({"AU25": ajar, "AU26": shut}), 0.0, 2.0) == {0: AT_REST}


def test_pulled_lip_corners_under_a_frown_are_no_smile() -> None:
    """A crying grimace was worded as a smile."""
    pulled = [0.9] * 5
    assert "smile" in face_words(track_of({"AU12": pulled, "AU04": [0.0] * 5}), 0.0, 1.0)[0]
    grimace = face_words(track_of({"AU12": pulled, "AU04": [0.6] * 5}), 0.0, 1.0)[0]
    assert "grimace" in grimace and "smile" not in grimace


def test_the_head() -> None:
    pose = np.tile([-20.0, 30.0, 0.0], (5, 1))
    assert face_words(track_of({"AU12": [0.0] * 5}, pose=pose), 0.0, 1.0) == {0: f"{AT_REST}, head turned, head down"}
    unknown = np.full((5, 3), np.nan)
    assert face_words(track_of({"AU12": [0.0] * 5}, pose=unknown), 0.0, 1.0) == {0: AT_REST}


# ── several people ───────────────────────────────────────────────────────────


def test_the_most_prominent_first() -> None:
    times_s = np.array([0.0, 0.0, 0.2, 0.2, 0.4, 0.4])
    track = FaceTrack(
        source="landmarker",
        names=("AU12",),
        times_s=times_s,
        person=np.array([0, 1, 0, 1, 0, 1]),
        boxes=np.array([[0, 0, 100, 100], [200, 0, 500, 300]] * 3, dtype=float),
        action_units=np.array([[0.9], [0.0]] * 3),
        frame_times_s=np.unique(times_s),
        scale=landmarker.SCALE,
    )
    words = face_words(track, 0.0, 1.0)
    assert list(words.items()) == [(1, AT_REST), (0, "strong lip corner puller (smile)")]


def test_who_only_passes_through_is_left_out() -> None:
    track = track_of({"AU12": [0.9] * 10})
    person = track.person.copy()
    person[4] = 1
    passing = replace(track, person=person)
    assert list(face_words(passing, 0.0, 2.0)) == [0]


# ── what a face looks like ───────────────────────────────────────────────


def test_rated_emotions_are_named() -> None:
    track = track_of(
        {"AU12": [0.9] * 5, "AU28": [0.9] * 5},
        source="py-feat",
        emotion_names=("neutral", "joy", "sadness", "fear"),
        emotions=np.tile([0.3, 0.6, 0.06, 0.04], (5, 1)),
        valence=np.full(5, 0.7),
        arousal=np.full(5, -0.1),
    )
    assert face_words(track, 0.0, 1.0) == {
        0: "strong lip corner puller (smile), looks happy, perhaps neutral, very pleasant, moderately aroused"
    }


def rated(emotions: list[float], valence: float, arousal: float) -> str:
    track = track_of(
        {"AU12": [0.1]},
        source="py-feat",
        emotion_names=("neutral", "joy", "sadness", "fear"),
        emotions=np.array([emotions]),
        valence=np.array([valence]),
        arousal=np.array([arousal]),
    )
    return face_words(track, 0.0, 1.0)[0]


@pytest.mark.parametrize(
    ("emotions", "words"),
    [
        ({}, []),
        ({"sadness": 0.9, "joy": 0.1}, ["looks sad"]),
        ({"sadness": 0.7, "fear": 0.3}, ["looks sad", "perhaps afraid"]),
        ({"anger": 0.4, "surprise": 0.35, "neutral": 0.25}, ["may look angry", "perhaps surprised"]),
        ({"joy": 0.3}, ["may look happy"]),
    ],
)
def test_looks_with_their_doubts(emotions: dict[str, float], words: list[str]) -> None:
    assert looks(emotions) == words


def test_what_an_extractor_cannot_be_trusted_on_is_not_said() -> None:
    track = track_of({"AU09": [0.6] * 5}, emotion_names=("disgust", "anger"), emotions=np.tile([0.9, 0.1], (5, 1)))
    assert face_words(track, 0.0, 1.0) == {0: "nose wrinkler, may look angry"}
    assert "looks disgusted" in face_words(replace(track, scale=pyfeat.SCALE), 0.0, 1.0)[0]


@pytest.mark.parametrize(
    ("emotions", "gloss"),
    [
        ([0.5, 0.1, 0.4], "smile"),
        ([0.1, 0.8, 0.1], "grimace"),
        ([0.2, 0.1, 0.7], "smile"),
        ([0.2, 0.3, 0.5], "grimace"),
    ],
)
def test_pulled_lip_corners_of_who_looks_unhappy_are_no_smile(emotions: list[float], gloss: str) -> None:
    track = track_of(
        {"AU12": [0.9] * 5}, emotion_names=("joy", "sadness", "neutral"), emotions=np.tile(emotions, (5, 1))
    )
    assert face_words(track, 0.0, 1.0)[0].startswith(f"strong lip corner puller ({gloss})")


@pytest.mark.parametrize(
    ("words", "evidence"),
    [
        (rated([0.9, 0.04, 0.03, 0.03], 0.1, -0.3), "weak"),
        (rated([0.2, 0.7, 0.05, 0.05], 0.1, -0.3), "enough"),
        (rated([0.6, 0.05, 0.3, 0.05], 0.1, -0.3), "weak"),
        (rated([0.3, 0.05, 0.6, 0.05], 0.1, -0.3), "enough"),
        (rated([0.9, 0.04, 0.03, 0.03], -0.5, -0.3), "enough"),
        (rated([0.9, 0.04, 0.03, 0.03], 0.1, 0.5), "enough"),
    ],
)
def test_what_is_rated_at_rest_is_weak_evidence(words: str, evidence: str) -> None:
    """It is rated of every face: only what it says beyond that is a cue."""
    assert words.startswith(AT_REST)
    assert face_evidence(words) == evidence, words


def test_a_rating_that_is_missing_has_no_words() -> None:
    nothing = rated([np.nan] * 4, np.nan, np.nan)
    assert nothing == AT_REST


# ── on a real face that changes ──────────────────────────────────────────────


@pytest.fixture(scope="module")
def changing(feat_media: Path, track_faces) -> FaceTrack:
    """Crying until 6 s, shocked with a hand at her mouth until 10 s, then laughing."""
    return track_faces(feat_media / "WolfgangLanger_Pexels.mp4", MESH)


def test_one_person_throughout(changing: FaceTrack) -> None:
    assert set(changing.person.tolist()) == {1}
    assert len(changing.times_s) == len(changing.frame_times_s) == 99


def test_crying(changing: FaceTrack) -> None:
    for start_s in (0.0, 2.0, 4.0):
        words = face_words(changing, start_s, start_s + 2)[1]
        assert "strong eyes lowered" in words
        assert "smile" not in words


def test_crying_is_no_smile_in_any_frame(example: Path, track_faces) -> None:
    """Neither the mesh nor its blendshapes tell it from one; what the face looks like does."""
    track = track_faces(example, MESH)
    crying = track.frame_times_s[track.frame_times_s < 6.0]
    assert len(crying) == 30
    for time_s in crying:
        words = face_words(track, time_s, time_s + 0.01)[1]
        assert "smile" not in words and "happy" not in words, time_s
        assert "sad" in words, time_s
    assert "smile" in face_words(track, 10.5, 11.0)[1]


def test_shocked(changing: FaceTrack) -> None:
    for start_s in (6.0, 8.0):
        words = face_words(changing, start_s, start_s + 2)[1]
        assert "upper lid raiser (wide eyes)" in words
        assert "brow raiser" in words
        assert "strong lip corner puller" not in words


def test_laughing(changing: FaceTrack) -> None:
    for start_s in (10.0, 12.0, 14.0, 16.0, 18.0):
        words = face_words(changing, start_s, start_s + 2)[1]
        assert words.startswith("strong lip corner puller (smile)")
        assert "cheek raiser" in words and "teeth showing" in words
        assert "frown" not in words


def test_talking_calmly(shared: Path, track_faces) -> None:
    """A woman who talks to the camera neither gapes nor frowns."""
    track = track_faces(shared / "media" / "talking-head.mp4", MESH)
    for start_s in (0.0, 2.0, 4.0, 6.0):
        words = face_words(track, start_s, start_s + 2)[1]
        assert "jaw drop" not in words
        assert "frown" not in words
        assert "nose wrinkler" not in words


def test_words_tell_expressions_apart(shared: Path, track_faces) -> None:
    """On labelled stills: smiles are worded for joy, wide eyes and open mouths for surprise."""
    import csv

    with (shared / "faces" / "labels.csv").open(encoding="utf-8") as file:
        stills = list(csv.DictReader(file))
    worded: dict[str, list[str]] = {}
    for label in ("joy", "surprise", "neutral"):
        chosen = [still["image"] for still in stills if still["label"] == label][::25][:12]
        tracks = [track_faces(shared / "faces" / "images" / name, MESH) for name in chosen]
        worded[label] = [next(iter(face_words(t, 0.0, 1.0).values()), "") for t in tracks]

    def share(label: str, phrase: str) -> float:
        return float(np.mean([phrase in words for words in worded[label]]))

    assert share("joy", "(smile)") > 0.7 > 0.4 > share("neutral", "(smile)")
    assert share("surprise", "jaw drop") > share("neutral", "jaw drop") + 0.2
