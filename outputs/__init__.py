"""From a labelled transcript to the files people open."""

from .formats import FORMATS, Writer, write_outputs
from .lines import segment_line
from .schema import read_result
from .tracks import face_tracks

__all__ = ["FORMATS", "Writer", "face_tracks", "read_result", "segment_line", "write_outputs"]
