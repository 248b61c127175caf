"""The models behind the engine `landmarker`: which are here, what is made do with, and the networks in them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...core import carried
from ...core.context import Context
from ...core.errors import UnavailableError
from ...core.weights import MODELS
from . import litert
from .detector import FULL_RANGE, SHORT_RANGE, Detector
from .expression import ExpressionClassifier
from .finder import Finder
from .landmarks import Landmarker
from .litert import Network

# Nothing goes without the first; it holds a detector of its own.
LANDMARKER = "mediapipe/face_landmarker"
DETECTOR = "mediapipe/face_detection_full_range_sparse"
EXPRESSION = "fer/emotion_model"

# What is made do with where one of the others is missing.
INSTEAD: Mapping[str, str] = {
    DETECTOR: "small faces are missed",
    EXPRESSION: "what a face looks like is not said",
}


@dataclass(frozen=True, eq=False)
class Networks:
    """What sees; `classifier` is `None` where its model is missing."""

    finder: Finder
    landmarker: Landmarker
    classifier: ExpressionClassifier | None


def load_networks() -> Networks:
    """The networks of the models that are on this machine.

    Raises:
        UnavailableError: LiteRT, or the model that nothing goes without, is not here.
    """
    litert.check_available()
    if (task := path_of(LANDMARKER)) is None:
        raise UnavailableError(f"face.engine landmarker: {LANDMARKER} is not here; {carried.how_to_get(LANDMARKER)}")
    with zipfile.ZipFile(task) as parts:
        short_range, mesh, blendshapes = (
            Network(parts.read(f"face_{part}.tflite")) for part in ("detector", "landmarks_detector", "blendshapes")
        )
    detectors = [Detector(short_range, SHORT_RANGE)]
    if (path := path_of(DETECTOR)) is not None:
        detectors.insert(0, Detector(Network(path.read_bytes()), FULL_RANGE))
    landmarker = Landmarker(mesh, blendshapes)
    path = path_of(EXPRESSION)
    classifier = ExpressionClassifier(Network(path.read_bytes())) if path is not None else None
    return Networks(Finder(detectors, landmarker), landmarker, classifier)


def find_models(context: Context) -> None:
    """Bring here what is not, where the network may be asked.

    Raises:
        UnavailableError: LiteRT is not installed, or the model that nothing goes without is not to be had.
    """
    litert.check_available()
    carried.find_files(LANDMARKER, context)
    if path_of(DETECTOR) is None and not context.offline:
        with suppress(UnavailableError):
            carried.find_files(DETECTOR, context)


def missing() -> Iterator[str]:
    """What is made do with, in a few words each."""
    return (f"{words} without {model}" for model, words in INSTEAD.items() if path_of(model) is None)


def sha256_of_models() -> dict[str, str]:
    """Of each model that is here, for provenance."""
    models = (LANDMARKER, *INSTEAD)
    return {model: next(iter(MODELS[model].files.values())).sha256 for model in models if path_of(model) is not None}


def path_of(model: str) -> Path | None:
    """Its one file, if it is on this machine and as published."""
    (name,) = MODELS[model].files
    folder = carried.on_disk(model)
    return folder / name if folder is not None else None
