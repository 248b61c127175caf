"""What predictions of every kind have in common: a run, and one row a clip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, Self, TypeVar

from ..core import cells
from ..core.errors import EmoscribeError
from ..core.timeline import Clip

Truth = TypeVar("Truth")
Given = TypeVar("Given")


def key_of(run: str, *how: str | None) -> str:
    """What files and the report call a run's predictions, by the ways it was read of several: `run[TA, vote]`."""
    told = ", ".join(part for part in how if part)
    return f"{run}[{told}]" if told else run


class ByClip(Generic[Truth]):
    """A run's answers for N clips beside the corpus's.

    A mixin of the records `Predictions`, `LabelSetPredictions` and
    `NumberPredictions`, which hold the answers.

    Attributes:
        run: the run's name, unique among those compared.
        clip_ids: N distinct ids.
        truth: the corpus's target a clip, `None` where it has none; such a
            clip is written down but counts in no metric.
        modalities: letters of TVA where one run was read several ways.
        decision: how clips were decided from their frames, where that was
            done several ways.
    """

    run: str
    clip_ids: tuple[str, ...]
    truth: tuple[Truth | None, ...]
    modalities: str | None
    decision: str | None
    # The field with a row of answers a clip.
    _answered: ClassVar[str] = "scores"

    @property
    def key(self) -> str:
        """How files and the report call these predictions: `run`, `run[TA]`, `run[vote]` or `run[TA, vote]`."""
        return key_of(self.run, self.modalities, self.decision)

    def labelled(self) -> Self:
        """Only the clips that the corpus has a target for.

        Raises:
            EmoscribeError: there are none.
        """
        kept = [row for row, target in enumerate(self.truth) if target is not None]
        if not kept:
            raise EmoscribeError(
                f"{self.key}: none of {len(self.clip_ids)} clips has a label to compare with; "
                "choose a split that is labelled (`emoscribe corpus` lists them)"
            )
        return self if len(kept) == len(self.clip_ids) else self._rows(kept)

    def _rows(self, rows: Sequence[int]) -> Self:
        """The same for these clips alone, in this order."""
        kept: dict[str, Any] = {self._answered: getattr(self, self._answered)[list(rows)]}
        for name in ("clip_ids", "truth"):
            kept[name] = tuple(getattr(self, name)[row] for row in rows)
        return replace(self, **kept)  # type: ignore[type-var]

    def _check_clips(self) -> None:
        if len(set(self.clip_ids)) != len(self.clip_ids):
            twice = next(clip for clip in self.clip_ids if self.clip_ids.count(clip) > 1)
            raise EmoscribeError(f"{self.key}: clip {twice!r} was scored twice; a clip counts once")

    def _in_clip_order_of(self, other: ByClip[Truth]) -> Self:
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
        return ordered

    def _check_same_labels(self, mine: Sequence[str], other: ByClip[Truth], theirs: Sequence[str]) -> None:
        if set(mine) != set(theirs):
            raise EmoscribeError(
                f"{other.key} and {self.key} cannot be compared: their label sets differ "
                f"({', '.join(theirs)} against {', '.join(mine)}); evaluate them one by one"
            )


def of_clips(
    run: str, clips: Sequence[Clip], given: Mapping[str, Given], kind: type | tuple[type, ...], asked: str
) -> list[Given]:
    """What each clip was given, in the order of the clips, whose targets are of one kind or missing.

    Args:
        given: by clip.
        kind: the type of a target; asked: what that is called.

    Raises:
        EmoscribeError: a clip was given nothing, or its target is of another kind.
    """
    for clip in clips:
        if clip.id not in given:
            raise EmoscribeError(f"{run}: clip {clip.id!r} has no scores; {len(given)} of {len(clips)} clips have")
        if clip.target is not None and not isinstance(clip.target, kind):
            target = sorted(clip.target) if isinstance(clip.target, frozenset) else clip.target
            raise EmoscribeError(
                f"clip {clip.id!r} has the target {target!r}, and {run} answers with {asked}; "
                "evaluate a run that was trained for such targets"
            )
    return [given[clip.id] for clip in clips]


def csv_text(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table as CSV; numbers so that reading them gives the same ones, and names so that `of_cell` does."""
    return cells.csv_text([_shown(cell) for cell in row] for row in (header, *rows))


def _shown(cell: object) -> str:
    if isinstance(cell, str):
        return cells.as_cell(cell)
    return repr(cell) if isinstance(cell, float) else str(cell)
