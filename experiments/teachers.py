"""Teachers: how likely each label of a clip is, in the eyes of models that have not seen it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from ..core.context import Context
from ..core.errors import SettingsError
from ..core.files import read_json, write_json
from ..core.limits import is_number
from ..llm.predictor import load_predictor
from ..llm.run import DESCRIPTION, TextRun
from ..llm.train import fit
from ..training import processes
from ..training.loop import is_whole
from .run_folder import TEACHERS
from .settings import FinetuneSettings, TeacherSettings
from .training_data import LabelledClip, Opinions, TrainingData, example, labelled_prompts

OPINIONS = "opinions.json"


def opinions_of_teachers(
    data: TrainingData,
    run: TextRun,
    base: Path,
    settings: FinetuneSettings,
    asked: TeacherSettings,
    context: Context,
    *,
    resume: bool,
    report: Callable[[str], None],
) -> Opinions:
    """By clip id, how likely each label is to a teacher that learnt from the other groups, however loss weighs labels.

    Written to `opinions.json` in the run's folder, with the teachers in
    `teachers/`; what is there already is not asked again.

    Raises:
        SettingsError: opinions from elsewhere do not cover the clips.
    """
    clips = data.splits["train"]
    path = run.folder / OPINIONS
    if asked.opinions:
        return averaged([_read(other, clips, run.labels) for other in asked.opinions])
    if resume and path.is_file():
        return _read(path, clips, run.labels)
    # A run that training starts from may know the labels: teachers start afresh.
    alone = settings.model_copy(
        update={"epochs": asked.epochs, "mix": (), "mixture": None, "patience": None, "init": None}
    )
    weights = _weights(clips, run.labels, settings.loss.logit_adjustment)
    opinions = {}
    for number, held_out in enumerate(_parts(clips, asked.count)):
        report(f"teacher {number + 1} of {asked.count}")
        teacher = _teacher(number, held_out, data, run, base, alone, resume)
        unseen = [clip for clip in clips if clip.group in held_out]
        reader = load_predictor(teacher.uncalibrated(), replace(context, device=settings.device))
        alone_read = [clip.with_only(data.source.teaches) for clip in unseen]
        prompts = [example(clip, clip.labelled.moment, run).prompt for clip in alone_read]
        scored = processes.mapped(lambda share, reader=reader: reader.predict(share), prompts)
        # As they are written, so that a resumed training reads the same.
        opinions |= {
            clip.id: {label: round(probability, 4) for label, probability in as_frequent(each.scores, weights).items()}
            for clip, each in zip(unseen, scored, strict=True)
        }
    if processes.is_main():
        write_json(path, opinions)
    return opinions


def _teacher(
    number: int,
    held_out: set[str],
    data: TrainingData,
    run: TextRun,
    base: Path,
    settings: FinetuneSettings,
    resume: bool,
) -> TextRun:
    folder = run.folder / TEACHERS / str(number)
    if resume and is_whole(folder, DESCRIPTION):
        return TextRun.load(folder)
    splits = {
        split: tuple(
            clip.with_only(data.source.teaches) for clip in clips if split != "train" or clip.group not in held_out
        )
        for split, clips in data.splits.items()
    }
    run = run.model_copy(update={"folder": folder, "training": {}})
    return fit(
        run,
        base,
        labelled_prompts([TrainingData(data.source, splits)], run, settings, {}),
        settings.model_copy(update={"seed": settings.seed + number}),
        resume=resume,
    )


def as_frequent(scores: Mapping[str, float], weights: Mapping[str, float]) -> dict[str, float]:
    """Probabilities with labels as frequent as they are, of a teacher that learnt to answer as if they were not."""
    weighted = {label: probability * weights[label] for label, probability in scores.items()}
    total = sum(weighted.values())
    return {label: each / total for label, each in weighted.items()}


def _weights(clips: Sequence[LabelledClip], labels: Sequence[str], adjustment: float) -> dict[str, float]:
    """By label, its frequency to the power of the adjustment of the logits."""
    counts = Counter(clip.labelled.label for clip in clips)
    return {label: max(counts[label], 0.5) ** adjustment for label in labels}


def _read(path: Path, clips: Sequence[LabelledClip], labels: Sequence[str]) -> Opinions:
    """Raises:
    SettingsError: the file does not cover the clips.
    """
    opinions = read_json(path)
    lacking = next((clip.id for clip in clips if not _is_opinion(opinions, clip.id, labels)), None)
    if lacking is not None:
        raise SettingsError(f"{path} says nothing on {lacking} with the labels {', '.join(labels)}")
    return {clip.id: opinions[clip.id] for clip in clips}


def averaged(opinions: Sequence[Opinions]) -> Opinions:
    """What several say on the same clips."""
    return {
        clip: {label: fmean(each[clip][label] for each in opinions) for label in said}
        for clip, said in opinions[0].items()
    }


def _is_opinion(opinions: Any, clip: str, labels: Sequence[str]) -> bool:
    """Whether a file of opinions says something on that clip."""
    said = opinions.get(clip) if isinstance(opinions, dict) else None
    return isinstance(said, dict) and set(said) == set(labels) and all(map(is_number, said.values()))


def _parts(clips: Sequence[LabelledClip], count: int) -> list[set[str]]:
    """The groups in parts with about as many clips each, the largest groups placed first."""
    sizes: dict[str, int] = {}
    for clip in clips:
        sizes[clip.group] = sizes.get(clip.group, 0) + 1
    if len(sizes) < count:
        raise SettingsError(f"{count} teachers need as many dialogues or sources, and there are {len(sizes)}")
    parts: list[set[str]] = [set() for _ in range(count)]
    filled = [0] * count
    for group in sorted(sizes, key=lambda group: (-sizes[group], group)):
        least = filled.index(min(filled))
        parts[least].add(group)
        filled[least] += sizes[group]
    return parts
