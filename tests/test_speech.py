"""Hearing: the voice activity detector, both recognisers, and what `auto` settles for."""

from __future__ import annotations

import difflib
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError, SettingsError, UnavailableError
from emoscribe.core.timeline import Transcript
from emoscribe.extractors import media
from emoscribe.extractors.engines import Engines
from emoscribe.extractors.registry import choose
from emoscribe.extractors.settings import SpeechSettings
from emoscribe.extractors.speech import vad
from emoscribe.extractors.speech import whisper as speech_whisper
from emoscribe.extractors.speech.pocketsphinx import Sphinx
from emoscribe.extractors.speech.subtitles import read_transcript
from emoscribe.extractors.speech.transcribe import describe
from emoscribe.extractors.speech.transcribe import transcribe as transcribe_by

SPHINX = SpeechSettings(engine="pocketsphinx")
OFFLINE = Context(offline=True)


def resolve(settings: SpeechSettings) -> tuple[SpeechSettings, str]:
    return choose("speech", settings, OFFLINE)


def transcribe(sound: media.Sound, settings: SpeechSettings, progress=lambda done: None) -> Transcript:
    with Engines(OFFLINE) as engines:
        return transcribe_by(sound, engines.speech(resolve(settings)[0]), progress)


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


@pytest.fixture(scope="module")
def truth(example: Path) -> Transcript:
    return read_transcript(example.with_suffix(".srt"))


@pytest.fixture(scope="module")
def heard(example: Path) -> tuple[Transcript, list[float]]:
    """The example as PocketSphinx hears it, and the progress that was told."""
    told: list[float] = []
    with media.sound(example) as sound:
        return transcribe(sound, SPHINX, told.append), told


# ── where somebody speaks ────────────────────────────────────────────────────


def test_utterances_lie_where_the_lines_are_spoken(heard: tuple[Transcript, list[float]], truth: Transcript) -> None:
    utterances = heard[0].utterances
    assert len(utterances) == len(truth.utterances)
    for utterance, line in zip(utterances, truth.utterances, strict=True):
        assert utterance.start_s == pytest.approx(line.start_s, abs=0.25)
        assert utterance.end_s == pytest.approx(line.end_s, abs=0.25)


