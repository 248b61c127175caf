"""What a run answered where a clip may have any number of labels, beside what the corpus says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..core.errors import EmoscribeError
from ..core.labels import THRESHOLD
from ..core.prompt import Scored
from ..core.timeline import Clip
from .by_clip import ByClip, csv_text, of_clips


@dataclass(frozen=True, eq=False)
class LabelSetPredictions(ByClip[frozenset[str]]):
    """One run's scores for the N clips of a split, each label on its own.

    Attributes:
        run, clip_ids, truth, modalities, decision: as in `ByClip`; an empty
            set is a clip that has been annotated with none of the labels.
        labels: the L labels, in the order of `scores`.
        scores: (N, L) probabilities, in 0–1 each.
        thresholds: (L,) from which probability on a label is given, in 0–1.

    Raises:
        EmoscribeError: shapes that do not fit, a clip twice, a true label
            that is no answer of the run, scores that are no probabilities.
    """

    run: str
    labels: tuple[str, ...]
    clip_ids: tuple[str, ...]
    truth: tuple[frozenset[str] | None, ...]
    scores: np.ndarray
    thresholds: np.ndarray
    modalities: str | None = None
    decision: str | None = None

    def __post_init__(self) -> None:
        n, size = len(self.clip_ids), len(self.labels)
        if len(self.truth) != n or self.scores.shape != (n, size) or self.thresholds.shape != (size,):
            raise EmoscribeError(
                f"{self.key}: {n} clips and {size} labels do not fit {len(self.truth)} targets, scores of shape "
                f"{self.scores.shape} and thresholds of shape {self.thresholds.shape}"
            )
        self._check_clips()
        for clip, labels in zip(self.clip_ids, self.truth, strict=True):
            if unknown := sorted((labels or frozenset()) - set(self.labels)):
                raise EmoscribeError(
                    f"clip {clip!r} is labelled {unknown[0]!r}, which {self.key} cannot answer "
                    f"(its labels: {', '.join(self.labels)}); evaluate a run of the corpus's own label set"
                )
        for name, values in (("scores", self.scores), ("thresholds", self.thresholds)):
            if not ((values >= 0) & (values <= 1)).all():
                raise EmoscribeError(f"{self.key}: the {name} must be probabilities, each in 0–1")

    @cached_property
    def answers(self) -> np.ndarray:
        """(N, L) bool: which labels are given, those whose score reaches the threshold; maybe none."""
        return self.scores >= self.thresholds

    @cached_property
    def truth_matrix(self) -> np.ndarray:
        """(N, L) bool: which labels each clip truly has.  Only where every clip is annotated."""
        return np.array([[label in (of or ()) for label in self.labels] for of in self.truth], dtype=bool)

    def in_order_of(self, other: LabelSetPredictions) -> LabelSetPredictions:
        """The same predictions, with clips and labels in the order of `other`.

        Raises:
            EmoscribeError: the two differ in their labels, their clips or
                what is true of them.
        """
        self._check_same_labels(self.labels, other, other.labels)
        ordered = self._in_clip_order_of(other)
        columns = [self.labels.index(label) for label in other.labels]
        return replace(
            ordered, labels=other.labels, scores=ordered.scores[:, columns], thresholds=self.thresholds[columns]
        )


def label_sets_of(
    run: str,
    labels: Sequence[str],
    clips: Sequence[Clip],
    scored: Iterable[Scored],
    thresholds: Mapping[str, float] | None = None,
    modalities: str | None = None,
    decision: str | None = None,
) -> LabelSetPredictions:
    """Clips and what a model gave them, joined by id.

    Args:
        thresholds: by label; `THRESHOLD` where there is none.

    Raises:
        EmoscribeError: a clip was not scored, or its target is not a set of
            labels.
    """
    by_clip = {one.id: one.scores for one in scored}
    scores = of_clips(run, clips, by_clip, frozenset, "a set of labels a clip")
    return LabelSetPredictions(
        run=run,
        labels=tuple(labels),
        clip_ids=tuple(clip.id for clip in clips),
        truth=tuple(clip.target if isinstance(clip.target, frozenset) else None for clip in clips),
        scores=np.array([[one[label] for label in labels] for one in scores]).reshape(-1, len(labels)),
        thresholds=np.array([(thresholds or {}).get(label, THRESHOLD) for label in labels], dtype=float),
        modalities=modalities,
        decision=decision,
    )


def to_csv(predictions: Sequence[LabelSetPredictions]) -> str:
    """One line a run and clip: `run,clip,true_<label>,…,given_<label>,…,p_<label>,…`.

    `true_` and `given_` are 1 or 0; `true_` is empty where the corpus has no
    annotation, which is not the same as none of the labels.
    """
    labels = predictions[0].labels
    return csv_text(
        ("run", "clip", *(f"{what}_{label}" for what in ("true", "given", "p") for label in labels)),
        (
            (
                one.key,
                clip,
                *("" if truth is None else int(label in truth) for label in labels),
                *one.answers[row].astype(int).tolist(),
                *one.scores[row].tolist(),
            )
            for one in predictions
            for row, (clip, truth) in enumerate(zip(one.clip_ids, one.truth, strict=True))
        ),
    )
