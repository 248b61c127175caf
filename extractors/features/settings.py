"""The features of the feature-based approach: their names, and how each is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from ...core.settings import Device, Settings


@dataclass(frozen=True)
class Feature:
    """One kind of measurement over time.

    Attributes:
        letter: what it is about: T what is said, V the face, A the voice.
        weights: what computes it unless a setting says otherwise: a hub id or
            a name, or `None` where nothing is needed.
    """

    letter: Literal["T", "V", "A"]
    weights: str | None = None


FEATURES: Mapping[str, Feature] = {
    # Action units, head pose and the mesh's geometry, of whichever face extractor is set.
    "face-measures": Feature("V"),
    # What py-feat's multitask model makes of a face before it names anything.
    "face-embedding": Feature("V", "py-feat/face_multitask_v2"),
    # ResNet-50 on the crop of the face.
    "face-resnet50": Feature("V", "timm/resnet50.tv_in1k"),
    # openSMILE's low-level descriptors, a row every 10 ms before they are put on the clock.
    "egemaps": Feature("A"),
    "compare": Feature("A"),
    "log-mel": Feature("A"),
    # Windows of 0.96 s (Hershey et al., 2017).
    "vggish": Feature("A", "torchvggish"),
    "wav2vec2": Feature("A", "facebook/wav2vec2-base-960h"),
    # One measurement a spoken window: pitch, loudness, …, as published with a corpus or as `voice` measures it.
    "voice-measures": Feature("A"),
    # Tokens of what is said, each for as long as its word lasts.
    "token-embeddings": Feature("T", "sentence-transformers/all-MiniLM-L6-v2"),
}


class FeatureSettings(Settings):
    """Which features, on which clock."""

    names: tuple[str, ...] = Field(
        default=("face-measures", "egemaps", "token-embeddings"), json_schema_extra={"enum": list(FEATURES)}
    )
    """The features that are fused, each once."""
    rate_hz: float = Field(default=25.0, gt=0, le=240)
    """Frames a second of the clock that all features share."""
    weights: Mapping[str, str] = {}
    """By feature, another hub id, name or file than the usual."""
    informative_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the frames that are kept, those with most entropy in their grey levels (Shannon, 1948); 1 keeps all."""
    device: Device = "auto"
    """Where the networks behind features run; `auto` is a GPU where there is one."""

    @model_validator(mode="after")
    def _known_features(self) -> FeatureSettings:
        for name in (*self.names, *self.weights):
            if name not in FEATURES:
                raise ValueError(f"unknown feature {name!r}; there are: {', '.join(FEATURES)}")
        if not self.names or len(set(self.names)) != len(self.names):
            raise ValueError("names must be features, at least one and each once")
        return self
