"""emoscribe: from a video to a labelled transcript.

>>> from emoscribe import analyze
>>> for segment in analyze("interview.mp4").segments:
...     print(segment.moment.start_s, segment.label, segment.moment.text)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core.errors import EmoscribeError
    from .core.timeline import LabelledTranscript, Moment, Segment
    from .pipeline import analyze

__version__ = "0.1.0"
__all__ = ["EmoscribeError", "LabelledTranscript", "Moment", "Segment", "analyze"]


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is: the command line's help needs none of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import pipeline

    return getattr(pipeline, name)
