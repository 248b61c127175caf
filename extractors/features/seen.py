"""What is seen: what networks make of faces, and how much a picture holds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.context import Context
from ...core.errors import EmoscribeError
from ...core.text import first_line
from ...core.timeline import FaceTrack, Media
from ...core.timeline import Sequence as Rows
from ..face import pyfeat_weights as face_pyfeat_weights
from ..face.pyfeat import undisturbed
from ..media import frames_of
from .clock import Clock, nearest, taken
from .faces import SAME_FRAME_S
from .settings import FEATURES, FeatureSettings
from .weights import (
    device_for,
    fill,
    fingerprint,
    given_file,
    lacking,
    model_folder,
    published_file,
    read_checkpoint,
    weights_of,
)

if TYPE_CHECKING:
    import torch

PICTURE_ENTROPY = "picture-entropy"

# Crops (N, 3, 256, 256) in 0–1 to embeddings (N, D).
Network = Callable[["torch.Tensor"], "torch.Tensor"]

_CROPS_AT_ONCE = 32


# ── what networks make of it ─────────────────────────────────────────────────


def embedding_columns(name: str, features: FeatureSettings, context: Context) -> tuple[str, ...]:
    """The names of an embedding's values, D of them.

    Raises:
        UnavailableError: a model of unknown width is not here.
    """
    if name == "face-resnet50":
        return tuple(map(str, range(2048)))
    import torch

    network = load_network(name, features, context)
    with torch.inference_mode():
        width = network(torch.zeros(1, 3, 256, 256, device=device_for(features))).shape[1]
    return tuple(map(str, range(width)))


def describe(name: str, track: FaceTrack, features: FeatureSettings) -> dict[str, Any]:
    """All that an embedding depends on besides the file: its weights, and where faces were seen."""
    faces = hashlib.sha256(track.times_s.astype("<f8").tobytes() + track.boxes.astype("<f8").tobytes())
    return {"feature": name, "weights": fingerprint(weights_of(name, features)), "faces": faces.hexdigest()}


def load_network(name: str, features: FeatureSettings, context: Context) -> Network:
    """What turns crops into a feature, on the device that the settings say.

    Raises:
        UnavailableError: weights or device are not here.
        EmoscribeError: the weights are another network's.
    """
    path = weights_file(name, features, context)
    read = _read_pyfeat if name == "face-embedding" else _read_resnet50
    return read(path, fingerprint(str(path)), device_for(features))


def weights_file(name: str, features: FeatureSettings, context: Context) -> Path:
    """Where the weights of `face-embedding` or `face-resnet50` lie; downloaded where they are not here.

    Raises:
        UnavailableError: they cannot be had.
        EmoscribeError: the setting names none that would do.
    """
    weights = weights_of(name, features)
    if path := given_file(name, weights):
        return path
    return _rater(weights, context) if name == "face-embedding" else _resnet50(name, weights, context)


def _rater(weights: str, context: Context) -> Path:
    if weights != FEATURES["face-embedding"].weights:
        raise EmoscribeError(
            "features.weights.face-embedding must be py-feat/face_multitask_v2 or a .safetensors file "
            f"of such a model, got {weights!r}"
        )
    if context.offline and not face_pyfeat_weights.on_disk():
        raise lacking("face-embedding", face_pyfeat_weights.how_to_get())
    return face_pyfeat_weights.find_weights().rater


def _resnet50(name: str, weights: str, context: Context) -> Path:
    from torchvision.models import ResNet50_Weights

    if weights in ResNet50_Weights.__members__:
        return published_file(name, ResNet50_Weights[weights].url, context)
    return next(iter(sorted(model_folder(name, weights, context).glob("*.safetensors"))))


@lru_cache(maxsize=1)
def _read_pyfeat(path: Path, digest: str, device: str) -> Network:
    """The average over the picture of what the backbone of py-feat's multitask network gives its heads."""
    if path.suffix != ".safetensors":
        raise EmoscribeError(f"feature face-embedding: weights must be a .safetensors file, got {path}")
    try:
        with undisturbed():
            from feat.multitask.inference import MultitaskModel

            rater: Any = MultitaskModel(device=device, weights_path=str(path))
    except Exception as error:  # whatever py-feat makes of files that are none
        raise EmoscribeError(f"feature face-embedding: {path} cannot be loaded: {first_line(error)}") from None
    return lambda crops: rater.model.backbone(rater.preprocess(crops))[-1].mean(dim=(-2, -1))


@lru_cache(maxsize=1)
def _read_resnet50(path: Path, digest: str, device: str) -> Network:
    """What ResNet-50 (He et al., 2016) gives its classifier, 2048 numbers."""
    import torch
    from torchvision.models import resnet50
    from torchvision.transforms.v2 import functional

    network = resnet50(weights=None)
    network.fc = torch.nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
    fill("face-resnet50", network, read_checkpoint("face-resnet50", path), path)
    network = network.to(device).eval()
    mean, spread = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    return lambda crops: network(functional.normalize(functional.resize(crops, [224, 224]), mean, spread))


