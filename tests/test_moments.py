"""Cues into moments: what is said of each signal, and how much there is to judge by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from emoscribe.core.timeline import Clip, Cues, FaceTrack, Media, Transcript, Utterance, VoiceTrack, Word
from emoscribe.textualize.clips import moments_of_clips
from emoscribe.textualize.face import NO_FACE
from emoscribe.textualize.moments import clear_text, moment_in, moments_of
from emoscribe.textualize.settings import WindowSettings, WordingSettings
from emoscribe.textualize.voice import voice_words
from emoscribe.textualize.windows import cut

MEDIA = Media("v.mp4", 10.0, "0", 25.0, 640, 360, True)
SMILE = "lip corner puller (smile)"


def smiling(*times_s: float, looked_s: tuple[float, ...] = ()) -> FaceTrack:
    n = len(times_s)
    return FaceTrack(
        source="landmarker",
        names=("AU12", "AU06"),
        times_s=np.array(times_s),
        person=np.ones(n, int),
        boxes=np.tile([100.0, 100.0, 300.0, 300.0], (n, 1)),
        action_units=np.full((n, 2), 0.9),
        frame_times_s=np.array(sorted({*times_s, *looked_s})),
    )


def said(*utterances: Utterance) -> Transcript:
    return Transcript(utterances, "en", "test")


def only(cues: Cues, **given):
    (moment,) = moments_of(cues, WindowSettings(), WordingSettings(unclear_below=0.5), **given)
    return moment


def test_doubted_words_become_one_unclear_a_run() -> None:
    words = [Word(0, 1, "i", 0.9), Word(1, 2, "love", 0.1), Word(2, 3, "ewe", 0.2), Word(3, 4, "too", 0.9)]
    assert clear_text(words, 0.5) == "i [unclear] too"
    assert clear_text([Word(0, 1, "subtitle", None)], 0.5) == "subtitle"
    assert clear_text([Word(0, 1, "", 0.0)], 0.5) == "[unclear]"


def test_what_was_not_looked_for_is_none_and_what_was_not_found_is_said() -> None:
    nothing = only(Cues(MEDIA))
    assert (nothing.text, nothing.face, nothing.voice, nothing.evidence) == (None, None, None, "none")
    in_vain = only(Cues(MEDIA, said(), smiling(looked_s=(0.0, 5.0))))
    assert (in_vain.text, in_vain.face, in_vain.evidence) == ("", NO_FACE, "none")


@pytest.mark.parametrize(
    ("words", "face", "evidence"),
    [
        ("we won the game", None, "enough"),
        ("oh", None, "weak"),
        ("oh", smiling(1.0), "enough"),
        ("", smiling(1.0), "enough"),
    ],
)
def test_evidence(words: str, face: FaceTrack | None, evidence: str) -> None:
    assert only(Cues(MEDIA, said(Utterance(0, 9.5, words)), face)).evidence == evidence


def test_modalities_that_are_not_asked_for_are_left_out() -> None:
    cues = Cues(MEDIA, said(Utterance(0, 9.5, "we won the game")), smiling(1.0))
    moment = only(cues, modalities="V")
    assert moment.text is None and SMILE in (moment.face or "")
    assert only(cues, modalities="T").face is None


def test_a_speakers_voice_is_compared_with_their_other_clips() -> None:
    """Ann's sixth clip is loud for Ann, though Ben is louder still."""
    clips = [Clip(f"a{i}", text="well", speaker="Ann") for i in range(6)]
    clips += [Clip(f"b{i}", text="well", speaker="Ben") for i in range(6)]
    measured = {f"a{i}": {"loudness": 1.0 + 0.01 * i, "pitch_hz": 200.0 + i} for i in range(5)}
    measured |= {"a5": {"loudness": 2.0, "pitch_hz": 202.0}}
    measured |= {f"b{i}": {"loudness": 5.0 + 0.01 * i, "pitch_hz": 110.0 + i} for i in range(6)}
    moments = moments_of_clips(clips, {}, measured, WordingSettings())
    assert "very loud" in (moments[5].voice or "")
    assert "loud" not in (moments[8].voice or "")


