"""From a labelled transcript to the files people open."""

from .formats import FORMATS, Format
from .lines import segment_line
from .schema import load_result
from .tables import Table
from .tracks import face_tracks
from .write import Writer, save, write_outputs

__all__ = [
    "FORMATS",
    "Format",
    "Table",
    "Writer",
    "face_tracks",
    "load_result",
    "save",
    "segment_line",
    "write_outputs",
]
