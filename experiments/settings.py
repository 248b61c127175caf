"""All that `finetune` can be told: what is read, how it is worded, how it is learnt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from ..core.settings import Settings
from ..extractors.settings import FaceSettings, SpeechSettings, VoiceSettings, check_modalities
from ..llm.settings import TrainingSettings
from ..prompts.settings import PromptSettings
from ..textualize.mixture import MixtureSettings
from ..textualize.settings import WordingSettings


class MixSettings(Settings):
    """A corpus that is trained on beside the first.

    Attributes:
        name: what `--mix NAME=DIR` calls it; the corpus, unless given.
        data: its folder.
        teaches: what its labels are about: T what is said, V the face, A the
            voice.  That is always in its examples.
        examples: how many of its clips an epoch draws, as many of each label;
            `None` for each clip once.
    """

    corpus: str
    name: str | None = None
    data: Path | None = None
    columns: Mapping[str, str] = {}
    teaches: Literal["T", "V", "A"]
    examples: int | None = Field(default=None, ge=1)


class TeacherSettings(Settings):
    """Teachers that tell how likely each label of a clip is, so that a doubtful one counts less.

    Self-distillation (Furlanello et al., 2018), cross-fitted, since of what
    it has learnt by heart a teacher only repeats the label: each is trained
    like the run, on what the first corpus's labels are about and nothing
    else, and asked about the dialogues or sources that it has not seen.

    Attributes:
        count: how many share the clips among them.
        epochs: each trains for.
        opinions: what teachers said in another run (its `opinions.json`),
            instead of training some.
    """

    count: int = Field(default=5, ge=2)
    epochs: int = Field(default=3, ge=1)
    opinions: Path | None = None


class FinetuneSettings(TrainingSettings):
    """All that `finetune` can be told: what is read, how it is worded, how it is learnt."""

    modalities: str = "TVA"
    prompt: PromptSettings = PromptSettings()
    wording: WordingSettings = WordingSettings()
    speech: SpeechSettings = SpeechSettings(engine="pocketsphinx")
    face: FaceSettings = FaceSettings(engine="mediapipe")
    voice: VoiceSettings = VoiceSettings()
    # What is usual for voices: those of a run, or a `norms.json`.
    norms: str = "meld-minilm"
    # Label set of tables, where it is not to be taken from the data.
    labels: str | tuple[str, ...] | None = None
    # What the first corpus's labels are about, where others are mixed in, or teachers asked.
    teaches: Literal["T", "V", "A"] = "T"
    mix: tuple[MixSettings, ...] = ()
    # Also of one corpus alone, whose lines are then misheard and left without
    # punctuation; by default only where others are mixed in.
    mixture: MixtureSettings | None = None
    teachers: TeacherSettings | None = None
    # Of the run; by default those of its corpora.
    licence: str | None = None
    offline: bool = False

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
