"""Who says it: turns from a file, and the face that is seen talking."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.context import Context
from emoscribe.core.errors import MediaError, SettingsError
from emoscribe.core.timeline import FaceTrack, Transcript, Utterance, Word
from emoscribe.extractors import media
from emoscribe.extractors.engines import Engines
from emoscribe.extractors.perceive import decide, follow_faces, perceive
from emoscribe.extractors.settings import FaceSettings, SpeechSettings
from emoscribe.extractors.sources import FileSource
from emoscribe.extractors.speakers import talking
from emoscribe.extractors.speakers.faces import speakers_of_faces
from emoscribe.extractors.speakers.turns import Turn, check_several, name_speakers, read_turns
from emoscribe.extractors.speech.subtitles import read_transcript
from emoscribe.extractors.store import CueStore
from emoscribe.llm.settings import AnalyzeSettings

RTTM = """SPKR-INFO friends 1 <NA> <NA> <NA> unknown monica <NA> <NA>
SPEAKER friends 1 0.00 2.00 <NA> <NA> monica <NA> <NA>
SPEAKER friends 1 1.90 1.10 <NA> <NA> joey <NA> <NA>

SPEAKER friends 1 9.00 1.00 <NA> <NA> monica <NA> <NA>
"""


def words(*timed: tuple[str, float, float]) -> tuple[Word, ...]:
    return tuple(Word(start_s, end_s, text, 0.9) for text, start_s, end_s in timed)


def transcript(*utterances: Utterance) -> Transcript:
    return Transcript(utterances, "en", "a test")


# ── turns from a file ────────────────────────────────────────────────────────


def test_rttm(tmp_path: Path) -> None:
    path = tmp_path / "a.rttm"
    path.write_text(RTTM)
    monica, joey, again = read_turns(path, "whatever it is called here")
    assert (monica, again) == (Turn(0.0, 2.0, "monica"), Turn(9.0, 10.0, "monica"))
    assert (joey.start_s, joey.end_s, joey.speaker) == (1.9, pytest.approx(3.0), "joey")


@pytest.mark.parametrize(
    "line",
    [
        "SPEAKER my video 2 1 0.50 2.00 <NA> <NA> Ann Lee <NA> <NA>",
        "SPEAKER my video 2 1 0.50 2.00 <NA> <NA> Ann Lee",
        "SPEAKER my video 2 1 0.50 2.00 <NA> <NA> Ann Lee 0.93 <NA>",
        "SPEAKER\tmy video 2\t1\t0.50\t2.00\tlex\tadult\tAnn Lee\t<NA>\t<NA>",
    ],
)
def test_spaces_in_names_shift_no_fields(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.rttm"
    path.write_text(f"{line}\nSPEAKER other 1 3.0 1.0 <NA> <NA> Speaker 2 <NA> <NA>\n")
    assert read_turns(path, "my video 2") == (Turn(0.5, 2.5, "Ann Lee"),)
    assert read_turns(path, "other") == (Turn(3.0, 4.0, "Speaker 2"),)


def test_a_line_whose_fields_cannot_be_told_apart_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.rttm"
    path.write_text("SPEAKER my video 1 0.50 2.00 lex adult Ann x\n")
    with pytest.raises(MediaError, match=r"a\.rttm, line 1: not as in 'SPEAKER file 1 start"):
        read_turns(path, "my video")


def test_a_recording_whose_spaces_became_underscores_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.rttm"
    path.write_text(RTTM + "SPEAKER my_video 1 4.0 1.0 <NA> <NA> anchor <NA> <NA>\n")
    assert read_turns(path, "my video") == (Turn(4.0, 5.0, "anchor"),)


def test_rttm_of_several_recordings(tmp_path: Path) -> None:
    path = tmp_path / "a.rttm"
    path.write_text(RTTM + "SPEAKER news 1 4.0 1.0 <NA> <NA> anchor <NA> <NA>\n")
    assert read_turns(path, "news") == (Turn(4.0, 5.0, "anchor"),)
    with pytest.raises(MediaError, match=r"a\.rttm is about friends, news …, not about 'sports'"):
        read_turns(path, "sports")


@pytest.mark.parametrize("under", [None, "segments"])
def test_json(under: str | None, tmp_path: Path) -> None:
    turns = [
        {"start_s": 3, "end_s": 4.5, "speaker": "Jo\x1b[2Jey"},
        {"start": 0.0, "end": 2.0, "speaker": " Monica "},
        {"start_s": 5, "end_s": 6, "speaker": None},
    ]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(turns if under is None else {under: turns}))
    assert read_turns(path, "a") == (Turn(0.0, 2.0, "Monica"), Turn(3.0, 4.5, "Joey"))


def test_json_of_several_recordings(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    turn = {"start_s": 0, "end_s": 1, "speaker": "Clara"}
    path.write_text(json.dumps({"recordings": {"news": [turn | {"speaker": "anchor"}], "friends": [turn, turn]}}))
    assert read_turns(path, "news") == (Turn(0.0, 1.0, "anchor"),)
    assert len(read_turns(path, "friends")) == 2
    with pytest.raises(MediaError, match=r"a\.json is about news, friends …, not about 'sports'"):
        read_turns(path, "sports")
    check_several(path, 3)


@pytest.mark.parametrize("name", ["a.rttm", "a.json"])
def test_turns_of_one_recording_are_not_laid_over_several(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(RTTM if name == "a.rttm" else '[{"start_s": 0, "end_s": 1, "speaker": "Clara"}]')
    check_several(path, 1)
    with pytest.raises(SettingsError, match=rf"{re.escape(name)} is about one recording, and 2 videos are") as error:
        check_several(path, 2)
    assert "\n" not in str(error.value)
    if name == "a.rttm":
        path.write_text(RTTM + "SPEAKER news 1 4.0 1.0 <NA> <NA> anchor <NA> <NA>\n")
        check_several(path, 2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '{"recordings": {"a": 3}}', "a.json, 'a' must be a list of turns"),
        ("a.rttm", "SPEAKER friends 1 0.00 2.00\n", "a.rttm, line 1: not as in 'SPEAKER file 1 start"),
        ("a.rttm", "SPEAKER f 1 zero 2 <NA> <NA> m <NA> <NA>\n", "a.rttm, line 1: start and duration must be seconds"),
        ("a.rttm", "SPEAKER f 1 -1 2 <NA> <NA> m <NA> <NA>\n", "a.rttm, line 1: start_s must be a number of seconds"),
        ("a.rttm", "hello\n", "a.rttm names no speakers: no line begins with SPEAKER"),
        ("a.rttm", "", "a.rttm is empty"),
        ("a.json", '{"speakers": []}', "a.json must be a list of turns, or an object with one under 'segments'"),
        ("a.json", '[{"start_s": 1, "end_s": 2}, 3]', "a.json, turn 2: must be an object with start_s, end_s and"),
        ("a.json", '[{"start_s": 2, "end_s": 1, "speaker": "m"}]', "a.json, turn 1: ends before it begins, at 1 s"),
        ("a.json", '[{"start_s": 2, "speaker": "m"}]', "a.json, turn 1: end_s must be a number of seconds"),
        ("a.csv", "a,b", "a.csv does not tell who speaks when; give one of .rttm, .json"),
    ],
)
def test_what_does_not_tell_is_one_line(name: str, content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(MediaError) as error:
        read_turns(path, "a")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_of_speakers(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"no file of speakers .*gone\.rttm"):
        read_turns(tmp_path / "gone.rttm", "a")


# ── laid over what was said ──────────────────────────────────────────────────


def test_an_utterance_is_divided_where_the_speaker_changes() -> None:
    heard = words(("Wait,", 0.2, 0.6), ("what?", 0.7, 1.1), ("I", 1.3, 1.4), ("said", 1.4, 1.8), ("no.", 1.8, 2.4))
    said = transcript(Utterance(0.0, 2.6, "Wait, what?  I said no.", words=heard))
    turns = (Turn(0.0, 1.25, "Clara"), Turn(1.2, 2.2, "Ben"))
    assert name_speakers(said, turns).utterances == (
        Utterance(0.0, 1.1, "Wait, what?", "Clara", heard[:2]),
        Utterance(1.3, 2.6, "I said no.", "Ben", heard[2:]),
    )


def test_words_in_nobodys_turn_go_with_those_before() -> None:
    heard = words(("Well", 0.0, 0.4), ("I", 0.5, 0.6), ("er", 1.0, 1.2), ("never", 1.5, 2.0))
    said = transcript(Utterance(0.0, 2.0, "Well I er never", words=heard))
    turns = (Turn(0.45, 0.7, "Clara"), Turn(1.4, 2.0, "Clara"))
    assert name_speakers(said, turns).utterances == (replace(said.utterances[0], speaker="Clara"),)


def test_text_without_spaces_is_cut_as_it_is_spelled() -> None:
    heard = words(("待って", 0.0, 0.5), ("何", 0.5, 1.0), ("いや", 1.0, 1.5))
    said = transcript(Utterance(0.0, 1.5, "待って、何？いや。", words=heard))
    parts = name_speakers(said, (Turn(0.0, 1.0, "A"), Turn(1.0, 1.5, "B"))).utterances
    assert [(part.speaker, part.text) for part in parts] == [("A", "待って、何？"), ("B", "いや。")]


def test_without_word_times_an_utterance_is_whose_turn_overlaps_it_most() -> None:
    said = transcript(Utterance(0.0, 3.0, "Wait, what?"), Utterance(5.0, 6.0, "Nobody?", "Narrator"))
    turns = (Turn(0.0, 0.8, "Clara"), Turn(0.8, 2.0, "Ben"), Turn(2.0, 2.9, "Clara"))
    assert [u.speaker for u in name_speakers(said, turns).utterances] == ["Clara", "Narrator"]


def test_speakers_from_a_file_reach_voices_and_provenance(example: Path, tmp_path: Path, engines: Engines) -> None:
    lines = read_transcript(example.with_suffix(".srt"))
    turns = [
        {"start_s": u.start_s, "end_s": u.end_s, "speaker": ("Ann", "Ben")[i % 2]}
        for i, u in enumerate(lines.utterances)
    ]
    path = tmp_path / "who.json"
    path.write_text(json.dumps(turns))
    settings = AnalyzeSettings(modalities="TA", speech=SpeechSettings(engine="pocketsphinx", speakers=str(path)))
    cues = perceive(FileSource(example), settings, engines, transcript=lines)
    assert cues.transcript and cues.voice
    names = tuple(turn["speaker"] for turn in turns)
    assert tuple(u.speaker for u in cues.transcript.utterances) == cues.voice.speaker == names
    speakers = cues.provenance["speakers"]
    assert (speakers["source"], speakers["named"], speakers["of"]) == ("file who.json", len(names), len(names))
    assert speakers["sha256"] == media.sha256_of(path)


# ── who is seen talking ──────────────────────────────────────────────────────

SEEN = SpeechSettings(engine="pocketsphinx", speakers="seen")
FIVE_FPS = FaceSettings(engine="landmarker", sampling_fps=5.0)
ONE_LINE = Utterance(0.0, 8.0, "what she says")


@pytest.fixture(scope="module")
def voice_over(example: Path, engines: Engines) -> FaceTrack:
    """A woman who cries and laughs; what is said is said by somebody else."""
    return follow_faces(FileSource(example), FIVE_FPS, engines)


@pytest.fixture(scope="module")
def talking_head(shared: Path) -> Path:
    return shared / "media" / "talking-head.mp4"


@pytest.fixture(scope="module")
def head(talking_head: Path, engines: Engines) -> FaceTrack:
    return follow_faces(FileSource(talking_head), FIVE_FPS, engines)


@pytest.fixture(scope="module")
def her_voice(talking_head: Path):
    with media.sound(talking_head) as sound:
        return talking.loudness(sound)


def beside(one: FaceTrack, other: FaceTrack) -> FaceTrack:
    """Two people in one picture, for as long as the first is there."""
    nearest = [int(np.abs(other.times_s - time_s).argmin()) for time_s in one.times_s]
    return replace(
        one,
        times_s=np.repeat(one.times_s, 2),
        person=np.tile([1, 2], len(one.times_s)),
        boxes=np.repeat(one.boxes, 2, axis=0),
        action_units=np.stack([one.action_units, other.action_units[nearest]], axis=1).reshape(-1, len(one.names)),
        geometry=None,
        pose=None,
    )


def talker(track: FaceTrack, loud, utterance: Utterance = ONE_LINE) -> str | None:
    return talking.name_speakers(transcript(utterance), track, loud).utterances[0].speaker


def test_loudness_in_decibels(make_media, tmp_path: Path) -> None:
    tone = 0.1 * np.sqrt(2) * np.sin(2 * np.pi * 440 * np.arange(2 * 16_000) / 16_000)
    with media.sound(make_media(tmp_path / "tone.wav", sound=np.concatenate([tone, np.zeros(16_000)]))) as sound:
        loud = talking.loudness(sound)
    assert len(loud.times_s) == 60 and loud.times_s[-1] == pytest.approx(2.975)
    assert np.allclose(loud.values[2:37], -20, atol=0.1) and (loud.values[44:] < -80).all()


def test_a_face_that_talks_is_the_speaker(head: FaceTrack, her_voice) -> None:
    assert talker(head, her_voice) == "person 1"


def test_a_face_under_somebody_elses_voice_is_not(voice_over: FaceTrack, example: Path) -> None:
    lines = read_transcript(example.with_suffix(".srt"))
    with media.sound(example) as sound:
        named = talking.name_speakers(lines, voice_over, talking.loudness(sound))
    assert [u.speaker for u in named.utterances] == [None] * len(lines.utterances)


def test_of_two_faces_the_one_that_talks(head: FaceTrack, voice_over: FaceTrack, her_voice) -> None:
    both = beside(head, voice_over)
    assert talker(both, her_voice) == "person 1"
    assert talker(replace(both, person=3 - both.person), her_voice) == "person 2"


def test_two_faces_that_talk_at_once_are_not_told_apart(head: FaceTrack, her_voice) -> None:
    assert talker(beside(head, head), her_voice) is None


def test_who_talks_on_in_the_pauses_is_not_heard(head: FaceTrack, her_voice) -> None:
    """Her mouth goes on moving while only a second and a half of it is loud."""
    brief = (her_voice.times_s > 3.0) & (her_voice.times_s < 4.5)
    level = np.where(brief, her_voice.values[:, 0], -90.0)[:, None]
    assert talker(head, replace(her_voice, values=level), Utterance(3.0, 4.5, "somebody else")) is None


def test_who_is_gone_for_most_of_it_has_not_said_it(head: FaceTrack, her_voice) -> None:
    there = head.times_s < 3.0
    gone = replace(
        head,
        times_s=head.times_s[there],
        person=head.person[there],
        boxes=head.boxes[there],
        action_units=head.action_units[there],
    )
    assert talker(gone, her_voice) is None


# ── whose face a speaker's is ────────────────────────────────────────────────


def taking_turns(head: FaceTrack, until_s: float) -> FaceTrack:
    """Two people: the first talks until then, the second from then on; who listens keeps the lips still."""
    both = beside(head, head)
    units = both.action_units.copy()
    listening = (both.person == 1) == (both.times_s >= until_s)
    units[np.ix_(listening, [both.names.index(unit) for unit in talking.MOUTH_UNITS])] = 0.1
    return replace(both, action_units=units)


def test_each_speaker_has_the_face_whose_mouth_moves(head: FaceTrack, her_voice) -> None:
    lines = transcript(Utterance(0.0, 4.0, "one", "Ann"), Utterance(4.0, 8.0, "two", "Ben"))
    track = taking_turns(head, 4.0)
    assert speakers_of_faces(lines, track, her_voice) == {1: "Ann", 2: "Ben"}
    assert speakers_of_faces(lines, replace(track, person=3 - track.person), her_voice) == {2: "Ann", 1: "Ben"}


def test_a_face_is_theirs_also_where_it_is_hidden(head: FaceTrack, her_voice) -> None:
    """The first is not seen in the second of her lines, and still has no other face in it."""
    lines = transcript(*(Utterance(start_s, start_s + 2, "so", "Ann") for start_s in (0.0, 2.0)))
    track = taking_turns(head, 8.0)
    there = (track.person == 2) | (track.times_s < 2.0)
    seen = {name: getattr(track, name)[there] for name in ("times_s", "person", "boxes", "action_units")}
    assert speakers_of_faces(lines, replace(track, **seen), her_voice) == {1: "Ann"}


def test_who_comes_back_as_a_new_person_is_the_same_speaker(head: FaceTrack, her_voice) -> None:
    """A cut in the middle, after which nobody is known again."""
    track = taking_turns(head, 8.0)
    again = replace(track, person=np.where(track.times_s < 4.0, track.person, track.person + 2))
    lines = transcript(*(Utterance(start_s, start_s + 2, "so", "Ann") for start_s in (0.0, 2.0, 4.0, 6.0)))
    assert speakers_of_faces(lines, again, her_voice) == {1: "Ann", 3: "Ann"}


def test_a_mouth_that_moves_whoever_speaks_is_nobodys(head: FaceTrack, her_voice) -> None:
    lines = transcript(Utterance(0.0, 4.0, "one", "Ann"), Utterance(4.0, 8.0, "two", "Ben"))
    assert speakers_of_faces(lines, head, her_voice) == {}


def test_who_is_not_seen_to_speak_has_no_face(voice_over: FaceTrack, example: Path) -> None:
    lines = read_transcript(example.with_suffix(".srt"))
    narrated = replace(lines, utterances=tuple(replace(u, speaker="a narrator") for u in lines.utterances))
    with media.sound(example) as sound:
        assert speakers_of_faces(narrated, voice_over, talking.loudness(sound)) == {}


def test_two_that_are_alone_where_nobody_looked_often_enough(head: FaceTrack, her_voice) -> None:
    seldom = replace(head, frame_times_s=head.frame_times_s[::5])
    assert speakers_of_faces(transcript(replace(ONE_LINE, speaker="Ann")), seldom, her_voice) == {1: "Ann"}
    both = replace(beside(head, head), frame_times_s=head.frame_times_s[::5])
    assert speakers_of_faces(transcript(replace(ONE_LINE, speaker="Ann")), both, her_voice) == {}


def test_an_utterance_is_divided_where_another_mouth_goes_on(head: FaceTrack, her_voice) -> None:
    words = tuple(Word(float(n), n + 0.9, f"w{n}") for n in range(8))
    whole = Utterance(0.0, 8.0, " ".join(word.text for word in words), None, words)
    named = talking.name_speakers(transcript(whole), taking_turns(head, 4.0), her_voice)
    assert [u.speaker for u in named.utterances] == ["person 1", "person 2"]
    assert named.utterances[0].text.split()[-1] in ("w2", "w3", "w4")


def test_known_names_stay(head: FaceTrack, her_voice) -> None:
    assert talker(head, her_voice, replace(ONE_LINE, speaker="Katie")) == "Katie"


def test_seen_talking_from_file_to_cues(talking_head: Path, tmp_path: Path, engines: Engines) -> None:
    settings = AnalyzeSettings(speech=SEEN, face=FIVE_FPS)
    said = transcript(Utterance(0.0, 4.6, "first"), Utterance(5.2, 8.0, "second"))
    for _ in range(2):
        store = CueStore(tmp_path)
        context = Context(store=store)
        cues = perceive(FileSource(talking_head, store=store), settings, engines, context, transcript=said)
        assert cues.transcript and cues.voice
        assert [u.speaker for u in cues.transcript.utterances] == ["person 1", "person 1"]
        assert cues.voice.speaker == ("person 1", "person 1")
        assert cues.provenance["speakers"]["source"] == "seen talking"
    assert len(list(tmp_path.glob("loudness-*.parquet"))) == 1, "what is kept is not made again"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"modalities": "TA"}, "speech.speakers: seen needs the faces, which are not looked at"),
        ({"face": FaceSettings(engine="none")}, "speech.speakers: seen needs the faces"),
        (
            {"face": FaceSettings(engine="landmarker", sampling_fps=2)},
            "seen needs 5 frames a second or more, landmarker",
        ),
    ],
)
def test_seen_needs_to_look(given: dict, message: str) -> None:
    with pytest.raises(SettingsError) as error:
        decide(AnalyzeSettings(speech=SEEN, **given), Context(offline=True))
    assert message in str(error.value) and "\n" not in str(error.value)
