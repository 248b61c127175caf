"""What a reader sees of a corpus, before anything is trained on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, pstdev
from typing import Any

from ..core.errors import SettingsError
from ..core.text import printable_line
from ..core.timeline import Clip
from .caveats import without_counterpart
from .corpus import Corpus, CorpusRequest, label_counts
from .folds import FOLD_COUNT, grouped_by_source
from .identity import Shared, overlap_within
from .registry import read_corpus, reader


@dataclass(frozen=True)
class Split:
    """One split in figures.

    Attributes:
        labels: clips by label; one with several counts for each.
        sources: how many there are.
        without_target: clips that are not to be learnt or scored.
        none, several: clips whose set of labels is empty, or larger than one.
        numbers: mean, sd, lowest and highest of targets that are numbers;
            empty where they are labels.
    """

    clips: int
    labels: Mapping[str, int]
    missing_media: int
    sources: int
    without_target: int
    none: int
    several: int
    numbers: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """`{"clips", "labels", "missing_media", "sources"}`, and `"numbers"` where targets are numbers."""
        numbers = {"numbers": dict(self.numbers)} if self.numbers else {}
        counts = {"clips": self.clips, "labels": dict(self.labels)}
        return counts | {"missing_media": self.missing_media, "sources": self.sources} | numbers


@dataclass(frozen=True)
class Fold:
    """One way of dividing the corpus: clips by split, and the sources that splits share."""

    folds: str
    fold: int
    clips: Mapping[str, int]
    overlap: tuple[Shared, ...]


@dataclass(frozen=True)
class Description:
    """A corpus in figures."""

    corpus: Corpus
    splits: Mapping[str, Split]
    overlap: tuple[Shared, ...]
    folds: tuple[Fold, ...]

    def as_json(self) -> dict[str, Any]:
        """`{"corpus", "splits", "overlap", "folds"}` in JSON's own types."""
        return {
            "corpus": self.corpus.name,
            "splits": {name: split.as_json() for name, split in self.splits.items()},
            "overlap": [asdict(shared) for shared in self.overlap],
            "folds": [asdict(fold) for fold in self.folds],
        }

    def as_text(self) -> str:
        """A table to read."""
        return "\n".join([*_figures(self), *_shared(self), *_divisions(self), *_caveats(self.corpus)])


def describe(request: CorpusRequest) -> Description:
    """What there is of a corpus: of all its splits.

    Raises:
        SettingsError, MediaError: as for `read_corpus`.
    """

    def corpus(folds: str, fold: int) -> Corpus:
        return read_corpus(replace(request, folds=folds, fold=fold))

    seen = read_corpus(request)
    count = reader(request.name).published_folds
    divisions = [corpus("published", k) for k in range(count)] if count > 1 else []
    if any(clip.target is not None for clip in seen.clips):
        try:
            if request.labels is not None:  # which change the targets, and folds go by the corpus's own
                divisions += [corpus("source", k) for k in range(FOLD_COUNT)]
            else:
                pool = corpus("source", 0) if count > 1 else seen
                divisions += [grouped_by_source(pool, k) for k in range(FOLD_COUNT)]
        except SettingsError:
            pass  # too few sources, or none known
    return Description(
        corpus=seen,
        splits={split: _split(seen, seen.split(split)) for split in seen.splits},
        overlap=tuple(overlap_within(seen)),
        folds=tuple(_fold(division) for division in divisions),
    )


def _split(corpus: Corpus, clips: Sequence[Clip]) -> Split:
    counts = label_counts(clips)
    labels = corpus.label_set.labels if corpus.label_set is not None else ()
    sizes = [len(clip.target) for clip in clips if isinstance(clip.target, frozenset)]
    return Split(
        clips=len(clips),
        labels={label: counts[label] for label in labels},
        missing_media=sum(clip.id in corpus.missing for clip in clips),
        sources=len({clip.source for clip in clips} - {None}),
        without_target=sum(clip.target is None for clip in clips),
        none=sizes.count(0),
        several=sum(size > 1 for size in sizes),
        numbers=_numbers([clip.target for clip in clips if isinstance(clip.target, float)]),
    )


def _numbers(targets: Sequence[float]) -> dict[str, float]:
    if not targets:
        return {}
    return {"mean": fmean(targets), "sd": pstdev(targets), "lowest": min(targets), "highest": max(targets)}


def _fold(corpus: Corpus) -> Fold:
    return Fold(
        folds=corpus.folds,
        fold=corpus.fold,
        clips={split: len(corpus.split(split)) for split in corpus.splits},
        overlap=tuple(overlap_within(corpus, ["source"])),
    )


# ── to read ──────────────────────────────────────────────────────────────────


def _figures(description: Description) -> list[str]:
    splits = description.splits
    rows = [("", list(splits)), ("clips", [str(split.clips) for split in splits.values()])]
    rows += [("sources", [str(split.sources) for split in splits.values()])]
    rows += [("missing media", [str(split.missing_media) for split in splits.values()])]
    for label in next(iter(splits.values())).labels:
        rows.append((f"  {printable_line(label)}", [str(split.labels[label]) for split in splits.values()]))
    for name in dict.fromkeys(name for split in splits.values() for name in split.numbers):
        cells = [f"{split.numbers[name]:.2f}" if split.numbers else "–" for split in splits.values()]
        rows.append((f"  {name}", cells))
    besides = {
        "  (none of them)": [split.none for split in splits.values()],
        "  (several)": [split.several for split in splits.values()],
        "  (not scored)": [split.without_target for split in splits.values()],
    }
    rows += [(head, [str(count) for count in counts]) for head, counts in besides.items() if any(counts)]
    width = max(len(head) for head, _ in rows)
    about = reader(description.corpus.name)
    title = [f"{about.name}: {about.description}", f"Licence: {about.licence}", f"Cite: {about.citation}", ""]
    if description.corpus.recognised:
        title.insert(-1, f"Read as: {description.corpus.recognised}")
    return [*title, *(f"{head:{width}}" + "".join(f"{cell:>9}" for cell in cells) for head, cells in rows)]


def _shared(description: Description) -> list[str]:
    if len(description.splits) < 2:
        return []
    lines = [f"  {_together(shared)}" for shared in description.overlap if shared.shared]
    return ["", "What splits share:", *(lines or ["  nothing"])]


def _divisions(description: Description) -> list[str]:
    if not description.folds:
        return []
    lines = ["", "Folds (clips; sources of a split that are in one before it):"]
    for fold in description.folds:
        clips = ", ".join(f"{name} {count}" for name, count in fold.clips.items())
        shared = "; ".join(f"{each.b} {each.shared}/{each.of} in {each.a}" for each in fold.overlap if each.shared)
        lines.append(f"  {fold.folds} {fold.fold}: {clips}; {shared or 'no source shared'}")
    return lines


def _caveats(corpus: Corpus) -> list[str]:
    lines = [caveat for split in corpus.splits if (caveat := without_counterpart(corpus, split))]
    if lines:
        lines.insert(0, "")
    if corpus.broken:
        lines += ["", "Known to be broken:", *(f"  {id}: {why}" for id, why in corpus.broken.items())]
    if corpus.missing:
        lines += ["", f"Missing: {next(iter(corpus.missing.values()))}" + (" …" if len(corpus.missing) > 1 else "")]
    if corpus.voice:
        lines += ["", f"Published voice measurements for {len(corpus.voice)} of {len(corpus.clips)} clips"]
    return lines


def _together(shared: Shared) -> str:
    return f"{shared.b} with {shared.a}: {shared.shared} of {shared.of} {shared.what}s"
