"""What an analysis can be asked for, by whoever is not at this machine's command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from ..core.errors import SettingsError
from ..core.labels import BASIC, LABEL_SETS
from ..core.settings import Settings, shipped_configs, validate
from ..extractors.speakers.turns import METHODS
from ..llm.plan import run_and_labels
from ..llm.run import TextRun, find_run, shipped_runs
from ..llm.settings import AnalyzeSettings, analyze_settings


class Asked(Settings):
    """Settings of an analysis; none of them can be a path."""

    config: str | None = None
    """A config that ships; null for the service's own."""
    run: str | None = None
    """An adapter that ships; null for the config's."""
    labels: str | None = None
    """Label set, as `GET /api/options` lists them; null for the run's."""
    modalities: str | None = None
    """T what was said, V the face, A the voice; null for the run's."""
    window: float | None = Field(default=None, gt=0)
    """Windows of so many seconds instead of utterances."""
    hop: float | None = Field(default=None, gt=0)
    """A window every so many seconds."""
    start_s: float = Field(default=0.0, ge=0)
    """Begin here."""
    end_s: float | None = Field(default=None, gt=0)
    """End here; null for the end."""
    language: str | None = Field(default=None, pattern=r"^[A-Za-z-]{2,12}$")
    """What is spoken, as a code like `en`; null for what is heard."""
    model: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """A size of Whisper's: `base`, `small`, `turbo`."""
    speakers: str | None = None
    """How they are told apart: `voices`, `seen` or `none`."""
    name: str | None = None
    """What speakers are called, a line each: `speaker 1=Ann`."""

    @field_validator("speakers")
    @classmethod
    def _no_file(cls, how: str | None) -> str | None:
        if how is not None and how not in METHODS:
            raise ValueError(f"speakers are told apart by one of {', '.join(METHODS)}")
        return how

    @field_validator("model")
    @classmethod
    def _no_folder(cls, model: str | None) -> str | None:
        if model is not None and Path(model).exists():
            raise ValueError("model is a size of Whisper's, as base, small or turbo")
        return model

    @property
    def names(self) -> dict[str, str] | None:
        """By speaker, what they are called."""
        lines = [line for line in (self.name or "").splitlines() if line.strip()]
        pairs = [[part.strip() for part in line.partition("=")] for line in lines]
        if any(not who or not called for who, _, called in pairs):
            raise SettingsError(f"name: {self.name!r} names nobody; give a line each, as in 'speaker 1=Ann'")
        return {who: called for who, _, called in pairs} or None


@dataclass(frozen=True)
class Defaults:
    """How the service analyses where nothing else is asked for; all as on the command line of `serve`."""

    config: str = "default"
    assignments: tuple[str, ...] = ()
    offline: bool = False

    @cached_property
    def settings(self) -> AnalyzeSettings:
        """
        Raises:
            SettingsError: they are not as they have to be.
        """
        settings = analyze_settings(self.config, self.assignments, offline=self.offline or None)
        run_and_labels(settings)
        return settings

    @cached_property
    def runs(self) -> tuple[str, ...]:
        """The runs that may be asked for: the service's own, and those that ship."""
        return tuple(dict.fromkeys((self.settings.model.run, *shipped_runs())))

    @cached_property
    def configs(self) -> tuple[str, ...]:
        """The configs that may be asked for: the service's own, and those that ship, are for analyses, and read with
        one of the runs."""
        return tuple(dict.fromkeys((self.config, *filter(self._is_here, shipped_configs()))))

    def settings_for(self, asked: Asked) -> AnalyzeSettings:
        """The settings of an analysis.

        Raises:
            SettingsError: there is no such config or run, or a setting is not as it has to be.
        """
        _check_one_of("config", asked.config, self.configs)
        _check_one_of("run", asked.run, self.runs)
        given = asked.model_dump(exclude={"config", "name", "start_s", "end_s"}) | {"names": asked.names}
        offline = self.offline or None
        settings = analyze_settings(asked.config or self.config, self.assignments, **given, offline=offline)
        run_and_labels(settings)
        return settings

    def _is_here(self, config: str) -> bool:
        try:
            return analyze_settings(config).model.run in self.runs
        except SettingsError:
            return False


def asked_for(given: Mapping[str, Any]) -> Asked:
    """What was asked for, by names and values; those that are empty are not given.

    Raises:
        SettingsError: one is unknown, or not as it has to be.
    """
    return validate(Asked, {name: value for name, value in given.items() if value not in ("", None)}, "settings")


def _check_one_of(what: str, given: str | None, allowed: tuple[str, ...]) -> None:
    if given is not None and given not in allowed:
        raise SettingsError(f"{what}: there is no {given!r} here; there are: {', '.join(dict.fromkeys(allowed))}")


def run_options(defaults: Defaults) -> list[dict[str, Any]]:
    """The runs there are: what they are called, what they read, and the labels they can give."""
    return [_options_of(name, find_run(name)) for name in defaults.runs]


def _options_of(name: str, run: TextRun) -> dict[str, Any]:
    sets = {run.label_set: run.labels} if run.task != "number" else {}
    if run.task == "labels" and run.label_set == BASIC.name:
        sets |= {each.name: each.labels for each in LABEL_SETS.values() if each.parts is not None}
    return {"name": name, "label_sets": list(sets), "labels": sets, "modalities": run.modalities}
