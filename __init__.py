"""emoscribe: from a video to a labelled transcript.

>>> from emoscribe import analyze
>>> result = analyze("interview.mp4")
>>> for segment in result.segments:
...     print(segment.moment.start_s, segment.label, segment.moment.text)
>>> result.save("interview.srt")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core.errors import EmoscribeError
    from .core.timeline import LabelledTranscript, Moment, Segment
    from .experiments.by_name import evaluate, finetune, pack
    from .extractors.sources import FileSource, LiveSource
    from .outputs import load_result
    from .pipeline import Session, analyze, analyze_all, open_session

__version__ = "0.1.0"

_PLACES = {
    "EmoscribeError": ".core.errors",
    "FileSource": ".extractors.sources",
    "LabelledTranscript": ".core.timeline",
    "LiveSource": ".extractors.sources",
    "Moment": ".core.timeline",
    "Segment": ".core.timeline",
    "Session": ".pipeline",
    "analyze": ".pipeline",
    "analyze_all": ".pipeline",
    "evaluate": ".experiments.by_name",
    "finetune": ".experiments.by_name",
    "open_session": ".pipeline",
    "pack": ".experiments.by_name",
    "load_result": ".outputs",
}
__all__ = [
    "EmoscribeError",
    "FileSource",
    "LabelledTranscript",
    "LiveSource",
    "Moment",
    "Segment",
    "Session",
    "analyze",
    "analyze_all",
    "evaluate",
    "finetune",
    "load_result",
    "open_session",
    "pack",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is: the command line's help needs none of it."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name], __name__), name)
