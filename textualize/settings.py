"""How time is cut into moments, and cues are put into words."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..core.settings import Settings


class WindowSettings(Settings):
    """How time is cut into moments.

    Without `window_s`: each utterance, and gaps in speech where a face is
    seen.  With it: windows of that length every `hop_s`.
    """

    window_s: float | None = Field(default=None, ge=0.1, le=3600)
    hop_s: float | None = Field(default=None, ge=0.05, le=3600)
    # Shorter silences are not moments of their own.
    min_gap_s: float = Field(default=1.0, ge=0.1)
    # Longer stretches are cut: an expression rarely lasts longer.
    max_gap_s: float = Field(default=4.0, ge=0.5)
    max_utterance_s: float = Field(default=12.0, ge=1.0)

    @model_validator(mode="after")
    def _hop_needs_window(self) -> WindowSettings:
        if self.hop_s is not None and self.window_s is None:
            raise ValueError("hop_s needs window_s")
        return self


class WordingSettings(Settings):
    """How cues are put into words.  A trained run knows the wording it reads."""

    # How a unit's values over a moment become one: `max` as in Richet et al.
    # (2024), or a percentile.
    face_pooling: Literal["max"] | float = 90.0
    # Whose voice is the measure: the speaker's own other utterances where
    # there are five, only the earlier ones (causal), or the population.
    voice_scope: Literal["speaker", "past", "population"] = "speaker"
    # Words the recogniser gave less than this are worded as [unclear].
    unclear_below: float = Field(default=0.35, ge=0, le=1)

    @model_validator(mode="after")
    def _percentile(self) -> WordingSettings:
        if self.face_pooling != "max" and not 0 < self.face_pooling <= 100:
            raise ValueError("face_pooling must be max or a percentile above 0, up to 100")
        return self
