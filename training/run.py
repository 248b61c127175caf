"""Runs: a trained model and all that has to be known to use it, in a folder of its own.

A file describes the run; what else there is, the kinds of runs say: a language
model's adapter, or a fusion model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from ..core.context import DEFAULT, Context
from ..core.files import make_folder, plain, write_json
from ..core.labels import LabelSet
from ..core.settings import Settings
from ..core.versioned import read_versioned
from .probe import Probe

VERSION = 1

# What is asked about a clip: one label, any number of labels, or a number.
Task = Literal["labels", "label-sets", "number"]


class Run(Settings):
    """What is known of every trained model.

    Attributes:
        kind: which kind of run; not part of the description.
        description: the file that describes it.
        folder: where it lies; not part of the description.
        label_set: the name of it; `labels` are in the order of the scores,
            and empty where the task is a number.
        thresholds: by label, from which probability on it is given (label sets only).
        range: the lowest and the highest rating (numbers only); of those that
            do not say, models answer on the scale of their corpus as it is.
        probe: what it answered when it was saved; `None` where it does not say.
        metrics: what was measured, by data and seed.
        training: the settings and data it was trained with.
    """

    kind: ClassVar[str]
    description: ClassVar[str]

    version: Literal[1] = VERSION
    folder: Path = Field(exclude=True)
    task: Task = "labels"
    label_set: str = ""
    labels: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = {}
    range: tuple[float, float] | None = None
    licence: str = ""
    probe: Probe | None = None
    metrics: Mapping[str, Any] = {}
    training: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def outputs(self) -> int:
        """How many logits its model has."""
        return 1 if self.task == "number" else len(self.labels)

    @property
    def corpus(self) -> str | None:
        """The corpus that it learnt, of several the first; `None` where it does not say."""
        return self.training.get("corpus")

    @property
    def modalities(self) -> str:
        """The letters of the signals that it was trained on."""
        raise NotImplementedError

    @property
    def in_words(self) -> str:
        """What it is made of, for the report."""
        raise NotImplementedError

    @property
    def has_learnt(self) -> bool:
        """Whether its labels are its own: a model that is asked without any training has none."""
        return True

    @property
    def annotation(self) -> str | None:
        """Which of the annotations of its corpus it learnt; `None` where its labels tell."""
        return None

    def answering(self, labels: LabelSet) -> Self:
        """The run, asked for these labels where it has learnt none."""
        return self

    def check_here(self, context: Context = DEFAULT) -> None:
        """Raises:
        EmoscribeError: something that the run needs beside its folder is not here.
        """

    @classmethod
    def load(cls, folder: str | Path, **beside: Any) -> Self:
        """The run in a folder.

        Args:
            beside: what is known of it that the description leaves out.

        Raises:
            SettingsError: the description is missing, damaged, or of a newer version.
        """
        return read_versioned(cls, Path(folder) / cls.description, VERSION, folder=Path(folder), **beside)

    def save(self) -> None:
        """Write the description into the run's folder.

        Raises:
            EmoscribeError: the folder cannot be written to.
        """
        write_json(make_folder(self.folder) / self.description, plain(self.model_dump(mode="json")))
