"""The weights of features: where they lie, how they are told apart, how a checkpoint is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...core.console import hushed
from ...core.context import Context, resolve_device
from ...core.digests import known_sha256
from ...core.downloads import fetch_file
from ...core.errors import EmoscribeError, UnavailableError
from ...core.files import check_readable, read_mapping
from ...core.text import first_line
from ...core.weights import find_base, published_sha256, weights_sha256
from .settings import FEATURES, FeatureSettings

if TYPE_CHECKING:
    import torch

_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


def weights_of(name: str, features: FeatureSettings) -> str:
    """What computes a feature: a hub id, a name, a file or a folder."""
    return str(features.weights.get(name) or FEATURES[name].weights)


def fingerprint(weights: str) -> str:
    """What tells weights apart: the digest of a file's or folder's, otherwise their id.

    A store that was filled elsewhere can thus be read where no weights are.
    """
    path = Path(weights)
    if path.is_file():
        return known_sha256(path)
    return weights_sha256(path) if any(path.glob("*.safetensors")) else weights


def given_file(name: str, weights: str) -> Path | None:
    """The file that `weights` names, `None` where it is an id or a name.

    Raises:
        UnavailableError: it is a file's name, and there is no such file.
    """
    path = Path(weights)
    if path.is_file():
        return path
    if path.suffix in _SUFFIXES:
        raise lacking(name, f"there is no file {weights}")
    return None


def model_folder(name: str, weights: str, context: Context) -> Path:
    """The folder with a model's configuration and weights.

    Raises:
        UnavailableError: it is not here and cannot be had.
    """
    try:
        return find_base(weights, published_sha256(weights), context)
    except UnavailableError as error:
        raise lacking(name, str(error)) from None


def columns_of(name: str, features: FeatureSettings, context: Context) -> tuple[str, ...]:
    """What a feature's numbers are called that are those of a model's last layer.

    Raises:
        UnavailableError: the model is not here and cannot be had.
    """
    folder = model_folder(name, weights_of(name, features), context)
    return tuple(map(str, range(read_mapping(folder / "config.json").get("hidden_size", 0))))


def published_file(name: str, url: str, context: Context, sha256: str | None = None) -> Path:
    """A checkpoint in torch's cache, downloaded where it is not.

    Args:
        sha256: of it; where it is not known, how it begins is what the file's name ends in.

    Raises:
        UnavailableError: it is not here and cannot be had.
    """
    import torch

    file = urlsplit(url).path.rpartition("/")[2]
    path = Path(torch.hub.get_dir()) / "checkpoints" / file
    published = sha256 or path.stem.rpartition("-")[2]
    if path.is_file() and fingerprint(str(path)).startswith(published):
        return path
    if context.offline:
        raise lacking(name, f"{file} is not in {path.parent} as it was published")
    try:
        fetch_file(url, path, published, context.stage(name))
    except UnavailableError as error:
        raise lacking(name, f"{file} is not in {path.parent} as it was published, and {error}") from None
    return path


def lacking(name: str, why: str) -> UnavailableError:
    """Whose weights are missing, why, and what to give."""
    file = "FOLDER" if name in ("wav2vec2", "token-embeddings") else "FILE"
    return UnavailableError(f"feature {name} has no weights: {why}; or give features.weights.{name}: {file}")


def read_checkpoint(name: str, path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, or of a checkpoint of torch that holds nothing else.

    Raises:
        EmoscribeError: it is neither.
    """
    import pickle

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    check_readable(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
        return found.get("state_dict", found)
    except (OSError, RuntimeError, SafetensorError, pickle.UnpicklingError, EOFError, AttributeError):
        raise EmoscribeError(
            f"feature {name}: {path} is not a checkpoint that can be read; give a safetensors file or a "
            "state_dict saved by torch"
        ) from None


def fill(name: str, network: torch.nn.Module, tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Put a checkpoint's tensors into a network, all of them.

    Raises:
        EmoscribeError: they are another network's.
    """
    wanted = network.state_dict()
    unfit = [key for key in wanted if key not in tensors or tensors[key].shape != wanted[key].shape]
    # Counters of batches are no weights; old checkpoints lack them.
    unfit = [key for key in unfit if not key.endswith("num_batches_tracked")]
    if unfit:
        raise EmoscribeError(f"feature {name}: {path} holds another network's weights (at {unfit[0]})")
    network.load_state_dict({key: tensors[key] for key in wanted if key in tensors}, strict=False)


def pretrained(name: str, kind: Any, folder: Path, optional: tuple[str, ...]) -> Any:
    """A model of `transformers` in float32, with all of its weights.

    Args:
        kind: its class.
        optional: beginnings of names of weights that may be missing: what they do is not asked for.

    Raises:
        EmoscribeError: the folder does not hold such a model.
    """
    import torch

    asked = {"dtype": torch.float32, "use_safetensors": True, "trust_remote_code": False, "output_loading_info": True}
    try:
        with hushed():
            model, found = kind.from_pretrained(folder, **asked)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EmoscribeError(f"feature {name}: {folder} cannot be loaded: {first_line(error)}") from None
    if missing := sorted(key for key in found["missing_keys"] if not key.startswith(optional)):
        raise EmoscribeError(f"feature {name}: {folder} holds another network's weights (at {missing[0]})")
    return model


def device_for(features: FeatureSettings) -> str:
    """Where features are computed.

    Raises:
        UnavailableError: `cuda` was asked for and there is none.
    """
    return resolve_device(features.device, "features.device")
