"""All that `finetune` can be told: what is read, how it is worded, how it is learnt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from ..core.settings import Settings
from ..extractors.settings import EMBEDDED_SPEECH, FaceSettings, SpeechSettings, VoiceSettings, check_modalities
from ..llm.settings import TrainingSettings
from ..prompts.settings import PromptSettings
from ..textualize.mixture import MixtureSettings
from ..textualize.settings import WordingSettings


class MixSettings(Settings):
    """A corpus that is trained on beside the first."""

    corpus: str
    """Its name, as `finetune` takes it."""
    name: str | None = None
    """What `--mix NAME=DIR` calls it; null for the corpus's name."""
    data: Path | None = None
    """Its folder."""
    columns: Mapping[str, str] = {}
    """Of a table: by role, the column's name."""
    teaches: Literal["T", "V", "A"]
    """What its labels are about, which is always in its examples: T what is said, V the face, A the voice."""
    examples: int | None = Field(default=None, ge=1)
    """Clips that an epoch draws from it, as many of each label; null for each clip once."""


class TeacherSettings(Settings):
    """Teachers that tell how likely each label of a clip is, so that a doubtful one counts less.

    Self-distillation (Furlanello et al., 2018), cross-fitted, since of what
    it has learnt by heart a teacher only repeats the label: each is trained
    like the run, on what the first corpus's labels are about and nothing
    else, and asked about the dialogues or sources that it has not seen.
    """

    count: int = Field(default=5, ge=2)
    """How many teachers share the clips among them."""
    epochs: int = Field(default=3, ge=1)
    """Epochs that each trains for."""
    opinions: tuple[Path, ...] = ()
    """What teachers of other runs said (their `opinions.json`), averaged, instead of training some."""


class FinetuneSettings(TrainingSettings):
    """All that `finetune` can be told: what is read, how it is worded, how it is learnt."""

    modalities: str = "TVA"
    """What is read: letters of TVA, T what is said, V the face, A the voice."""
    prompt: PromptSettings = PromptSettings()
    wording: WordingSettings = WordingSettings()
    speech: SpeechSettings = EMBEDDED_SPEECH
    face: FaceSettings = FaceSettings(engine="landmarker")
    voice: VoiceSettings = VoiceSettings()
    norms: str = "meld-minilm"
    """What is usual for voices: the norms of a run or adapter, or a `norms.json`."""
    labels: str | tuple[str, ...] | None = None
    """Label set of a table: a name or the labels themselves; null to take it from the data."""
    range: tuple[float, float] | None = None
    """Lowest and highest rating of a table; null to take whole numbers around its ratings."""
    task: str | None = None
    """Which of the corpus's annotations, where it has several; null for the usual one."""
    teaches: Literal["T", "V", "A"] = "T"
    """What the first corpus's labels are about, where others are mixed in or teachers asked."""
    mix: tuple[MixSettings, ...] = ()
    mixture: MixtureSettings | None = None
    """How signals are mixed; set also for one corpus alone, whose lines are then misheard and left unpunctuated."""
    teachers: TeacherSettings | None = None
    licence: str | None = None
    """Licence of the run; null for those of its corpora."""

    @model_validator(mode="after")
    def _known_modalities(self) -> FinetuneSettings:
        check_modalities(self.modalities)
        taught = {"the first corpus": self.teaches} if self.mix or self.mixture or self.teachers else {}
        for name, letter in [*taught.items(), *((mixed.corpus, mixed.teaches) for mixed in self.mix)]:
            if letter not in self.modalities:
                raise ValueError(f"{name} teaches {letter}, which modalities {self.modalities} leave out")
        return self

    @model_validator(mode="after")
    def _distinct_names(self) -> FinetuneSettings:
        names = [mixed.name or mixed.corpus for mixed in self.mix]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"mix has two corpora called {twice}; give them a name each")
        return self
