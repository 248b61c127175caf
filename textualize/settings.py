"""How time is cut into moments, and cues are put into words."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..core.limits import MOST_OVERLAPPING
from ..core.settings import Settings
from .levels import Grades


class WindowSettings(Settings):
    """How time is cut into moments.

    Without `window_s`: each utterance, and gaps in speech where a face is
    seen.  With it: windows of that length every `hop_s`.
    """

    window_s: float | None = Field(default=None, ge=0.1, le=3600)
    """Length of a window, in seconds; null for utterances and the gaps between them."""
    hop_s: float | None = Field(default=None, ge=0.05, le=3600)
    """Seconds from the start of one window to the next; null for `window_s`."""
    min_gap_s: float = Field(default=1.0, ge=0.1)
    """Seconds of silence below which a gap in speech is no moment of its own."""
    max_gap_s: float = Field(default=4.0, ge=0.5)
    """Seconds of silence above which a gap is cut: an expression rarely lasts longer."""
    max_utterance_s: float = Field(default=12.0, ge=1.0)
    """Seconds above which an utterance is cut."""

    @model_validator(mode="after")
    def _hop_needs_window(self) -> WindowSettings:
        if self.hop_s is not None and self.window_s is None:
            raise ValueError("hop_s needs window_s")
        if self.hop_s is not None and self.window_s is not None and self.window_s > MOST_OVERLAPPING * self.hop_s:
            most = f"at most {MOST_OVERLAPPING} windows may lie over each other"
            raise ValueError(f"{most}: hop_s must be {self.window_s / MOST_OVERLAPPING:g} or more for this window_s")
        return self


class WordingSettings(Settings):
    """How cues are put into words.  A trained run knows the wording it reads."""

    face_pooling: Literal["max"] | float = 90.0
    """How an action unit's values over a moment become one: a percentile, or `max` as in Richet et al. (2024)."""
    voice_scope: Literal["speaker", "past", "population"] = "speaker"
    """Whose voice is usual: the speaker's other utterances where there are five, only earlier ones, or everybody's."""
    voice_grades: Grades = "tenths"
    """How finely a voice is graded: by `tenths` a measure in the middle half goes unsaid, by `eighths` in a quarter."""
    unclear_below: float = Field(default=0.4, ge=0, le=1)
    """Probability below which a recognised word is worded as [unclear]."""
    behaviour: bool = False
    """Whether blinking, a look aside and a moving head are worded too, for runs that learn such words."""
    pauses: bool = False
    """Whether pauses of 0.7 s or more between words are worded with the voice, for runs that learn such words."""

    @model_validator(mode="after")
    def _percentile(self) -> WordingSettings:
        if self.face_pooling != "max" and not 0 < self.face_pooling <= 100:
            raise ValueError("face_pooling must be max or a percentile above 0, up to 100")
        return self
