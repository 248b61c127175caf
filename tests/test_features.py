"""Features over time: on one clock, measured once, NaN where there is nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError, UnavailableError
from emoscribe.core.timeline import Cues, FaceTrack, Transcript, Utterance, VoiceTrack, Word, timed_words
from emoscribe.extractors import media
from emoscribe.extractors.engines import Engines
from emoscribe.extractors.features import heard, said, seen, vggish
from emoscribe.extractors.features.clock import Clock, averaged, clock_of, held, nearest
from emoscribe.extractors.features.sequences import columns, sequences_of
from emoscribe.extractors.features.settings import FEATURES, FeatureSettings
from emoscribe.extractors.perceive import decide, modalities_for, perceive_over_time
from emoscribe.extractors.settings import FaceSettings, SpeechSettings
from emoscribe.extractors.sources import FileSource
from emoscribe.extractors.store import CueStore
from emoscribe.llm.settings import AnalyzeSettings

RATE = 16_000
MESH = FaceSettings(engine="landmarker", device="cpu", sampling_fps=5.0)

OFFLINE = Context(offline=True)


def speechlike(seconds: float) -> np.ndarray:
    """A gliding, pulsing harmonic sound with a little noise."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * 0.7 * time_s)) / RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 12))
    pulse = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * time_s)
    return 0.1 * pulse * tone + 0.002 * np.random.default_rng(0).standard_normal(len(time_s))


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory, make_media) -> Path:
    return make_media(tmp_path_factory.mktemp("sound") / "spoken.wav", sound=speechlike(3.0))


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_bert: Path) -> Path:
    """A folder of models under their ids: a tiny BERT and a tiny wav2vec 2.0."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    folder = tmp_path / "models"
    shutil.copytree(tiny_bert, folder / "tiny-bert")
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
    )
    Wav2Vec2Model(config).save_pretrained(folder / "tiny-wav2vec2")
    monkeypatch.setenv("EMOSCRIBE_MODELS", str(folder))
    return folder


def settings_for(*names: str, **given) -> FeatureSettings:
    weights = {"token-embeddings": "some/tiny-bert", "wav2vec2": "some/tiny-wav2vec2", **given.pop("weights", {})}
    return FeatureSettings(names=names, weights=weights, device="cpu", **given)


# ── the clock ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("start_s", "end_s", "rate_hz", "frames"),
    [(0.0, 2.0, 25.0, 50), (0.0, 2.01, 25.0, 51), (1.5, 3.5, 10.0, 20), (0.0, 0.0, 25.0, 1), (0.0, 0.1 * 3, 10.0, 3)],
)
def test_a_clock_covers_its_stretch(start_s: float, end_s: float, rate_hz: float, frames: int) -> None:
    clock = clock_of(start_s, end_s, rate_hz)
    assert clock.frames == frames
    assert clock.times_s == pytest.approx(np.arange(frames) / rate_hz)


def test_rows_of_a_frame_are_averaged() -> None:
    times_s = np.array([1.0, 1.1, 1.2, 1.3, 1.6])
    values = np.array([[1.0, 5.0], [3.0, np.nan], [10.0, np.nan], [20.0, 2.0], [7.0, 7.0]])
    laid = averaged(times_s, values, Clock(1.0, 6, 5.0), reach_s=0.15)
    expected = [
        [2.0, 5.0],  # the mean of what was measured
        [15.0, 2.0],
        [20.0, 2.0],  # none lies in 1.4–1.6, and that at 1.3 is nearest to 1.4
        [7.0, 7.0],
        [np.nan, np.nan],  # 0.2 s after the last
        [np.nan, np.nan],
    ]
    assert laid.dtype == np.float32
    np.testing.assert_allclose(laid, np.array(expected, dtype=np.float32))


def test_rows_are_held_over_their_time() -> None:
    starts, ends = np.array([0.0, 0.25, 0.7, 5.0]), np.array([0.25, 0.4, 0.7, 6.0])
    values = np.array([[1.0, np.nan], [4.0, 2.0], [9.0, 9.0], [8.0, 8.0]])
    laid = held(starts, ends, values, Clock(0.0, 10, 10.0))
    assert laid[:4, 0].tolist() == pytest.approx([1.0, 1.0, 2.5, 4.0])  # both share the third frame
    assert laid[2:4, 1].tolist() == pytest.approx([2.0, 2.0])
    assert laid[7].tolist() == [9.0, 9.0]  # an instant
    assert np.isnan(laid[[4, 5, 6, 8, 9]]).all() and np.isnan(laid[:2, 1]).all()


def test_the_nearest_row_within_reach() -> None:
    times_s = np.array([0.0, 0.5, 2.0])
    assert nearest(times_s, Clock(0.0, 6, 2.0), 0.5).tolist() == [0, 1, 1, 2, 2, 2]
    assert nearest(times_s, Clock(0.0, 6, 2.0), 0.4).tolist() == [0, 1, -1, -1, 2, -1]
    assert nearest(times_s[:1], Clock(0.0, 2, 1.0), np.inf).tolist() == [0, 0]
    assert nearest(times_s[:0], Clock(0.0, 2, 1.0), np.inf).tolist() == [-1, -1]


# ── sound ────────────────────────────────────────────────────────────────────


def test_descriptors_are_averaged_into_frames(spoken: Path) -> None:
    import opensmile

    clip = FileSource(spoken)
    features = settings_for("egemaps", "compare")
    found = sequences_of(clip, Cues(clip.media), features)
    assert {name: sequence.values.shape for name, sequence in found.items()} == {
        "egemaps": (75, 25),
        "compare": (75, 65),
    }
    with media.sound(spoken) as sound:
        samples = sound.read(0.0, 3.0)
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors)
    rows = smile.process_signal(samples, RATE)
    assert found["egemaps"].names == tuple(rows.columns)
    by_hand = rows.to_numpy()[: 4 * 70].reshape(70, 4, 25).mean(axis=1)
    assert found["egemaps"].values[:70] == pytest.approx(by_hand, rel=1e-4, abs=1e-5)
    stretch = sequences_of(clip, Cues(clip.media), features, interval=(1.0, 2.0))["egemaps"]
    assert stretch.times_s == pytest.approx(np.arange(25) / 25)
    assert np.array_equal(stretch.values, found["egemaps"].values[25:50])


@pytest.mark.parametrize("name", ["egemaps", "log-mel"])
def test_long_sound_is_read_in_windows(name: str, spoken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = settings_for(name)
    with media.sound(spoken) as sound:
        whole = heard.measure(name, sound, features, OFFLINE)
        monkeypatch.setattr(heard, "WINDOW_S", 1.0)
        parts = heard.measure(name, sound, features, OFFLINE)
    assert parts.times_s == pytest.approx(whole.times_s)
    spread = whole.values.std(axis=0) + 1e-6
    apart = np.abs(parts.values - whole.values) / spread
    # openSMILE traces pitch from what came before: a few rows differ.
    assert np.median(apart) < 1e-3 and apart.mean() < 0.05


def test_the_spectrogram_against_a_library_s(spoken: Path) -> None:
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    with media.sound(spoken) as sound:
        samples = sound.read(0.0, 1.0)
    filters = mel_filter_bank(257, 64, 125.0, 7500.0, RATE, None, "htk", True)
    expected = spectrogram(
        samples, window_function(400, "hann"), 400, 160, 512, power=1.0, center=False, mel_filters=filters
    )
    assert vggish.log_mel(samples) == pytest.approx(np.log(expected.T + 0.01), abs=1e-3)
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    # HTK's mel: 1000 Hz is 1000 mel, of 185 to 2774 in 65 steps.
    assert set(vggish.log_mel(tone).argmax(axis=1)) == {round((1000 - 185) / (2774 - 185) * 65) - 1}
    assert vggish.log_mel(np.zeros(399)).shape == (0, 64)


def test_vggish_from_a_file(spoken: Path, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    with torch.device("meta"):
        network = vggish.VGGish()
    state = {
        # Torchvggish numbers its layers so; weights that neither fade nor explode.
        key: torch.randn(meta.shape, dtype=torch.float16) / max(meta[0].numel(), 1) ** 0.5
        for key, meta in network.state_dict().items()
    }
    assert list(state)[::2] == [
        *(f"features.{layer}.weight" for layer in (0, 3, 6, 8, 11, 13)),
        *(f"embeddings.{layer}.weight" for layer in (0, 2, 4)),
    ]
    torch.save(state, tmp_path / "vggish.pth")
    features = settings_for("vggish", weights={"vggish": str(tmp_path / "vggish.pth")})
    with media.sound(spoken) as sound:
        measured = heard.measure("vggish", sound, features, OFFLINE)
        samples = sound.read(0.0, 3.0)
    assert measured.values.shape[1] == 128 and measured.values.std() > 0
    assert measured.times_s == pytest.approx(0.48 + 0.24 * np.arange(len(measured.times_s)))
    network = vggish.VGGish().eval()
    network.load_state_dict({key: value.float() for key, value in state.items()})
    patch = vggish.log_mel(samples)[24:120]
    with torch.inference_mode():
        assert measured.values[1] == pytest.approx(network(torch.tensor(patch)[None])[0].numpy(), rel=1e-3, abs=1e-4)
    clip = FileSource(spoken)
    assert np.isfinite(sequences_of(clip, Cues(clip.media), features)["vggish"].values).all()
    torch.save({key: value for key, value in state.items() if "embeddings.2" not in key}, tmp_path / "less.pth")
    with pytest.raises(EmoscribeError, match=r"another network's weights \(at embeddings\.2\.weight\)"):
        sequences_of(clip, Cues(clip.media), settings_for("vggish", weights={"vggish": str(tmp_path / "less.pth")}))


def test_wav2vec2_at_fifty_rows_a_second(spoken: Path, models: Path) -> None:
    import torch
    from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2Model

    features = settings_for("wav2vec2")
    with media.sound(spoken) as sound:
        measured = heard.measure("wav2vec2", sound, features, OFFLINE)
        samples = sound.read(0.0, 3.0)
    model = Wav2Vec2Model.from_pretrained(models / "tiny-wav2vec2").eval()
    prepared = Wav2Vec2FeatureExtractor()(samples, sampling_rate=RATE, return_tensors="pt").input_values
    with torch.inference_mode():
        expected = model(prepared).last_hidden_state[0].numpy()
    assert measured.values == pytest.approx(expected, abs=1e-4)
    assert measured.times_s == pytest.approx(0.0125 + 0.02 * np.arange(149))
    clip = FileSource(spoken)
    values = sequences_of(clip, Cues(clip.media), features)["wav2vec2"].values
    assert values.shape == (75, 16) and np.isfinite(values).all()
    assert values[1] == pytest.approx(expected[2:4].mean(axis=0), abs=1e-4)  # 52.5 and 72.5 ms


def test_the_voice_is_held_over_its_windows(spoken: Path) -> None:
    clip = FileSource(spoken)
    values = np.array([[200.0, 3.0], [np.nan, 5.0]])
    track = VoiceTrack(("pitch_hz", "hnr_db"), np.array([0.2, 2.0]), np.array([1.0, 2.6]), ("A", "B"), values)
    found = sequences_of(clip, Cues(clip.media, voice=track), settings_for("voice-measures", rate_hz=10.0))[
        "voice-measures"
    ]
    assert found.names == track.names
    assert np.flatnonzero(np.isfinite(found.values[:, 0])).tolist() == list(range(2, 10))
    assert np.flatnonzero(found.values[:, 1] == 5.0).tolist() == list(range(20, 26))


# ── words ────────────────────────────────────────────────────────────────────


def transcript(*utterances: Utterance) -> Transcript:
    return Transcript(utterances, "en", "test")


def states_of(folder: Path, text: str, layers: int) -> np.ndarray:
    """The hidden states of a text's tokens by the library alone."""
    import torch
    from transformers import AutoModel, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    model = AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        hidden = model(torch.tensor([tokenizer.encode(text)]), output_hidden_states=True).hidden_states
    return torch.stack(hidden[-layers:]).sum(dim=0)[0].numpy()


