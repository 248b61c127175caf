"""Folds in which no source is in two splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..core.errors import SettingsError
from ..core.timeline import Clip
from .corpus import SPLITS, Corpus

FOLD_COUNT = 5


def grouped_by_source(corpus: Corpus, fold: int) -> Corpus:
    """All clips of a corpus, divided anew: fold `fold` is test, the next one dev, the others train.

    Raises:
        SettingsError: no such fold, a clip without a source, or too few sources.
    """
    if not 0 <= fold < FOLD_COUNT:
        raise SettingsError(f"fold {fold} is not there: folds by source are 0 to {FOLD_COUNT - 1}")
    # A clip that is in two published splits counts once.
    clips = list({clip.id: clip for clip in corpus.clips}.values())
    nowhere = next((clip for clip in clips if clip.source is None), None)
    if nowhere is not None:
        raise SettingsError(
            f"folds by source need the source of every clip, and {nowhere.id} has none; "
            "give a source (of a table: a column source), or use the published folds"
        )
    fold_of = assign(clips)
    if len(fold_of) < FOLD_COUNT:
        raise SettingsError(
            f"{FOLD_COUNT} folds by source need as many sources, and there are {len(fold_of)}: {', '.join(fold_of)}"
        )

    def split_of(clip: Clip) -> str:
        distance = (fold_of[str(clip.source)] - fold) % FOLD_COUNT
        return {0: "test", 1: "dev"}.get(distance, "train")

    divided = [replace(clip, split=split_of(clip)) for clip in clips]
    return replace(
        corpus,
        clips=tuple(clip for split in SPLITS for clip in divided if clip.split == split),
        folds="source",
        fold=fold,
    )


def assign(clips: Sequence[Clip], folds: int = FOLD_COUNT) -> dict[str, int]:
    """The fold of each source, so that every label is spread as evenly as the sources allow.

    The sources with most clips are placed first, each where the sum over
    labels of the squared share of that label's clips grows least.  It depends
    on the clips alone, not on their order or on chance.
    """
    labels_of: dict[str, Counter[str]] = {}
    for clip in clips:
        labels_of.setdefault(str(clip.source), Counter()).update(_labels(clip))
    total: Counter[str] = sum(labels_of.values(), Counter())
    placed: list[Counter[str]] = [Counter() for _ in range(folds)]
    fold_of = {}
    for source, labels in sorted(labels_of.items(), key=lambda item: (-item[1].total(), item[0])):
        best = min(range(folds), key=lambda fold: (_growth(placed[fold], labels, total), placed[fold].total(), fold))
        placed[best].update(labels)
        fold_of[source] = best
    return fold_of


def _growth(placed: Mapping[str, int], added: Mapping[str, int], total: Mapping[str, int]) -> float:
    return sum((2 * placed.get(label, 0) + count) * count / total[label] ** 2 for label, count in sorted(added.items()))


def _labels(clip: Clip) -> Iterable[str]:
    """What a clip counts as; numbers and clips without a target are of one kind."""
    if isinstance(clip.target, str):
        return (clip.target,)
    return clip.target if isinstance(clip.target, frozenset) and clip.target else ("",)
