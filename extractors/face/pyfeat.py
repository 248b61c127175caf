"""Faces by py-feat 2: RetinaFace finds them, one network rates all there is to rate.

The parts of py-feat's `Detectorv2` are put together here rather than the
detector used whole: boxes can be bounded between the two networks, the faces
are not identified by a third one that would have to be fetched too, and
nothing is asked of the hub once the weights are on disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import numpy as np

from ...core.context import Context, resolve_device
from ...core.errors import UnavailableError
from ...core.measures import UnitScale
from ..media import Frame
from ..registry import EngineSpec, Need
from ..settings import FaceSettings
from .identity import look
from .pyfeat_weights import Weights, check_available, find_weights, how_to_get, on_disk
from .track import Face, Seen, Vocabulary

SOURCE = "py-feat"

# Frames that are looked at together, by device.
BATCH_SIZES = {"cpu": 1, "cuda": 16}

# RetinaFace's own threshold in `Detectorv2`.
_LEAST_CONFIDENCE = 0.5

# What is on the device at a time, whatever the size of the frames and however
# many faces are asked for.  RetinaFace takes some 150 bytes a pixel, and
# py-feat's way to crop copies the frame for each face, at 12 bytes a pixel.
PIXELS_FOUND_IN = 2**24
PIXELS_CROPPED_FROM = 2**26
_FACES_RATED = 64

# py-feat's emotions in the words of our labels.
_EMOTIONS = {"happy": "joy", "sad": "sadness"}


# Richet et al. (2024) name units above 0.5; py-feat gives probabilities.  Its
# dimpler and lip suck are rare and uncertain in its own benchmarks.
SCALE = UnitScale(grades=(0.4, 0.5, 0.8), unspoken=("AU14", "AU28"))

# What it can afford, in frames a second: on a CPU it needs about a second a face.
SAMPLING_FPS = {"cuda": 10.0, "cpu": 1.0}


class PyFeatEngine:
    """RetinaFace and the multitask network on one device."""

    def __init__(self, weights: Weights, settings: FaceSettings) -> None:
        device = resolve_device(settings.device, "face.device")
        self.networks = load_networks(weights, device)
        self._max_faces = settings.max_faces
        self._together = settings.batch_size or BATCH_SIZES[device]
        self.vocabulary = Vocabulary(
            SOURCE, self.networks.unit_names, SCALE, emotions=self.networks.emotion_names, rates_affect=True
        )

    def see(self, frames: Iterable[Frame]) -> Iterator[Seen]:
        """The largest faces of each frame; the next frames are decoded meanwhile."""
        for batch in ahead(batches_of(iter(frames), self._together)):
            for frame, faces in zip(batch, self.networks.rate(batch, self._max_faces), strict=True):
                yield Seen(frame.time_s, faces)


# ── py-feat, at the door ─────────────────────────────────────────────────────


class Networks:
    """RetinaFace and the multitask network on one device."""

    def __init__(self, weights: Weights, device: str) -> None:
        from feat.face_detectors.Retinaface.Retinaface_test import Retinaface
        from feat.multitask.inference import MultitaskModel
        from safetensors.torch import load_file

        self._device = device
        self.detector = Retinaface(device=device, detection_threshold=_LEAST_CONFIDENCE, pretrained="none")
        self.detector.net.load_state_dict(load_file(weights.detector, device=device), strict=True)
        self.rater = MultitaskModel(device=device, weights_path=str(weights.rater))
        self.unit_names: tuple[str, ...] = tuple(self.rater.au_names)
        names = [name.lower() for name in self.rater.emotion_names]
        self.emotion_names: tuple[str, ...] = tuple(_EMOTIONS.get(name, name) for name in names)

    def rate(self, batch: Sequence[Frame], max_faces: int) -> list[list[Face]]:
        """The largest faces of each frame; frames of a batch are of one size."""
        import torch

        with torch.inference_mode():
            pictures = torch.from_numpy(np.stack([frame.image for frame in batch])).to(self._device)
            pictures = pictures.permute(0, 3, 1, 2).float()
            shape = pictures.shape[-2:]
            boxes = [_largest(found, max_faces, shape) for found in self.detector(pictures)]
            every = np.concatenate(boxes)
            frame_of = np.repeat(np.arange(len(batch)), [len(found) for found in boxes])
            at_once = min(_FACES_RATED, max(1, PIXELS_CROPPED_FROM // (shape[0] * shape[1])))
            faces: list[Face] = []
            for first in range(0, len(every), at_once):
                part = slice(first, first + at_once)
                rated = self.rater(self._crop(pictures, frame_of[part], every[part]))
                images = [batch[index].image for index in frame_of[part]]
                faces += [
                    _face(image, box, rated, row)
                    for row, (image, box) in enumerate(zip(images, every[part], strict=True))
                ]
        following = iter(faces)
        return [[next(following) for _ in found] for found in boxes]

    def _crop(self, pictures: Any, frame_of: np.ndarray, boxes: np.ndarray) -> Any:
        """(K, 3, 256, 256) in 0–1 of boxes (K, 4) in pictures (B, 3, H, W) in 0–255."""
        import torch
        from feat.multitask.inference import CHIP_SIZE, EXPAND_BBOX
        from feat.utils.image_operations import extract_face_square_pad_torch

        chips, _ = extract_face_square_pad_torch(
            pictures,
            torch.from_numpy(boxes).float().to(self._device),
            face_size=CHIP_SIZE,
            expand_bbox=EXPAND_BBOX,
            frame_idx=torch.from_numpy(frame_of).to(self._device),
        )
        return chips / 255.0


def load_networks(weights: Weights, device: str) -> Networks:
    """Both networks, with torch and the environment as they were found.

    Raises:
        UnavailableError: the weights are none, or of other networks.
    """
    try:
        with undisturbed():
            return Networks(weights, device)
    except Exception as error:  # whatever torch and py-feat make of files that are none
        reason = " ".join(str(error).split())[:100]
        raise UnavailableError(
            f"face.engine py-feat cannot load its weights ({type(error).__name__}: {reason}); {how_to_get()}"
        ) from error


@contextmanager
def undisturbed() -> Iterator[None]:
    """What py-feat changes for everybody is changed back, whether it loads or not.

    Importing it sets `OMP_NUM_THREADS` to 1, from which torch takes its number
    of threads, and building its detector turns gradients off.
    """
    import torch

    threads, gradients = torch.get_num_threads(), torch.is_grad_enabled()
    variable = os.environ.get("OMP_NUM_THREADS")
    try:
        yield
    finally:
        if variable is None:
            os.environ.pop("OMP_NUM_THREADS", None)
        torch.set_num_threads(threads)
        torch.set_grad_enabled(gradients)


def _largest(found: list[list[float]], max_faces: int, shape: Sequence[int]) -> np.ndarray:
    """(K, 4) boxes of RetinaFace's rows, the largest first, at most `max_faces`.

    RetinaFace bounds neither their number nor their size; a face that is cut
    off by the edge may reach beyond it, but not by more than half a picture.
    """
    height, width = shape
    picture = np.array([width, height, width, height], dtype=float)
    boxes = np.nan_to_num(np.array(found, dtype=float).reshape(-1, 5)[:, :4])
    boxes = np.clip(boxes, -0.5 * picture, 1.5 * picture)
    inside = np.clip(boxes, 0.0, picture)
    area = np.prod(inside[:, 2:] - inside[:, :2], axis=1)
    order = np.argsort(-area, kind="stable")[:max_faces]
    return boxes[order[area[order] > 0]]


def _face(image: np.ndarray, box: np.ndarray, rated: Any, row: int) -> Face:
    # py-feat's network gives pitch with down positive and yaw with the
    # person's right positive, which is the viewer's left; radians.
    pitch, yaw, roll = np.degrees(rated.pose[row, :3])
    return Face(
        box=box,
        units=rated.au[row],
        emotions=rated.emotion[row],
        valence=float(rated.valence[row]),
        arousal=float(rated.arousal[row]),
        pose=np.array([-pitch, -yaw, -roll]),
        look=look(image, box),
    )


def batches_of(stream: Iterator[Frame], size: int) -> Iterator[list[Frame]]:
    """Frames in batches of at most `size`, and of fewer where they are large; those of a batch of one shape."""
    batch: list[Frame] = []
    for frame in stream:
        height, width = frame.image.shape[:2]
        most = min(size, max(1, PIXELS_FOUND_IN // (height * width)))
        if batch and (len(batch) == most or batch[0].image.shape != frame.image.shape):
            yield batch
            batch = []
        batch.append(frame)
    if batch:
        yield batch


def ahead(batches: Iterator[list[Frame]]) -> Iterator[list[Frame]]:
    """Each batch, while the next one is decoded."""
    with ThreadPoolExecutor(1, thread_name_prefix="decoding") as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


# ── in the table ─────────────────────────────────────────────────────────────


def _needs(settings: FaceSettings) -> list[Need]:
    try:
        missing = None if on_disk() else "not downloaded"
    except UnavailableError as error:
        return [Need("py-feat", str(error))]
    return [Need("py-feat's weights", missing, fetch=find_weights)]


def _complete(settings: FaceSettings, context: Context) -> FaceSettings:
    check_available(context)
    device = resolve_device(settings.device, "face.device")
    fps = SAMPLING_FPS[device] if settings.sampling_fps == "auto" else settings.sampling_fps
    return settings.model_copy(update={"device": device, "sampling_fps": fps})


def _describe(settings: FaceSettings) -> dict[str, Any]:
    return {
        "version": version("py-feat"),
        "sampling_fps": settings.sampling_fps,
        "max_faces": settings.max_faces,
        # On a GPU the rater computes in bfloat16.
        "precision": "bfloat16" if settings.device == "cuda" else "float32",
        "weights_sha256": find_weights().sha256(),
        "scale": list(SCALE.grades),
    }


SPEC = EngineSpec(
    kind="face",
    name="py-feat",
    about="py-feat 2, for a GPU",
    needs=_needs,
    describe=_describe,
    load=lambda settings, context: PyFeatEngine(find_weights(context.stage("py-feat's weights")), settings),
    complete=_complete,
    in_words=lambda settings: f"py-feat on {settings.device}, {settings.sampling_fps:g} frames a second",
)
