"""What a run answered on one split, beside what the corpus says."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..core.cells import of_cell
from ..core.errors import EmoscribeError
from ..core.prompt import Scored
from ..core.timeline import Clip
from .by_clip import ByClip, csv_text, of_clips

# Scores are probabilities; what a CSV or a float32 softmax loses is far less.
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Predictions(ByClip[str]):
    """One run's scores for the N clips of a split.

    Attributes:
        run, clip_ids, truth, modalities, decision: as in `ByClip`.
        labels: the L answers the run can give, in the order of `scores`.
        scores: (N, L) probabilities, each row summing to 1.

    Raises:
        EmoscribeError: shapes that do not fit, a clip twice, a true label
            that is no answer of the run, scores that are no probabilities.
    """

    run: str
    labels: tuple[str, ...]
    clip_ids: tuple[str, ...]
    truth: tuple[str | None, ...]
    scores: np.ndarray
    modalities: str | None = None
    decision: str | None = None

    def __post_init__(self) -> None:
        n = len(self.clip_ids)
        if len(self.truth) != n or self.scores.shape != (n, len(self.labels)):
            raise EmoscribeError(
                f"{self.key}: {n} clips and {len(self.labels)} labels do not fit "
                f"{len(self.truth)} targets and scores of shape {self.scores.shape}"
            )
        self._check_clips()
        unknown = sorted({label for label in self.truth if label is not None} - set(self.labels))
        if unknown:
            first = self.clip_ids[self.truth.index(unknown[0])]
            raise EmoscribeError(
                f"clip {first!r} is labelled {unknown[0]!r}, which {self.key} cannot answer "
                f"(its labels: {', '.join(self.labels)}); evaluate a run of the corpus's own label set"
            )
        if not (self.scores >= 0).all() or np.abs(self.scores.sum(axis=1) - 1).max(initial=0) > SUM_TOLERANCE:
            raise EmoscribeError(f"{self.key}: the scores of every clip must be probabilities that sum to 1")

    @property
    def reading(self) -> str:
        """The key without the decision: all decisions are taken from one reading."""
        return replace(self, decision=None).key

    @cached_property
    def answers(self) -> np.ndarray:
        """(N,) index of the label with the highest score; the first of equals."""
        return self.scores.argmax(axis=1)

    @cached_property
    def truth_index(self) -> np.ndarray:
        """(N,) index of the true label.  Only where every clip has one."""
        return np.array([self.labels.index(label) for label in self.truth if label is not None], dtype=np.intp)

    def in_order_of(self, other: Predictions) -> Predictions:
        """The same predictions, with clips and labels in the order of `other`.

        Raises:
            EmoscribeError: the two differ in their label sets, their clips or
                what is true of them.
        """
        self._check_same_labels(self.labels, other, other.labels)
        ordered = self._in_clip_order_of(other)
        columns = [self.labels.index(label) for label in other.labels]
        return replace(ordered, labels=other.labels, scores=ordered.scores[:, columns])


def predictions_of(
    run: str,
    labels: Sequence[str],
    clips: Sequence[Clip],
    scored: Iterable[Scored],
    modalities: str | None = None,
    decision: str | None = None,
) -> Predictions:
    """Clips and what a model gave them, joined by id.

    Raises:
        EmoscribeError: a clip was not scored, or its target is not one label.
    """
    by_clip = {one.id: one.scores for one in scored}
    scores = of_clips(run, clips, by_clip, str, "one label a clip")
    return Predictions(
        run=run,
        labels=tuple(labels),
        clip_ids=tuple(clip.id for clip in clips),
        truth=tuple(clip.target if isinstance(clip.target, str) else None for clip in clips),
        scores=np.array([[one[label] for label in labels] for one in scores]).reshape(-1, len(labels)),
        modalities=modalities,
        decision=decision,
    )


def always_the_same(predictions: Sequence[Any]) -> list[str]:
    """Of which runs every answer is one and the same label, in words."""
    found = []
    for one in predictions:
        if isinstance(one, Predictions) and len(one.clip_ids) > 1 and len(set(one.answers)) == 1:
            label = one.labels[one.answers[0]]
            found.append(f"{one.key} answers {label!r} to each of {len(one.clip_ids):,} clips: it tells nothing apart")
    return found


def unique_names(names: Sequence[str]) -> list[str]:
    """Names of runs, a second of the same name becoming `name-2`."""
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate, count = name, 1
        while candidate in taken or (count > 1 and candidate in names):
            count += 1
            candidate = f"{name}-{count}"
        taken.add(candidate)
        unique.append(candidate)
    return unique


# ── as a table ───────────────────────────────────────────────────────────────

SCORE_PREFIX = "p_"
COLUMNS = ("run", "clip", "label", "predicted")


def to_csv(predictions: Sequence[Predictions]) -> str:
    """One line a run and clip: `run,clip,label,predicted,p_<label>,…`.

    `label` is empty where the corpus has none.  Scores are written so that
    reading them gives the same numbers.  All runs share one label set.
    """
    return csv_text(
        (*COLUMNS, *(SCORE_PREFIX + label for label in predictions[0].labels)),
        (
            (one.key, clip, one.truth[row] or "", one.labels[one.answers[row]], *one.scores[row].tolist())
            for one in predictions
            for row, clip in enumerate(one.clip_ids)
        ),
    )


def read_predictions(path: str | Path) -> list[Predictions]:
    """The runs of a `predictions.csv`, in its order.

    Raises:
        EmoscribeError: the file is not there, or not of that form; the
            message names the line.
    """
    runs: dict[str, list[tuple[str, str | None, list[float]]]] = {}
    try:
        with open(path, encoding="utf-8", newline="") as file:
            table = csv.reader(file)
            labels = _score_labels(path, next(table, []))
            for row in table:
                try:
                    run, clip, label, _, *scores = row
                    values = [float(score) for _, score in zip(labels, scores, strict=True)]
                except ValueError:
                    raise EmoscribeError(
                        f"{path}, line {table.line_num}: expected {len(labels)} scores, one for each label"
                    ) from None
                runs.setdefault(of_cell(run), []).append((of_cell(clip), of_cell(label) or None, values))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EmoscribeError(f"{path}: cannot be read as predictions ({error})") from None
    found = []
    for run, rows in runs.items():
        clips, truth, scores = zip(*rows, strict=True)
        found.append(Predictions(run, labels, clips, truth, np.array(scores)))
    return found


def _score_labels(path: str | Path, header: Sequence[str]) -> tuple[str, ...]:
    labels = tuple(column.removeprefix(SCORE_PREFIX) for column in header[len(COLUMNS) :])
    if tuple(header[: len(COLUMNS)]) != COLUMNS or not labels:
        raise EmoscribeError(
            f"{path}: not a table of predictions; its columns must be {', '.join(COLUMNS)} and {SCORE_PREFIX}<label> …"
        )
    return labels
