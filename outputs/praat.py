"""Praat's TextGrid."""

from __future__ import annotations

from pathlib import Path

from ..core.timeline import LabelledTranscript
from .tiers import layers_of


def textgrid(transcript: LabelledTranscript, folder: Path) -> str:
    """An interval tier a speaker and signal, from 0 to the end without a gap: where nothing is, the text is empty."""
    from praatio.utilities.textgrid_io import getTextgridAsStr

    layers = layers_of(transcript)
    ends_ms = [layer.annotations[-1][1] for layer in layers if layer.annotations]
    # What lasts no time at all Praat does not open.
    until_s = max(round(transcript.media.duration_s * 1000), *ends_ms, 1) / 1000
    tiers = [
        {
            "class": "IntervalTier",
            "name": layer.name,
            "xmin": 0.0,
            "xmax": until_s,
            "entries": [(start_ms / 1000, end_ms / 1000, text) for start_ms, end_ms, text in layer.annotations],
        }
        for layer in layers
    ]
    return getTextgridAsStr({"xmin": 0.0, "xmax": until_s, "tiers": tiers}, "long_textgrid", includeBlankSpaces=True)