def test_tokens_last_as_long_as_their_words(models: Path) -> None:
    words = (Word(0.0, 0.4, "great"), Word(0.8, 1.2, "happy,"), Word(1.2, 1.3, "day"))
    features = settings_for("token-embeddings", rate_hz=10.0)
    (found,) = said.text_sequences([transcript(Utterance(0.0, 1.3, "…", words=words))], [2.0], features)
    states = states_of(models / "tiny-bert", "great happy, day", layers=1)  # [CLS] great happy , day [SEP]
    assert found.values.shape == (20, 32)
    assert found.values[:4] == pytest.approx(np.tile(states[1], (4, 1)), abs=1e-5)
    assert found.values[8:12] == pytest.approx(np.tile(states[2:4].mean(axis=0), (4, 1)), abs=1e-5)
    assert found.values[12] == pytest.approx(states[4], abs=1e-5)
    assert np.isnan(found.values[4:8]).all() and np.isnan(found.values[13:]).all()


def test_words_without_times_share_the_utterance() -> None:
    words = timed_words(Utterance(1.0, 3.0, "so get out  today"))
    assert [word.text for word in words] == ["so", "get", "out", "today"]
    assert [word.start_s for word in words] == pytest.approx([1.0, 1 + 6 / 17, 1 + 14 / 17, 1 + 22 / 17])
    assert words[-1].end_s == pytest.approx(3.0)
    assert timed_words(Utterance(0.0, 1.0, " ")) == ()


