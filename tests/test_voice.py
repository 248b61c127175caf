"""The voice, measured: on sounds whose pitch, level and pauses are known because the test makes them."""

from __future__ import annotations

import numpy as np
import pytest
from emoscribe.core.timeline import Transcript, Utterance, VoiceTrack
from emoscribe.extractors.media import SAMPLE_RATE, Sound, sound
from emoscribe.extractors.registry import describe
from emoscribe.extractors.settings import VoiceSettings
from emoscribe.extractors.voice.opensmile import MEASURES, OpenSmile
from emoscribe.extractors.voice.syllables import syllables

SETTINGS = VoiceSettings()


def measure_voice(sound: Sound, transcript: Transcript, settings: VoiceSettings) -> VoiceTrack:
    return OpenSmile(settings).measure(sound, transcript)


def measure_clip(sound: Sound, settings: VoiceSettings, text: str = "") -> VoiceTrack:
    whole = Utterance(0.0, sound.duration_s, text)
    return measure_voice(sound, Transcript((whole,), None, "clip"), settings)


def voiced(pitch_hz: float | np.ndarray, duration_s: float = 1.5, gain: float = 0.2) -> np.ndarray:
    """A buzz like that of the vocal folds (harmonics falling by 12 dB an octave), in syllables of 0.25 s."""
    count = round(duration_s * SAMPLE_RATE)
    pitch_hz = np.broadcast_to(pitch_hz, count)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE
    buzz = sum(np.cos(h * phase) / h**1.5 * (h * pitch_hz < 5000) for h in range(1, 30))
    syllable = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * np.arange(count) / SAMPLE_RATE)
    breath = np.random.default_rng(0).normal(size=count) * 0.01
    return (gain * syllable * (np.asarray(buzz) / 3 + breath)).astype(np.float32)


def silence(duration_s: float) -> np.ndarray:
    return np.zeros(round(duration_s * SAMPLE_RATE), dtype=np.float32)


@pytest.fixture(scope="module")
def recording(tmp_path_factory, make_media):
    """Four utterances and a cough of 0.3 s: low, low and louder, high, silent, short."""
    parts = [
        voiced(120.0),
        silence(0.5),
        voiced(120.0, gain=0.4),
        silence(0.5),
        voiced(240.0),
        silence(1.5),
        voiced(120.0, 0.3),
    ]
    path = make_media(tmp_path_factory.mktemp("voice") / "voices.wav", sound=np.concatenate(parts))
    starts_s = [0.0, 2.0, 4.0, 5.6, 7.0]
    ends_s = [1.5, 3.5, 5.5, 6.9, 7.3]
    utterances = tuple(Utterance(a, b, "la la la la la la", "A") for a, b in zip(starts_s, ends_s, strict=True))
    with sound(path) as samples:
        yield measure_voice(samples, Transcript(utterances, "en", "test"), SETTINGS)


def column(track, name: str) -> np.ndarray:
    return track.values[:, track.names.index(name)]


def test_a_row_an_utterance_with_its_times_and_speaker(recording):
    assert recording.values.shape == (5, len(MEASURES)) and recording.names == tuple(MEASURES)
    assert recording.start_s.tolist() == [0.0, 2.0, 4.0, 5.6, 7.0]
    assert recording.speaker == ("A",) * 5


def test_pitch_is_in_hz(recording):
    assert column(recording, "pitch_hz")[:3] == pytest.approx([120, 120, 240], rel=0.02)
    assert np.all(column(recording, "pitch_variation_st")[:3] < 0.5)


def test_a_doubled_gain_is_louder_and_nothing_else(recording):
    first, louder = recording.values[0], recording.values[1]
    at = recording.names.index("loudness")
    assert louder[at] > 1.2 * first[at]
    others = [i for i in range(len(recording.names)) if i != at]
    assert louder[others] == pytest.approx(first[others], rel=0.05, abs=0.05)


def test_silence_is_measured_as_silence_not_as_a_voice(recording):
    row = dict(zip(recording.names, recording.values[3], strict=True))
    assert row["loudness"] == 0.0 and row["voiced_fraction"] == 0.0
    assert np.isnan(row["pitch_hz"]) and np.isnan(row["hnr_db"])


def test_what_is_too_short_is_unknown_throughout(recording):
    assert np.all(np.isnan(recording.values[4]))