# ── pictures, once for all ───────────────────────────────────────────────────


def look(
    media: Media,
    track: FaceTrack | None,
    networks: Mapping[str, Network],
    device: str,
    entropy_hz: float | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> dict[str, Rows]:
    """Embeddings of all faces of a track, a row for each of its, and how much the pictures hold.

    The file is decoded once, and memory does not grow with it but for the
    rows.  A row whose frame is not in the file is NaN.

    Args:
        networks: by feature.
        entropy_hz: pictures a second to measure `PICTURE_ENTROPY` of, `None` for none.
    """
    embedded: dict[str, list[np.ndarray]] = {name: [] for name in networks}
    order: list[int] = []
    crops: list[torch.Tensor] = []

    def embed() -> None:
        import torch

        with torch.inference_mode():
            batch = torch.cat(crops)
            for name, network in networks.items():
                embedded[name].append(network(batch).float().cpu().numpy())
        crops.clear()

    times_s = track.times_s if track is not None and networks else np.empty(0)
    entropy: list[tuple[float, float]] = []
    next_s = -np.inf
    for frame in frames_of(replace(media, start_s=0.0, end_s=None)):
        first, last = np.searchsorted(times_s, [frame.time_s - SAME_FRAME_S, frame.time_s + SAME_FRAME_S])
        if track is not None and first < last:
            order += range(first, last)
            crops.append(crop(frame.image, track.boxes[first:last], device))
            if sum(map(len, crops)) >= _CROPS_AT_ONCE:
                embed()
        if entropy_hz is not None and frame.time_s >= next_s:
            next_s = (np.floor(frame.time_s * entropy_hz + 1e-6) + 1) / entropy_hz - 1e-6
            entropy.append((frame.time_s, grey_entropy(frame.image)))
        progress(min(frame.time_s / media.duration_s, 1.0) if media.duration_s else 1.0)
    if crops:
        embed()
    found = {}
    for name, parts in embedded.items():
        values = np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)
        rows = np.full((len(times_s), values.shape[1]), np.nan, dtype=np.float32)
        rows[order] = values
        found[name] = Rows(tuple(map(str, range(values.shape[1]))), times_s, rows)
    if entropy_hz is not None:
        at_s, bits = np.array(entropy, dtype=float).reshape(-1, 2).T
        found[PICTURE_ENTROPY] = Rows((PICTURE_ENTROPY,), at_s, bits[:, None].astype(np.float32))
    return found


def crop(image: np.ndarray, boxes: np.ndarray, device: str) -> torch.Tensor:
    """(K, 3, 256, 256) in 0–1: the square about each box (K, 4), a fifth larger, as py-feat's networks know faces."""
    import torch

    with undisturbed():
        from feat.multitask.inference import CHIP_SIZE, EXPAND_BBOX
        from feat.utils.image_operations import extract_face_square_pad_torch
    picture = torch.from_numpy(image).to(device).permute(2, 0, 1)[None].float() / 255.0
    every = torch.from_numpy(boxes).float().to(device)
    of_picture = torch.zeros(len(boxes), dtype=torch.long, device=device)
    crops, _ = extract_face_square_pad_torch(
        picture, every, face_size=CHIP_SIZE, expand_bbox=EXPAND_BBOX, frame_idx=of_picture
    )
    return crops


# ── informative frames ───────────────────────────────────────────────────────


def grey_entropy(image: np.ndarray) -> float:
    """Bits that a pixel's grey level holds (Shannon, 1948), 0 to 8, of a picture (H, W, 3) uint8 RGB."""
    import cv2

    counts = np.bincount(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).ravel(), minlength=256)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def informative(pictures: Rows, clock: Clock) -> Rows:
    """How much the picture holds at each frame (T, 1), in bits; NaN where none is shown."""
    apart_s = float(np.median(np.diff(pictures.times_s))) if len(pictures.times_s) > 1 else np.inf
    rows = nearest(pictures.times_s, clock, max(apart_s, 1.0 / clock.rate_hz))
    return Rows((PICTURE_ENTROPY,), clock.times_s, taken(pictures.values, rows))


def most_informative(entropy: np.ndarray, share: float) -> np.ndarray:
    """Indices, in order of time, of the share of frames whose picture holds most; of equals the earlier.

    All of them where no picture was seen.

    Args:
        entropy: (T,) bits, as `informative` gives them; NaN counts for least.
        share: above 0, up to 1; at least one frame is kept.
    """
    if not np.isfinite(entropy).any():
        return np.arange(len(entropy))
    kept = max(1, round(share * len(entropy)))
    order: Sequence[int] = np.argsort(-np.nan_to_num(entropy, nan=-1.0), kind="stable").tolist()
    return np.sort(order[:kept])
