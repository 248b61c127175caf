"""A network of TensorFlow Lite, run by LiteRT on the processor."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ...core.errors import UnavailableError

_descriptor = threading.Lock()


class Network:
    """One network on one thread.  Not shared by threads.

    A second thread costs more than it gains, and faces are seen while words
    are heard: the other core has something to do.

    Attributes:
        shape: of one input; the first side, 1, is that of a batch.
    """

    def __init__(self, model: bytes) -> None:
        """Raises:
        UnavailableError: LiteRT is not installed.
        ValueError: the bytes are no model.
        """
        check_available()
        from ai_edge_litert.interpreter import Interpreter

        with _silent():
            self._interpreter = Interpreter(model_content=model, num_threads=1)
            self._interpreter.allocate_tensors()
        (given,) = self._interpreter.get_input_details()
        self.shape = tuple(int(side) for side in given["shape"])
        self._input, self._batch = given["index"], self.shape[0]
        self._outputs = [each["index"] for each in self._interpreter.get_output_details()]

    def __call__(self, values: np.ndarray) -> list[np.ndarray]:
        """The outputs for (K, …) inputs, (K, …) each, in the order of the file.

        Some networks take one at a time, K = 1.
        """
        if len(values) != self._batch:
            self._batch = len(values)
            self._interpreter.resize_tensor_input(self._input, [self._batch, *self.shape[1:]], strict=True)
            self._interpreter.allocate_tensors()
        self._interpreter.set_tensor(self._input, values.astype(np.float32, copy=False))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def check_available() -> None:
    """Whether networks can be run, in milliseconds: nothing is imported.

    Raises:
        UnavailableError: LiteRT is not installed.
    """
    try:
        found = importlib.util.find_spec("ai_edge_litert") is not None
    except ValueError:  # what a module without a spec raises
        found = False
    if not found:
        raise UnavailableError(
            "face.engine landmarker needs the package ai-edge-litert; get it with: pip install 'emoscribe[offline]'"
        )


@contextmanager
def _silent() -> Iterator[None]:
    """Without the line about its delegate that LiteRT writes to file descriptor 2, whatever it is asked."""
    with _descriptor, open(os.devnull, "wb") as nowhere:
        kept = os.dup(2)
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
