"""What a run answered on one split, beside what the corpus says."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ..core.errors import EmoscribeError
from ..core.timeline import Clip, Scored

# Scores are probabilities; what a CSV or a float32 softmax loses is far less.
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Predictions:
    """One run's scores for the N clips of a split.

    Attributes:
        run: the run's name, unique among those compared.
        labels: the L answers the run can give, in the order of `scores`.
        clip_ids: N distinct ids.
        truth: the corpus's label a clip, `None` where it has none; such a
            clip is written down but counts in no metric.
        scores: (N, L) probabilities, each row summing to 1.
        modalities: letters of TVA where one run was read several ways.
        decision: how clips were decided from their frames, where that was
            done several ways.

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
        if len(set(self.clip_ids)) != n:
            twice = next(clip for clip in self.clip_ids if self.clip_ids.count(clip) > 1)
            raise EmoscribeError(f"{self.key}: clip {twice!r} was scored twice; a clip counts once")
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
    def key(self) -> str:
        """How files and the report call these predictions: `run`, `run[TA]`, `run[vote]` or `run[TA, vote]`."""
        how = ", ".join(part for part in (self.modalities, self.decision) if part)
        return f"{self.run}[{how}]" if how else self.run

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

    def labelled(self) -> Predictions:
        """Only the clips that the corpus has a label for.

        Raises:
            EmoscribeError: there are none.
        """
        kept = [row for row, label in enumerate(self.truth) if label is not None]
        if not kept:
            raise EmoscribeError(
                f"{self.key}: none of {len(self.clip_ids)} clips has a label to compare with; "
                "choose a split that is labelled (`emoscribe corpus` lists them)"
            )
        return self if len(kept) == len(self.clip_ids) else self._rows(kept)

    def in_order_of(self, other: Predictions) -> Predictions:
        """The same predictions, with clips and labels in the order of `other`.

        Raises:
            EmoscribeError: the two differ in their label sets, their clips or
                what is true of them.
        """
        if set(self.labels) != set(other.labels):
            raise EmoscribeError(
                f"{other.key} and {self.key} cannot be compared: their label sets differ "
                f"({', '.join(other.labels)} against {', '.join(self.labels)}); evaluate them one by one"
            )
        differing = len(set(self.clip_ids) ^ set(other.clip_ids))
        if differing:
            raise EmoscribeError(
                f"{other.key} and {self.key} cannot be compared: {differing} clips were scored by only one of them; "
                "evaluate both on the same split"
            )
        rows = {clip: row for row, clip in enumerate(self.clip_ids)}
        ordered = self._rows([rows[clip] for clip in other.clip_ids])
        conflicting = sum(mine != theirs for mine, theirs in zip(ordered.truth, other.truth, strict=True))
        if conflicting:
            raise EmoscribeError(
                f"{other.key} and {self.key} cannot be compared: {conflicting} clips have another true label in one "
                "than in the other; evaluate both against the same labels"
            )
        columns = [self.labels.index(label) for label in other.labels]
        return replace(ordered, labels=other.labels, scores=ordered.scores[:, columns])

    def _rows(self, rows: Sequence[int]) -> Predictions:
        return replace(
            self,
            clip_ids=tuple(self.clip_ids[row] for row in rows),
            truth=tuple(self.truth[row] for row in rows),
            scores=self.scores[list(rows)],
        )


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
    scores = {one.id: one.scores for one in scored}
    for clip in clips:
        if clip.id not in scores:
            raise EmoscribeError(f"{run}: clip {clip.id!r} has no scores; {len(scores)} of {len(clips)} clips have")
        if clip.target is not None and not isinstance(clip.target, str):
            raise EmoscribeError(f"clip {clip.id!r} has the target {clip.target!r}; evaluate compares one label a clip")
    return Predictions(
        run=run,
        labels=tuple(labels),
        clip_ids=tuple(clip.id for clip in clips),
        truth=tuple(clip.target if isinstance(clip.target, str) else None for clip in clips),
        scores=np.array([[scores[clip.id][label] for label in labels] for clip in clips]).reshape(-1, len(labels)),
        modalities=modalities,
        decision=decision,
    )


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
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*COLUMNS, *(SCORE_PREFIX + label for label in predictions[0].labels)])
    for one in predictions:
        for row, clip in enumerate(one.clip_ids):
            answer = one.labels[one.answers[row]]
            table.writerow([one.key, clip, one.truth[row] or "", answer, *map(repr, one.scores[row].tolist())])
    return text.getvalue()


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
                runs.setdefault(run, []).append((clip, label or None, values))
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
