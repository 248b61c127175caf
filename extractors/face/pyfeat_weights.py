"""py-feat's weights: where they lie, how to get them, and what to run them on."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from ...core.context import Context
from ...core.digests import sha256_of
from ...core.downloads import DownloadProgress, ask_hub, fetch_model, unwatched
from ...core.errors import UnavailableError
from ...core.weights import MODELS

# Repository and file; py-feat keeps them beside its code, whatever HF_HOME says.
DETECTOR, RATER = (
    (repository, str(MODELS[repository].file)) for repository in ("py-feat/retinaface_r34", "py-feat/face_multitask_v2")
)
# Another place for them than beside py-feat's code.
CACHE_VARIABLE = "FEAT_CACHE"
# py-feat reads its rater from the file named here instead.
_RATER_VARIABLE = "FEAT_MULTITASK_WEIGHTS"


@dataclass(frozen=True)
class Weights:
    """Files on disk."""

    detector: Path
    rater: Path

    def sha256(self) -> dict[str, str]:
        """The digest of each, for provenance."""
        return {"detector": sha256_of(self.detector), "rater": sha256_of(self.rater)}


def check_available(context: Context) -> None:
    """Whether the engine can be loaded; seconds at most.

    Raises:
        UnavailableError: py-feat is not installed, or its weights are neither
            on disk nor within reach.
    """
    if on_disk():
        return
    if context.offline:
        raise UnavailableError(f"face.engine py-feat needs its weights, which are not on this machine; {how_to_get()}")
    try:
        ask_hub(DETECTOR[0])
    except UnavailableError as error:
        raise UnavailableError(f"face.engine py-feat needs its weights, and {error}; {how_to_get()}") from None


def on_disk() -> bool:
    """Whether the weights are on this machine.

    Raises:
        UnavailableError: py-feat is not installed.
    """
    return _cached_weights() is not None


def find_weights(progress: DownloadProgress = unwatched) -> Weights:
    """The weights on disk; fetched first where they are not.

    Raises:
        UnavailableError: they are neither here nor to be had.
    """
    cached = _cached_weights()
    if cached is not None:
        return cached
    given = os.environ.get(_RATER_VARIABLE)
    wanted = [DETECTOR] if given else [DETECTOR, RATER]
    paths = []
    for index, (repository, name) in enumerate(wanted):

        def told(done: float, before: int = index) -> None:
            progress((before + done) / len(wanted))

        try:
            paths.append(fetch_model(repository, [name], cache_dir=_cache(), progress=told) / name)
        except UnavailableError as error:
            raise UnavailableError(
                f"face.engine py-feat: its weights cannot be fetched: {error}; {how_to_get()}"
            ) from None
    return Weights(paths[0], Path(given) if given else paths[1])


def _cache() -> str:
    if folder := os.environ.get(CACHE_VARIABLE):
        return folder
    spec = importlib.util.find_spec("feat")
    if spec is None or not spec.origin:
        raise UnavailableError("face.engine py-feat is not installed; get it with: pip install 'py-feat>=2.1'")
    return str(Path(spec.origin).parent / "resources")


def _cached_weights() -> Weights | None:
    from huggingface_hub import try_to_load_from_cache

    cache = _cache()
    given = os.environ.get(_RATER_VARIABLE)
    # Any other format would be unpickled.
    if given and not (Path(given).is_file() and Path(given).suffix == ".safetensors"):
        raise UnavailableError(f"{_RATER_VARIABLE} must name a .safetensors file that is there, got {given}")
    detector = try_to_load_from_cache(*DETECTOR, cache_dir=cache)
    rater = given or try_to_load_from_cache(*RATER, cache_dir=cache)
    if not isinstance(detector, str) or not isinstance(rater, str):
        return None
    return Weights(Path(detector), Path(rater))


def how_to_get() -> str:
    return (
        f"get them where there is a network with: hf download {DETECTOR[0]} --cache-dir {_cache()}, "
        f"and the same for {RATER[0]}; or take face.engine landmarker"
    )