def test_the_last_four_layers_are_summed(tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(1)
    config = BertConfig.from_pretrained(tiny_bert, num_hidden_layers=5)
    BertModel(config).save_pretrained(tmp_path / "deep")
    shutil.copy(tiny_bert / "tokenizer.json", tmp_path / "deep")
    monkeypatch.setenv("EMOSCRIBE_MODELS", str(tmp_path))
    features = settings_for("token-embeddings", weights={"token-embeddings": "deep"}, rate_hz=1.0)
    (found,) = said.text_sequences([transcript(Utterance(0.0, 1.0, "today"))], [1.0], features)
    assert found.values[0] == pytest.approx(states_of(tmp_path / "deep", "today", layers=4)[1], abs=1e-4)


def test_many_at_once_are_as_each_alone(models: Path) -> None:
    texts = ["what", "", "get out today " * 40, "a great day [SEP]", "so awful"]  # the third is too long for the model
    lines = [transcript(Utterance(0.0, 2.0, text)) if text else transcript() for text in texts]
    features = settings_for("token-embeddings")
    together = said.text_sequences(lines, [2.0] * 5, features)
    assert all(sequence.values.shape == (50, 32) for sequence in together)
    assert [bool(np.isfinite(sequence.values).all()) for sequence in together] == [True, False, True, True, True]
    assert np.isnan(together[1].values).all()
    for line, sequence in zip(lines, together, strict=True):
        (alone,) = said.text_sequences([line], [2.0], features)
        np.testing.assert_allclose(alone.values, sequence.values, atol=1e-4)


# ── a clip as a whole ────────────────────────────────────────────────────────


def test_nothing_is_computed_twice(spoken: Path, models: Path, tmp_path: Path) -> None:
    clip = FileSource(spoken)
    cues = Cues(clip.media, transcript=transcript(Utterance(0.5, 2.5, "what a great day")))
    features = settings_for("wav2vec2", "log-mel", "token-embeddings")
    store = CueStore(tmp_path / "store")
    told: list[float] = []
    first = sequences_of(
        clip, cues, features, Context(offline=True, store=store, progress=lambda _, done: told.append(done))
    )
    assert told == sorted(told) and told[-1] == 1.0
    shutil.rmtree(models)
    again = sequences_of(clip, cues, features, Context(offline=True, store=CueStore(tmp_path / "store")))
    assert all(np.array_equal(first[n].values, again[n].values, equal_nan=True) for n in features.names)
    # What was heard, also by another clock and of a stretch …
    slower = features.model_copy(update={"rate_hz": 5.0})
    stretch = sequences_of(clip, cues, slower, Context(offline=True, store=store), ["wav2vec2"], interval=(1.0, 2.0))
    assert stretch["wav2vec2"].values.shape == (5, 16)
    # … but other words are not those that were kept.
    other = Cues(clip.media, transcript=transcript(Utterance(0.5, 2.5, "so awful")))
    with pytest.raises(UnavailableError, match=r"features\.weights\.token-embeddings: FOLDER"):
        sequences_of(clip, other, features, Context(offline=True, store=store))


def test_words_of_a_stretch(spoken: Path, models: Path, tmp_path: Path) -> None:
    clip = FileSource(spoken)
    words = (Word(0.2, 0.6, "what"), Word(1.6, 2.0, "happy"))
    cues = Cues(clip.media, transcript=transcript(Utterance(0.2, 2.0, "what happy", words=words)))
    features = settings_for("token-embeddings", rate_hz=10.0)
    store = CueStore(tmp_path / "store")
    late = sequences_of(clip, cues, features, Context(store=store), interval=(1.5, None))["token-embeddings"].values
    assert late.shape == (15, 32)
    assert np.flatnonzero(np.isfinite(late[:, 0])).tolist() == [1, 2, 3, 4]
    whole = sequences_of(clip, cues, features, Context(store=store))["token-embeddings"].values
    assert np.flatnonzero(np.isfinite(whole[:, 0])).tolist() == [2, 3, 4, 5, 16, 17, 18, 19]


def test_a_signal_that_is_missing_is_nan_of_the_usual_width(models: Path, tmp_path: Path, make_media) -> None:
    silent = FileSource(make_media(tmp_path / "silent.mp4", frame_times_s=np.arange(10) / 10))
    names = ("face-measures", "egemaps", "log-mel", "vggish", "wav2vec2", "voice-measures", "token-embeddings")
    features = settings_for(*names, rate_hz=5.0)
    found = sequences_of(silent, Cues(silent.media), features, OFFLINE)
    widths = {name: sequence.values.shape[1] for name, sequence in found.items()}
    assert widths == {name: len(columns(name, features, OFFLINE)) for name in names}
    assert widths["vggish"] == 128 and widths["token-embeddings"] == 32 and widths["face-measures"] > 60
    assert all(np.isnan(sequence.values).all() and len(sequence.values) == 5 for sequence in found.values())


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("face-resnet50", "weights.pth", r"there is no file weights\.pth.*features\.weights\.face-resnet50: FILE"),
        ("vggish", "torchvggish", r"feature vggish has no weights.*features\.weights\.vggish: FILE"),
        ("wav2vec2", "some/where", r"feature wav2vec2 has no weights.*features\.weights\.wav2vec2: FOLDER"),
    ],
)
def test_weights_that_are_missing(
    name: str,
    weights: str,
    message: str,
    spoken: Path,
    feat_media: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    face_track: FaceTrack,
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    clip = FileSource(feat_media / "single_face.jpg" if FEATURES[name].letter == "V" else spoken)
    with pytest.raises(UnavailableError, match=message) as refusal:
        sequences_of(
            clip, Cues(clip.media, face=face_track), settings_for(name, weights={name: weights}), Context(offline=True)
        )
    assert "\n" not in str(refusal.value)


# ── informative frames ───────────────────────────────────────────────────────


def test_how_much_a_picture_holds() -> None:
    flat = np.full((16, 16, 3), 80, dtype=np.uint8)
    halves, every = flat.copy(), np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    halves[:8] = 200
    assert [seen.grey_entropy(image) for image in (flat, halves, every)] == pytest.approx([0.0, 1.0, 8.0])


def test_the_frames_that_hold_most_are_kept(tmp_path: Path, make_media, spoken: Path) -> None:
    assert seen.most_informative(np.array([1.0, 5.0, np.nan, 5.0, 2.0]), 0.6).tolist() == [1, 3, 4]
    assert seen.most_informative(np.array([1.0, 5.0, 2.0]), 0.01).tolist() == [1]
    features = settings_for("log-mel", rate_hz=10.0, informative_share=0.5)
    video = FileSource(make_media(tmp_path / "grey.mp4", frame_times_s=np.arange(20) / 10, sound=speechlike(2.0)))
    entropy = sequences_of(video, Cues(video.media), features)["picture-entropy"]
    assert entropy.values.shape == (20, 1) and np.isfinite(entropy.values).all()
    heard_only = FileSource(spoken)
    unseen = sequences_of(heard_only, Cues(heard_only.media), features)["picture-entropy"].values[:, 0]
    assert np.isnan(unseen).all()
    assert seen.most_informative(unseen, 0.5).tolist() == list(range(30))


# ── all together ─────────────────────────────────────────────────────────────


def test_a_talking_head(shared: Path, models: Path, tmp_path: Path, engines: Engines) -> None:
    names = ("face-measures", "egemaps", "voice-measures", "token-embeddings")
    features = settings_for(*names)
    assert modalities_for(names) == "TVA" and modalities_for(["egemaps"]) == ""
    asked = AnalyzeSettings(face=MESH, speech=SpeechSettings(engine="pocketsphinx"), offline=True)
    settings, _ = decide(asked, OFFLINE)
    words = transcript(Utterance(0.5, 4.0, "today what a great day"), Utterance(4.5, 7.5, "get out so happy"))
    store = CueStore(tmp_path / "store")
    clip = FileSource(shared / "media" / "talking-head.mp4", store=store)
    context = Context(offline=True, store=store)
    cues = perceive_over_time(clip, settings, features, engines, context, interval=(1.0, 5.0), transcript=words)
    assert {name: sequence.values.shape for name, sequence in cues.sequences.items()} == {
        "face-measures": (100, 143),
        "egemaps": (100, 25),
        "voice-measures": (100, 18),
        "token-embeddings": (100, 32),
    }
    assert all(np.array_equal(sequence.times_s, np.arange(100) / 25) for sequence in cues.sequences.values())
    measured = {name: np.isfinite(sequence.values).any(axis=1) for name, sequence in cues.sequences.items()}
    assert measured["face-measures"].all() and measured["egemaps"].all()
    # Nothing is said from 4.0 to 4.5 s.
    assert np.flatnonzero(~measured["token-embeddings"]).tolist() == list(range(75, 87))
    assert np.flatnonzero(~measured["voice-measures"]).tolist() == list(range(75, 87))
    assert cues.provenance["features"]["rate_hz"] == 25.0
