"""Blends of two emotions on the way through an evaluation: their thresholds, and what is written of them alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..core.blends import are_blends
from ..core.derived import DEFAULT, BlendSettings
from ..core.errors import SettingsError
from ..core.files import write_json
from ..core.labels import LabelSet
from ..corpora import blemore
from ..evaluation.blends import FILE, fit, read_thresholds, with_thresholds
from ..evaluation.by_clip import key_of
from ..evaluation.predictions import Predictions
from ..llm.run import TextRun
from ..training.run import Run
from .reading import EvaluationData
from .request import EvaluationRequest


@dataclass(frozen=True)
class Blending:
    """How blends are answered by rule.

    Attributes:
        runs: the names of those whose thresholds can be moved: language models that give basic emotions.  Others
            were trained on blends, or decide on them frame by frame, at the default ones.
        thresholds: those given, by the key of predictions; none for the default ones.
    """

    runs: tuple[str, ...] = ()
    thresholds: Mapping[str, BlendSettings] = field(default_factory=dict)

    def applied(self, predictions: Predictions) -> Predictions:
        """What is answered with the thresholds given, from what was with the default ones."""
        given = self.thresholds.get(predictions.key)
        return predictions if given is None else with_thresholds(predictions, given)

    @property
    def in_words(self) -> list[str]:
        """For the report: from which shares of the weaker emotion on a blend is answered."""
        if self.runs and not self.thresholds:
            names = ", ".join(self.runs)
            return [
                f"Blends of {names} begin at the default thresholds: presence {DEFAULT.presence:g}, "
                f"balance {DEFAULT.balance:g}"
            ]
        return [
            f"Blends of {key} begin at thresholds given: presence {each.presence:g}, balance {each.balance:g}"
            for key, each in self.thresholds.items()
        ]


def blending_of(
    request: EvaluationRequest, runs: Mapping[str, Run], labels: LabelSet | None, *, over_time: bool
) -> Blending:
    """Which runs answer blends by rule, and with the thresholds that are asked for.

    Raises:
        SettingsError: thresholds are not there, or nothing is answered by
            rule, or frames vote on it: votes have no kind of blend to weigh.
    """
    blends = labels.labels if labels is not None and are_blends(labels.labels) else ()
    # A fusion decides on blends frame by frame, which have no kind of blend to weigh either.
    by_rule = tuple(name for name, run in runs.items() if blends and run.labels != blends and run.kind == TextRun.kind)
    if request.blends is None:
        return Blending(by_rule)
    if not by_rule or over_time:
        raise SettingsError(
            f"--blends {request.blends} is for blends that a language model makes of basic emotions, without --window; "
            f"leave it out for {request.corpus.name}"
        )
    sets = request.modalities if request.modalities is not None and len(request.modalities) > 1 else (None,)
    keys = [key_of(run, letters) for run in by_rule for letters in sets]
    return Blending(by_rule, read_thresholds(request.blends, keys))


def write_blends(
    out: str | Path, split: str, data: EvaluationData, predictions: Sequence[Predictions], blending: Blending
) -> dict[str, Path]:
    """Write what there is of blends beside the report.

    Of labelled clips of dev, each read at once and answered by rule with the
    default thresholds, `blends.json`: those that fit best.  Of clips of BLEMORE
    without labels `submission.json`, or of several predictions one each, as
    the challenge takes them.

    Returns:
        the path of each file by its name; none where there are no blends.
    """
    if data.labels is None or not are_blends(data.labels.labels):
        return {}
    folder, files = Path(out), {}
    labelled = any(clip.target is not None for clip in data.clips)
    by_rule = [one for one in predictions if one.run in blending.runs]
    if by_rule and labelled and split == "dev" and data.windows is None and not blending.thresholds:
        files[FILE] = folder / FILE
        write_json(files[FILE], {one.key: fit(one) for one in by_rule})
    if not labelled and data.corpus.name == blemore.READER.name:
        for one in predictions:
            name = "submission.json" if len(predictions) == 1 else f"submission-{one.key}.json"
            files[name] = folder / name
            answers = (one.labels[best] for best in one.answers)
            blemore.write_submission(files[name], dict(zip(one.clip_ids, answers, strict=True)))
    return files