@pytest.mark.filterwarnings("ignore:.*torch.jit.load:FutureWarning")
def test_probabilities_are_those_of_the_wheels_own_model(example: Path) -> None:
    """Ours against Silero's TorchScript, both with the weights of the latter."""
    import torch

    model = torch.jit.load(vad_file("silero_vad.jit"))
    names = vad.silero_weights().keys()
    theirs = {key: value for key, value in model.state_dict().items() if key.startswith("_model.")}
    by_order = ["stft_conv.weight", *(f"conv{i}.{kind}" for i in range(1, 5) for kind in ("weight", "bias"))]
    by_order += [f"lstm_cell.{kind}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    by_order += ["final_conv.weight", "final_conv.bias"]
    assert set(by_order) == set(names)
    weights = {name: value.numpy() for name, value in zip(by_order, theirs.values(), strict=True)}
    with media.sound(example) as sound, torch.inference_mode():
        ours = list(vad.probabilities(sound, weights))
        samples = sound.read(0.0, 12.0)  # into the second block
        frames = torch.from_numpy(samples[: len(samples) // 512 * 512]).split(512)
        expected = [model(frame, 16_000).item() for frame in frames]
    assert max(expected) > 0.9
    np.testing.assert_allclose(ours[: len(expected)], expected, atol=1e-4)


def vad_file(name: str) -> str:
    import importlib.util

    spec = importlib.util.find_spec("silero_vad")
    assert spec and spec.origin
    return str(Path(spec.origin).parent / "data" / name)


def test_endless_speech_is_cut(example: Path, truth: Transcript, make_media, tmp_path: Path) -> None:
    with media.sound(example) as sound:
        line = sound.read(truth.utterances[4].start_s, truth.utterances[4].end_s)
    with media.sound(make_media(tmp_path / "endless.wav", sound=np.tile(line, 20))) as sound:
        found = list(vad.stretches(sound))
        assert len(found) >= 3
        assert all(stretch.end_s - stretch.start_s <= vad.MAX_STRETCH_S + 0.2 for stretch in found)
        # Nothing is lost between the pieces.
        assert all(after.start_s == before.end_s for before, after in itertools.pairwise(found))
        assert found[-1].end_s == pytest.approx(sound.duration_s, abs=0.3)


@pytest.mark.parametrize("level", [0.0, 0.05], ids=["silence", "noise"])
def test_where_nobody_speaks_nothing_is_heard(level: float, make_media, tmp_path: Path) -> None:
    samples = level * np.random.default_rng(0).standard_normal(3 * 16_000)
    with media.sound(make_media(tmp_path / "nobody.wav", sound=samples)) as sound:
        assert transcribe(sound, SPHINX).utterances == ()


def test_a_video_without_sound_has_no_utterances(make_media, tmp_path: Path) -> None:
    with media.sound(make_media(tmp_path / "mute.mp4", frame_times_s=np.arange(5) / 10)) as sound:
        assert transcribe(sound, SPHINX).utterances == ()


# ── PocketSphinx ─────────────────────────────────────────────────────────────


def test_most_words_are_heard_and_the_rest_doubted(heard: tuple[Transcript, list[float]], truth: Transcript) -> None:
    transcript = heard[0]
    assert (transcript.language, transcript.source) == ("en", "pocketsphinx en-us")
    said = [word for line in truth.utterances for word in words_of(line.text)]
    words = [word for utterance in transcript.utterances for word in utterance.words]
    matches = difflib.SequenceMatcher(None, said, [word.text for word in words], autojunk=False).get_matching_blocks()
    right = {match.b + i for match in matches for i in range(match.size)}
    assert len(right) >= 0.75 * len(said)
    sure = [word.probability for i, word in enumerate(words) if i in right]
    unsure = [word.probability for i, word in enumerate(words) if i not in right]
    assert np.mean(sure) > 0.6
    assert not unsure or np.mean(unsure) < np.mean(sure)


def test_words_are_in_order_within_their_utterance(heard: tuple[Transcript, list[float]]) -> None:
    for utterance in heard[0].utterances:
        times = [time_s for word in utterance.words for time_s in (word.start_s, word.end_s)]
        assert times == sorted(times)
        assert utterance.start_s <= times[0] and times[-1] <= utterance.end_s
        assert utterance.text == " ".join(word.text for word in utterance.words)
        assert all("(" not in word.text and "<" not in word.text for word in utterance.words)


def test_progress_rises_to_the_end(heard: tuple[Transcript, list[float]]) -> None:
    told = heard[1]
    assert told == sorted(told) and len(told) > 5 and told[-1] == 1.0


def test_the_decoder_runs_in_another_process(heard: tuple[Transcript, list[float]]) -> None:
    """It holds the interpreter lock while it decodes: faces were looked at only afterwards."""
    assert heard[0].utterances and "pocketsphinx" not in sys.modules


def test_a_decoder_that_dies_is_one_line(example: Path) -> None:
    sphinx = Sphinx()
    sphinx.close()
    with media.sound(example) as sound, pytest.raises(EmoscribeError, match="PocketSphinx has died"):
        list(sphinx.hear(sound, vad.stretches(sound)))


def test_a_real_voice(shared: Path) -> None:
    with media.sound(shared / "media" / "jfk.flac") as sound:
        transcript = transcribe(sound, SPHINX)
    words = words_of(" ".join(utterance.text for utterance in transcript.utterances))
    assert {"fellow", "your", "country"} <= set(words)


# ── Whisper ──────────────────────────────────────────────────────────────────


def whisper_settings(model: Path | str) -> SpeechSettings:
    return SpeechSettings(engine="whisper", model=str(model), device="cpu")


@pytest.fixture(scope="module")
def checkpoint(save_whisper, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_whisper(tmp_path_factory.mktemp("whisper") / "tiny-random.pt")


def test_whisper_hears_from_a_checkpoint_file(two_lines: Path, checkpoint: Path) -> None:
    settings = whisper_settings(checkpoint)
    with media.sound(two_lines) as sound:
        first, second = (transcribe(sound, settings) for _ in range(2))
        found = list(vad.stretches(sound))
    assert first == second, "what it draws by chance is not the same each time"
    assert first.source == "whisper tiny-random" and first.language
    words = [word for utterance in first.utterances for word in utterance.words if word.text]
    assert words and all(word.text == word.text.strip() for word in words)
    assert all(word.probability is not None and 0 <= word.probability <= 1 for word in words)
    assert len(found) == 2
    assert [(u.start_s, u.end_s) for u in first.utterances] == [(s.start_s, s.end_s) for s in found]


# A process of its own: Numba starts its threads once.
THREADS_LEFT = """
import sys, torch
from emoscribe.core.context import Context
from emoscribe.extractors import media
from emoscribe.extractors.settings import SpeechSettings
from emoscribe.extractors.speech.transcribe import transcribe
from emoscribe.extractors.speech.whisper import SPEC
before = torch.get_num_threads()
settings = SpeechSettings(engine="whisper", model=sys.argv[2], device="cpu", language="en")
with media.sound(sys.argv[1]) as sound:
    engine = SPEC.load(SPEC.complete(settings, Context(offline=True)), Context())
    assert any(u.text for u in transcribe(sound, engine).utterances)
assert before == torch.get_num_threads() == 1, torch.get_num_threads()
assert "numba" in sys.modules
"""


def test_torch_keeps_its_number_of_threads(two_lines: Path, checkpoint: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "2"}
    command = [sys.executable, "-c", THREADS_LEFT, str(two_lines), str(checkpoint)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_whisper_reads_neighbours_together() -> None:
    """It takes as long for a second as for half a minute."""
    found = [vad.Stretch(0, 2), vad.Stretch(3, 12), vad.Stretch(20, 27.5), vad.Stretch(27.6, 29), vad.Stretch(90, 95)]
    assert [len(window) for window in speech_whisper.fitted(iter(found))] == [3, 1, 1]


def test_batched_or_not_the_transcript_is_the_same(
    example: Path, make_media, save_whisper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import whisper

    decoded: list[tuple[int, float]] = []  # how many windows at a time, at which temperature
    real_decode = whisper.decode

    def watched_decode(model, mel, options):
        decoded.append((len(mel) if mel.ndim == 3 else 1, options.temperature))
        return real_decode(model, mel, options)

    monkeypatch.setattr(whisper, "decode", watched_decode)
    settings = whisper_settings(save_whisper(tmp_path / "unsure.pt", unsure=True))
    with media.sound(example) as sound:
        lines = [sound.read(0.0, 2.6), np.zeros(28 * 16_000), sound.read(2.6, 5.7)]
    transcripts, ways = [], []
    with media.sound(make_media(tmp_path / "two-windows.wav", sound=np.concatenate(lines))) as sound:
        for batch_size in (1, 4):
            given = settings.model_copy(update={"language": "en", "batch_size": batch_size})
            transcripts.append(transcribe(sound, given))
            ways.append(list(decoded))
            decoded.clear()
    assert transcripts[0] == transcripts[1]
    assert any(word.text for u in transcripts[0].utterances for word in u.words)
    one_by_one, together = ways
    assert together[0] == (2, 0.0) and all(size == 1 for size, _ in together[1:])
    assert len(together) == len(one_by_one) - 1, "what was decoded together is decoded again"
    # What it is unsure of is drawn again, hotter: that is not left out.
    hotter = [[temperature for _, temperature in way if temperature > 0] for way in ways]
    assert hotter[0] == hotter[1] != []


def test_a_cpu_is_not_asked_for_float16(checkpoint: Path) -> None:
    settings = whisper_settings(checkpoint)
    assert resolve(settings)[0].precision == "float32"
    with pytest.raises(SettingsError, match=r"speech\.precision: float16 is for a GPU"):
        resolve(settings.model_copy(update={"precision": "float16"}))
    with pytest.raises(SettingsError, match="int8 is what faster-whisper computes in, and not whisper"):
        resolve(settings.model_copy(update={"precision": "int8"}))


def test_speech_without_an_understood_word_stays_speech(two_lines: Path, save_whisper, tmp_path: Path) -> None:
    settings = whisper_settings(save_whisper(tmp_path / "speechless.pt", speechless=True))
    with media.sound(two_lines) as sound:
        transcript = transcribe(sound, settings)
    assert len(transcript.utterances) == 2
    for utterance in transcript.utterances:
        (word,) = utterance.words
        assert (utterance.text, word.text, word.probability) == ("", "", 0.0)
        assert (word.start_s, word.end_s) == (utterance.start_s, utterance.end_s)


def test_weights_on_disk_are_what_auto_chooses(
    no_carried_models: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "whisper").mkdir()
    (tmp_path / "whisper" / "base.pt").write_bytes(b"weights")
    settings, why = resolve(SpeechSettings(device="cpu"))
    assert (settings.engine, settings.model, settings.device) == ("whisper", "base", "cpu")
    assert why.startswith("Whisper base on cpu (auto: the model Systran/faster-whisper-base is not on this machine")


def test_provenance_knows_the_weights(checkpoint: Path, save_whisper, tmp_path: Path) -> None:
    other = save_whisper(tmp_path / "tiny-random.pt", speechless=True)
    mine, theirs = (describe(whisper_settings(path))["sha256"] for path in (checkpoint, other))
    assert len(mine) == 64 and mine != theirs


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 broken"], ids=["empty", "text", "zip"])
def test_a_file_that_is_no_checkpoint(content: bytes, example: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with media.sound(example) as sound, pytest.raises(UnavailableError, match=r"model\.pt cannot be loaded") as error:
        transcribe(sound, whisper_settings(path))
    assert "\n" not in str(error.value)


# ── what is not here ─────────────────────────────────────────────────────────


@pytest.fixture
def no_weights(no_carried_models: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "whisper"


def test_missing_weights_offline_are_told_at_once(no_weights: Path) -> None:
    with pytest.raises(UnavailableError) as error:
        resolve(SpeechSettings(engine="whisper", model="small"))
    assert str(error.value) == (
        f"the weights of Whisper 'small' are not in {no_weights} and are not fetched offline; "
        "give tiny, base, small, medium, large or turbo, or a checkpoint file"
    )


def test_auto_without_weights_settles_for_pocketsphinx(no_weights: Path) -> None:
    settings, why = resolve(SpeechSettings())
    assert (settings.engine, settings.model, settings.language) == ("pocketsphinx", "en-us", "en")
    assert "mishears much" in why and str(no_weights) in why and "\n" not in why


def test_auto_does_not_let_pocketsphinx_hear_german(no_weights: Path) -> None:
    with pytest.raises(UnavailableError, match="PocketSphinx hears English only, not 'de'"):
        resolve(SpeechSettings(language="de"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"engine": "whisper", "model": "models/mine.pt"}, "no checkpoint file models/mine.pt"),
        ({"engine": "whisper", "language": "klingon"}, "Whisper does not know 'klingon'"),
        ({"engine": "pocketsphinx", "model": "turbo"}, "PocketSphinx has en-us only, got 'turbo'"),
    ],
)
def test_settings_that_no_recogniser_has(given: dict[str, str], words: str, no_weights: Path) -> None:
    with pytest.raises(SettingsError, match=re.escape(words)):
        resolve(SpeechSettings(**given))  # type: ignore[arg-type]


def test_switched_off_asks_for_nothing() -> None:
    assert resolve(SpeechSettings(engine="none"))[1] == "none (switched off)"