def test_the_end_of_the_pitch_rises_and_falls(tmp_path, make_media):
    rise = np.concatenate([np.full(SAMPLE_RATE, 150.0), np.linspace(150, 250, SAMPLE_RATE // 2)])
    ends = []
    for name, pitch_hz in (("up", rise), ("down", rise[::-1])):
        with sound(make_media(tmp_path / f"{name}.wav", sound=voiced(pitch_hz))) as samples:
            ends.append(measure_clip(samples, SETTINGS).values[0][list(MEASURES).index("pitch_end_st")])
    assert ends[0] > 4.0
    assert abs(ends[1]) < 1.5  # from a high start it ends on what lasted longest


def test_silence_around_and_within_changes_neither_loudness_nor_rate(tmp_path, make_media):
    """Padding by the voice activity detector used to make voices quiet and slow."""
    word = voiced(180.0, 1.0)
    tight = np.concatenate([word, word])
    padded = np.concatenate([silence(1.0), word, silence(0.8), word, silence(1.0)])
    rows = []
    for name, samples in (("tight", tight), ("padded", padded)):
        with sound(make_media(tmp_path / f"{name}.wav", sound=samples)) as clip:
            rows.append(dict(zip(MEASURES, measure_clip(clip, SETTINGS, "la la la la").values[0], strict=True)))
    assert rows[1]["speech_rate_syl_per_s"] == pytest.approx(rows[0]["speech_rate_syl_per_s"], rel=0.15)
    assert rows[1]["loudness"] == pytest.approx(rows[0]["loudness"], rel=0.1)
    assert rows[0]["pause_fraction"] == 0.0 and rows[1]["pause_fraction"] == pytest.approx(0.8 / 2.8, abs=0.05)


def test_the_gate_finds_pauses_in_noise(tmp_path, make_media):
    """A fixed gate 30 dB down took noise at 20 dB for speech, and every clip with a second of it for slow."""
    rng = np.random.default_rng(1)
    clip = np.concatenate([silence(1.0), voiced(180.0, 2.0), silence(1.0)])
    noisy = clip + (rng.normal(size=len(clip)) * np.sqrt(np.mean(voiced(180.0) ** 2)) / 10).astype(np.float32)
    with sound(make_media(tmp_path / "noisy.wav", sound=noisy)) as samples:
        rate = measure_clip(samples, SETTINGS, "la la la la la la la la").values[0][
            list(MEASURES).index("speech_rate_syl_per_s")
        ]
    assert rate == pytest.approx(4.0, rel=0.15)


def test_without_words_there_is_no_rate_but_a_voice(tmp_path, make_media):
    with sound(make_media(tmp_path / "hum.wav", sound=voiced(150.0))) as samples:
        row = dict(zip(MEASURES, measure_clip(samples, SETTINGS).values[0], strict=True))
    assert np.isnan(row["speech_rate_syl_per_s"]) and row["pitch_hz"] == pytest.approx(150, rel=0.02)


def test_noise_has_loudness_and_no_pitch(tmp_path, make_media):
    noise = np.random.default_rng(0).normal(size=2 * SAMPLE_RATE).astype(np.float32) * 0.1
    with sound(make_media(tmp_path / "noise.wav", sound=noise)) as samples:
        row = dict(zip(MEASURES, measure_clip(samples, SETTINGS).values[0], strict=True))
    assert row["loudness"] > 0 and np.isnan(row["pitch_hz"])


def test_an_empty_transcript_gives_an_empty_track(tmp_path, make_media):
    with sound(make_media(tmp_path / "v.wav", sound=voiced(150.0))) as samples:
        track = measure_voice(samples, Transcript((), None, "test"), SETTINGS)
    assert track.values.shape == (0, len(MEASURES))


def test_an_utterance_beyond_the_sound_is_silent(tmp_path, make_media):
    """Subtitles may run on after the sound has ended."""
    with sound(make_media(tmp_path / "v.wav", sound=voiced(150.0))) as samples:
        track = measure_voice(samples, Transcript((Utterance(5.0, 7.0, "gone"),), None, "test"), SETTINGS)
    assert column(track, "voiced_fraction").tolist() == [0.0]


def test_real_speech(shared):
    with sound(shared / "media" / "jfk.flac") as samples:
        text = (
            "And so my fellow Americans ask not what your country can do for you ask what you can do for your country"
        )
        row = dict(zip(MEASURES, measure_clip(samples, SETTINGS, text).values[0], strict=True))
    # Praat 6.4 (autocorrelation, 75–600 Hz) finds a median of 237 Hz.
    assert row["pitch_hz"] == pytest.approx(237, rel=0.05)
    assert 2.5 < row["speech_rate_syl_per_s"] < 4.5
    assert np.isfinite(list(row.values())).all()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Kids are talking by the door", 7),
        ("table like talked wanted houses", 8),
        ("don’t", 1),
        ("été", 2),
        ("Привет, как дела?", 5),
        ("你好吗", 3),
        ("안녕하세요", 5),
        ("", 0),
        ("…!", 0),
    ],
)
def test_syllables(text, count):
    assert syllables(text) == count


def test_provenance_names_what_measured():
    known = describe("voice", SETTINGS)
    assert known["features"] == "eGeMAPSv02" and known["engine"] == "opensmile" and known["version"]
