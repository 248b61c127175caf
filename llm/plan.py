"""All that is decided before a video is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..core.context import Context
from ..core.errors import SettingsError
from ..core.labels import BASIC, LabelSet, label_set
from ..core.settings import Settings
from ..extractors.perceive import decide
from ..prompts.settings import PromptSettings
from ..textualize.settings import WordingSettings
from .run import TextRun, find_run
from .settings import AnalyzeSettings


@dataclass(frozen=True)
class Plan:
    """All that is decided before a video is opened.

    Attributes:
        settings: as asked for, every `auto` resolved.
        run: the adapter that reads.
        labels: the answers there will be; `None` where moments are rated.
        wording, prompt: the run's own.
        choices: what `auto` chose and why, a line each.
    """

    settings: AnalyzeSettings
    run: TextRun
    labels: LabelSet | None
    wording: WordingSettings
    prompt: PromptSettings
    choices: tuple[str, ...]


def make_plan(settings: AnalyzeSettings, context: Context, transcript: str | Path | None = None) -> Plan:
    """Decide everything that does not depend on the video.

    Args:
        transcript: a file that tells what is said: no recogniser is chosen.

    Raises:
        SettingsError: a setting contradicts the run, or the run cannot give
            those labels.
        UnavailableError: an engine that was asked for by name is not here.
    """
    run, labels = run_and_labels(settings)
    if "modalities" not in settings.model_fields_set:
        settings = settings.model_copy(update={"modalities": run.modalities})
    wording = _as_trained("wording", settings.wording, run.wording, run)
    prompt = _as_trained("prompt", settings.prompt, run.prompt, run)
    settings, choices = decide(settings, context, transcript)
    return Plan(settings, run, labels, wording, prompt, tuple(choices))


def run_and_labels(settings: AnalyzeSettings) -> tuple[TextRun, LabelSet | None]:
    """The run that reads, and the answers there will be; `None` where moments are rated.

    Raises:
        SettingsError: there is no such run, it cannot give those labels, or has not learnt to read those signals.
    """
    run = find_run(settings.model.run)
    if run.zero_shot and settings.labels is not None:
        run = run.answering(label_set(settings.labels))
    if "modalities" in settings.model_fields_set:
        check_taught(run, settings.modalities)
    return run, _labels_from(run, settings.labels)


def _labels_from(run: TextRun, name: str | None) -> LabelSet | None:
    """The label set asked for, if the run can give it."""
    if run.task == "number":
        if name is not None:
            raise SettingsError(
                f"run {run.name} gives ratings and no labels; leave --labels out or choose another --run"
            )
        return None
    if name is None or name == run.label_set:
        return LabelSet(run.label_set, run.labels)
    wanted = label_set(name)
    if wanted.parts is not None and run.label_set == BASIC.name and run.task == "labels":
        return wanted
    raise SettingsError(
        f"run {run.name} scores {'any number of ' if run.task == 'label-sets' else ''}{run.label_set} labels "
        f"({', '.join(run.labels)}) and cannot give {name!r} ones; "
        "leave --labels out or choose another --run"
    )


G = TypeVar("G", bound=Settings)


def check_taught(run: TextRun, signals: str) -> None:
    """
    Raises:
        SettingsError: among the letters is one of a signal that the run was not trained on.
    """
    untaught = [letter for letter in dict.fromkeys(signals) if letter not in run.modalities]
    if untaught:
        raise SettingsError(
            f"run {run.name} was trained on {run.modalities} and has not learnt to read {', '.join(untaught)}; "
            f"leave modalities to it, or use another run"
        )


def _as_trained(section: str, asked: G | None, trained: G, run: TextRun) -> G:
    """The run's own settings; a config that contradicts them is refused by name."""
    for key in asked.model_fields_set if asked is not None else ():
        wanted, fixed = getattr(asked, key), getattr(trained, key)
        if wanted != fixed:
            raise SettingsError(
                f"{section}.{key}={wanted} contradicts run {run.name}, which was trained with {fixed}; "
                "leave it out or choose another --run"
            )
    return trained
