"""What reaches the terminal: our lines and bars, not the chatter of libraries.

TensorFlow Lite and FFmpeg write straight to file descriptor 2, others to
`sys.stderr` or through `warnings` and `logging`; all of it is turned away
here, once, at the only door.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def quiet(debug: bool = False) -> Iterator[TextIO]:
    """Turn away what others write to standard error; yields the real one.

    Args:
        debug: let everything through.
    """
    if debug:
        yield sys.stderr
        return
    sys.stderr.flush()
    theirs = sys.stderr
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with os.fdopen(os.dup(kept), "w", encoding="utf-8", errors="replace", buffering=1) as console:
            with open(os.devnull, "w") as silence:
                sys.stderr = silence
                try:
                    yield console
                finally:
                    sys.stderr = theirs
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
