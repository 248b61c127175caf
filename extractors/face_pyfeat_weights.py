"""py-feat's weights: where they lie, how to get them, and what to run them on."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import UnavailableError

# py-feat keeps its weights beside its code, whatever HF_HOME says.
_DETECTOR = ("py-feat/retinaface_r34", "model.safetensors")
_RATER = ("py-feat/face_multitask_v2", "face_multitask_v28.safetensors")
# py-feat reads its rater from the file named here instead.
_RATER_VARIABLE = "FEAT_MULTITASK_WEIGHTS"

# A hub that takes longer to answer is as good as out of reach.
_HUB_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Weights:
    """Files on disk."""

    detector: Path
    rater: Path

    def sha256(self) -> dict[str, str]:
        """The digest of each, for provenance."""
        digests = {}
        for name, path in (("detector", self.detector), ("rater", self.rater)):
            with path.open("rb") as file:
                digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
        return digests


def check_available(offline: bool = False) -> None:
    """Whether `track_faces` will work; seconds at most.

    Raises:
        UnavailableError: py-feat is not installed, or its weights are neither
            on disk nor within reach.
    """
    if _cached_weights() is None and (offline or not _hub_answers()):
        raise UnavailableError(
            f"face.engine py-feat needs its weights, and the model hub cannot be reached; {how_to_get()}"
            if not offline
            else f"face.engine py-feat needs its weights, which are not on this machine; {how_to_get()}"
        )


def find_weights() -> Weights:
    """The weights on disk; fetched first where they are not.

    Raises:
        UnavailableError: they are neither here nor to be had.
    """
    cached = _cached_weights()
    if cached is not None:
        return cached
    check_available()
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        detector = hf_hub_download(*_DETECTOR, cache_dir=_cache())
        rater = os.environ.get(_RATER_VARIABLE) or hf_hub_download(*_RATER, cache_dir=_cache())
    except (OSError, HfHubHTTPError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnavailableError(
            f"face.engine py-feat: its weights cannot be fetched ({reason}); {how_to_get()}"
        ) from None
    return Weights(Path(detector), Path(rater))


def gpu_is_here() -> bool:
    """Whether torch can use an NVIDIA GPU; torch is imported only where there is a driver."""
    if "torch" not in sys.modules:
        try:
            driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        except OSError:
            return False
        count = ctypes.c_int(0)
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
            return False
    import torch

    return torch.cuda.is_available()


def device(asked: str) -> str:
    """The device for `auto`, or the one that was asked for.

    Raises:
        UnavailableError: `cuda` was asked for and is not there.
    """
    if asked == "cuda" and not gpu_is_here():
        raise UnavailableError("face.device cuda: no GPU that torch can use; take auto or cpu")
    return asked if asked != "auto" else "cuda" if gpu_is_here() else "cpu"


def _cache() -> str:
    spec = importlib.util.find_spec("feat")
    if spec is None or not spec.origin:
        raise UnavailableError("face.engine py-feat is not installed; get it with: pip install 'py-feat>=2.1'")
    return str(Path(spec.origin).parent / "resources")


def _cached_weights() -> Weights | None:
    from huggingface_hub import try_to_load_from_cache

    cache = _cache()
    detector = try_to_load_from_cache(*_DETECTOR, cache_dir=cache)
    rater = os.environ.get(_RATER_VARIABLE) or try_to_load_from_cache(*_RATER, cache_dir=cache)
    if not isinstance(detector, str) or not isinstance(rater, str):
        return None
    # Any other format would be unpickled.
    if not Path(rater).is_file() or Path(rater).suffix != ".safetensors":
        raise UnavailableError(f"{_RATER_VARIABLE} must name a .safetensors file that is there, got {rater}")
    return Weights(Path(detector), Path(rater))


def _hub_answers() -> bool:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    from huggingface_hub import constants, hf_hub_url

    if constants.is_offline_mode():
        return False
    try:
        urlopen(Request(hf_hub_url(*_DETECTOR), method="HEAD"), timeout=_HUB_TIMEOUT_S).close()
    except HTTPError as error:
        return error.code < 400
    except (OSError, ValueError):
        return False
    return True


def how_to_get() -> str:
    return (
        f"get them where there is a network with: hf download {_DETECTOR[0]} --cache-dir {_cache()}, "
        f"and the same for {_RATER[0]}; or take face.engine mediapipe"
    )