def test_a_clip_of_a_longer_recording_gets_what_lies_in_it() -> None:
    track = VoiceTrack(
        ("pitch_hz", "voiced_fraction"), np.array([0.0, 5.0]), np.array([4.0, 9.0]), (None, None), np.ones((2, 2))
    )
    seen = Cues(
        MEDIA,
        said(Utterance(1, 2, "before"), Utterance(6, 7, "within the clip")),
        smiling(1.0, looked_s=(6.0, 6.5)),
        track,
    )
    (moment,) = moments_of_clips([Clip("c", media="v.mp4", start_s=5.0, end_s=9.0)], {"c": seen}, {}, WordingSettings())
    assert (moment.text, moment.face) == ("within the clip", NO_FACE)


@pytest.fixture
def two_faces() -> FaceTrack:
    """A large one that smiles, and a small one at rest."""
    return replace(
        smiling(1.0, 1.0),
        person=np.array([1, 2]),
        boxes=np.array([[0.0, 0.0, 400.0, 400.0], [100.0, 100.0, 250.0, 250.0]]),
        action_units=np.array([[0.9, 0.9], [0.0, 0.0]]),
    )


def test_a_speakers_own_face_goes_before_a_larger_one(two_faces: FaceTrack) -> None:
    line = said(Utterance(0.5, 1.5, "so it is", "Ann"))
    own = only(Cues(MEDIA, line, two_faces, speakers_of_faces={2: "Ann"}))
    assert own.face == own.faces[2] and SMILE not in str(own.face)


def test_whoevers_face_it_is_where_nobody_is_known_to_speak(two_faces: FaceTrack) -> None:
    moment = only(Cues(MEDIA, said(Utterance(0.5, 1.5, "so it is")), two_faces))
    assert moment.face == moment.faces[1] and SMILE in str(moment.face)


@pytest.mark.parametrize("known", [{}, {1: "Ben"}, {3: "Ann"}])
def test_another_face_is_never_the_speakers(two_faces: FaceTrack, known: dict[int, str]) -> None:
    """Not known, known of another alone, and known but out of the picture."""
    quiet = only(Cues(MEDIA, said(Utterance(0.5, 1.5, "", "Ann")), two_faces, speakers_of_faces=known))
    assert quiet.face == f"face of somebody: {quiet.faces[1]}" and quiet.evidence == "weak"


def test_no_face_is_nobodys() -> None:
    moment = only(Cues(MEDIA, said(Utterance(0.5, 1.5, "so it is", "Ann")), smiling(looked_s=(1.0,))))
    assert moment.face == NO_FACE


def test_a_moment_of_a_day_is_worded_as_if_all_of_it_were_looked_through() -> None:
    """Each moment was compared with every row of the recording: of a day that took an hour."""
    rng = np.random.default_rng(0)
    frames_s = np.sort(rng.uniform(0, 600, 900))
    times_s = np.sort(rng.choice(frames_s, 1_400))
    face = FaceTrack(
        source="landmarker",
        names=("AU12", "AU26"),
        times_s=times_s,
        person=rng.integers(1, 3, 1_400),
        boxes=np.cumsum(rng.uniform(0, 90, (1_400, 4)), axis=1),
        action_units=rng.uniform(0, 1, (1_400, 2)),
        frame_times_s=frames_s,
        pose=rng.normal(0, 20, (1_400, 3)),
    )
    cues = Cues(Media("v.mp4", 600.0, "0"), None, face)
    windows = cut(cues, WindowSettings(window_s=0.4))
    moments = moments_of(cues, WindowSettings(window_s=0.4), WordingSettings(), modalities="V")
    assert moments == [moment_in(window, cues, WordingSettings(), None, "V") for window in windows]
    assert len({moment.face for moment in moments}) > 20


def test_of_many_utterances_those_around_tell_what_is_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who gets louder all day is loud against the whole of it in the end, and not against the last hours."""
    count = 200
    at_s = np.arange(count, dtype=float)
    values = np.array([[100.0 + n, 1.0] for n in range(count)])
    voice = VoiceTrack(("pitch_hz", "voiced_fraction"), at_s, at_s + 0.9, ("Ann",) * count, values)
    whole = voice_words(voice, 150.0, 150.9)
    monkeypatch.setattr("emoscribe.textualize.voice.MOST_OTHERS", 40)
    assert (whole.text, voice_words(voice, 150.0, 150.9).text) == ("high pitch", "an even, medium voice")
    assert (
        voice_words(voice, 199.0, 199.9).text
        == voice_words(voice, 199.0, 199.9, scope="past").text
        == "very high pitch"
    )
    assert voice_words(voice, 0.0, 0.9).text == "very low pitch"
