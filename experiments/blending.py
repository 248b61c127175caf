"""Blends of two emotions on the way through an evaluation: their thresholds, and what is written of them alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..core.blends import are_blends
from ..core.derived import DEFAULT, BlendSettings
from ..core.errors import SettingsError
from ..core.files import write_json
from ..core.labels import LabelSet
from ..corpora import blemore
from ..evaluation.blends import FILE, fit, read_thresholds
from ..evaluation.predictions import Predictions
from .reading import EvaluationData
from .request import EvaluationRequest

# By the key of predictions; empty for the default ones.
Thresholds = Mapping[str, BlendSettings]


def thresholds_for(
    request: EvaluationRequest, runs: Sequence[str], labels: LabelSet | None, *, over_time: bool
) -> Thresholds:
    """The thresholds that are asked for.

    Raises:
        SettingsError: they are not there, or there are no blends to answer
            with, or frames vote on them: votes have no kind of blend to weigh.
    """
    if request.blends is None:
        return {}
    if labels is None or not are_blends(labels.labels) or over_time:
        raise SettingsError(
            f"--blends {request.blends} is for answers that are blends, without --window; leave it out for "
            f"{request.corpus.name}"
        )
    sets = tuple(request.modalities or ())
    several = [f"{run}[{letters}]" for run in runs for letters in sets]
    return read_thresholds(request.blends, several if len(sets) > 1 else runs)


def in_words(thresholds: Thresholds, labels: LabelSet | None) -> Iterator[str]:
    """For the report: from which shares of the weaker emotion on a blend is answered."""
    if labels is None or not are_blends(labels.labels):
        return
    if not thresholds:
        yield f"Blends begin at the default thresholds: presence {DEFAULT.presence:g}, balance {DEFAULT.balance:g}"
    for key, each in thresholds.items():
        yield f"Blends of {key} begin at thresholds given: presence {each.presence:g}, balance {each.balance:g}"


def write_blends(
    out: str | Path, split: str, data: EvaluationData, predictions: Sequence[Predictions], thresholds: Thresholds
) -> dict[str, Path]:
    """Write what there is of blends beside the report.

    Of labelled clips of dev, each read at once and with the default
    thresholds, `blends.json`: those that fit best.  Of clips of BLEMORE
    without labels `submission.json`, or of several predictions one each, as
    the challenge takes them.

    Returns:
        the path of each file by its name; none where there are no blends.
    """
    if data.labels is None or not are_blends(data.labels.labels):
        return {}
    folder, files = Path(out), {}
    labelled = any(clip.target is not None for clip in data.clips)
    if labelled and split == "dev" and data.windows is None and not thresholds:
        files[FILE] = folder / FILE
        write_json(files[FILE], {one.key: fit(one) for one in predictions})
    if not labelled and data.corpus.name == blemore.READER.name:
        for one in predictions:
            name = "submission.json" if len(predictions) == 1 else f"submission-{one.key}.json"
            files[name] = folder / name
            answers = (one.labels[best] for best in one.answers)
            blemore.write_submission(files[name], dict(zip(one.clip_ids, answers, strict=True)))
    return files
