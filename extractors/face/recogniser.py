"""Who a face is, by any network for faces that is given: a vector a face, so that people are known again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import EmoscribeError, UnavailableError
from ..media import sha256_of
from .crop import Crop

SIZE = 112
# What `face.identity` is where no network is given.
LOOK = "look"


class FaceRecogniser:
    """A network in ONNX of faces (1, 3, 112, 112), RGB in −1–1, as those of the ArcFace family are.

    Raises:
        UnavailableError: onnxruntime or the file is not here, or is no network.
    """

    def __init__(self, path: str | Path) -> None:
        check_there(str(path))
        try:
            from onnxruntime import InferenceSession
        except ImportError:
            raise UnavailableError("face.identity needs onnxruntime; pip install onnxruntime") from None
        try:
            self._session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has classes of its own for what is no network
            raise UnavailableError(f"face.identity: {path} is no ONNX network ({error})") from None
        self._path, self._input = path, self._session.get_inputs()[0].name

    def vector(self, image: np.ndarray, box: np.ndarray) -> np.ndarray:
        """(D,) of length 1, of the face in a box of an image (H, W, 3) RGB.

        Raises:
            EmoscribeError: the network is for something else.
        """
        side = (box[2:] - box[:2]).max()
        cut = Crop((box[:2] + box[2:]) / 2, np.array([side, side])).cut(image, SIZE)
        face = cut.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
        try:
            vector = np.asarray(self._session.run(None, {self._input: face})[0], dtype=float).ravel()
        except Exception as error:  # as above, for what does not fit
            raise EmoscribeError(
                f"face.identity: {self._path} takes no faces (1, 3, {SIZE}, {SIZE}): {error}"
            ) from None
        return vector / max(float(np.linalg.norm(vector)), 1e-9)


def check_there(identity: str) -> None:
    """Raises:
    UnavailableError: `face.identity` names a file that is not there.
    """
    if identity != LOOK and not Path(identity).is_file():
        raise UnavailableError(f"face.identity: no file {identity}; take look, or give an ONNX network for faces")


def recogniser_of(identity: str) -> FaceRecogniser | None:
    """Who knows people again, as `face.identity` says; nobody where places and looks have to do."""
    return FaceRecogniser(identity) if identity != LOOK else None


def describe(identity: str) -> dict[str, Any]:
    """How people are known again, for provenance and the store's key."""
    if identity == LOOK:
        return {"identity": LOOK}
    return {"identity": Path(identity).name, "identity_sha256": sha256_of(identity)}
