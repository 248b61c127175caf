"""Networks in files of ONNX, opened by onnxruntime on the processor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .context import cores_here
from .errors import EmoscribeError
from .text import first_line

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

# A file that keeps weights in other files names them under this key.
_ELSEWHERE = b"\n\x08location"


def open_network(path: Path, what: str, *, alone: bool = False) -> InferenceSession:
    """A network, with the threads that this process may have.

    Args:
        what: it is, for the error: `a pack's network`, or the setting that names it.
        alone: whether all of it has to be in this file, as where others are read unverified.

    Raises:
        EmoscribeError: the file holds none, or not all of it.
    """
    from onnxruntime import InferenceSession, SessionOptions  # pyright: ignore[reportAttributeAccessIssue]

    options = SessionOptions()
    # Left to itself, it takes all cores of the machine, whatever share of them a container has.
    options.intra_op_num_threads = _threads()
    options.log_severity_level = 3
    data = path.read_bytes() if alone else None
    if data is not None and _ELSEWHERE in data:
        raise EmoscribeError(f"{what}: {path} keeps weights in other files; take one that has all in itself")
    try:
        return InferenceSession(data or str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has classes of its own for each way of being damaged
        raise EmoscribeError(f"{what}: {path} is no network that onnxruntime reads ({first_line(error)})") from None


def _threads() -> int:
    """Those that OMP_NUM_THREADS gives, or one a core that this process may use."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdecimal() and int(given):
        return int(given)
    return len(cores_here())
