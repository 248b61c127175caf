"""What every reader is and gives: the contract of the corpora.

A clip's `id` is unique within a split; the same id in two splits is the same
clip.  Clips of one dialogue stand in the order in which they were spoken.  A
clip without a `target` is annotated but not to be learnt or scored.  A clip's
`media` is a file that is there, or `None`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import MediaError, SettingsError
from ..core.labels import LabelSet
from ..core.measures import VOICE, check_declared
from ..core.timeline import Clip

SPLITS = ("train", "dev", "test")

# How a corpus is cut into splits: as published, or anew with no source shared.
FOLDS = ("published", "source")


@dataclass(frozen=True)
class Corpus:
    """The clips of the splits that were asked for, and what else is known of them.

    Attributes:
        clips: split by split in the order of `SPLITS`.
        label_set: the possible targets; `None` where targets are numbers.
        metric: what to select on, as `evaluate` names it.
        folds, fold: which division into splits this is.
        missing: by clip id, the file that should be there and is not.
        broken: by clip id, what is known to be wrong with the recording.
        identity: by clip id, a name for what was recorded that is the same
            wherever it turns up again, in this corpus or another; empty
            where only the recording itself can tell.
        voice: by clip id, published measurements of the voice, named as in
            `VoiceTrack.names`; NaN where something could not be measured.
        range: the lowest and the highest that a target can be, where it is a number.
        recognised: what a table was seen to ask for, for people.
        unmapped: by clip id, the label for which the answers asked for have
            no counterpart, so that the clip has no target.
    """

    name: str
    clips: tuple[Clip, ...]
    label_set: LabelSet | None
    metric: str
    folds: str = "published"
    fold: int = 0
    missing: Mapping[str, str] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    voice: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    range: tuple[float, float] | None = None
    recognised: str = ""
    unmapped: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for measured in self.voice.values():
            check_declared(measured, VOICE, f"voices of {self.name}")

    @property
    def splits(self) -> tuple[str, ...]:
        there = {clip.split for clip in self.clips}
        return tuple(split for split in SPLITS if split in there)

    def split(self, name: str) -> tuple[Clip, ...]:
        """The clips of one split; none where the corpus lacks it."""
        return tuple(clip for clip in self.clips if clip.split == name)


@dataclass(frozen=True)
class CorpusRequest:
    """What is wanted of a corpus.

    Attributes:
        name: the corpus, as its reader is called.
        data: the folder that holds it, laid out as published; of a table also
            `hf:NAME[:CONFIG]`, see `hub`.
        splits: those that have to be there; `None` for all that are.
        folds: `published`, or `source`: what is there is divided anew, and no
            source is in two splits.
        fold: which of them.
        columns: of tables, what the columns are called, by their role.
        labels: the answers there may be, of a run for example; `None` for the
            corpus's own.  Labels of the corpus that are called otherwise there
            become those (see `counterpart`); a clip whose emotion has no
            counterpart among them loses its target and is noted in
            `Corpus.unmapped`.  Sets of labels stay sets where the answers are
            those of the task; otherwise a clip with exactly one emotion is
            labelled with it, and one with none or several is without a
            counterpart.
        task: which of the corpus's annotations; empty for the one whose
            answers are `labels`, or else the first.
        range: of tables, the scale of ratings; `None` for what the data show.
    """

    name: str
    data: str | Path
    splits: tuple[str, ...] | None = None
    folds: str = "published"
    fold: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: LabelSet | None = None
    task: str = ""
    range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Reader:
    """How a dataset is read, and what a person has to know of it.

    Attributes:
        layout: the files and folders that are read, a line each.
        obtain: how to come by the data, to follow “get it …”.
        tasks: what can be predicted, by name, the usual first; `None` where
            the labels are not known beforehand, or targets are numbers.
        published_folds: how many divisions into splits were published.
        read: the loader, told which task; raises `MediaError` for files that
            are missing or not as they should be.
        range: the lowest and the highest that a target can be, where it is a number.
    """

    name: str
    description: str
    citation: str
    licence: str
    layout: str
    obtain: str
    tasks: Mapping[str, LabelSet | None]
    metric: str
    read: Callable[[CorpusRequest], Corpus]
    published_folds: int = 1
    range: tuple[float, float] = (-1.0, 1.0)


def label_counts(clips: Iterable[Clip]) -> Counter[str]:
    """Clips by label; one with several counts for each, one with a number for none."""
    counts: Counter[str] = Counter()
    for clip in clips:
        if not isinstance(clip.target, float | int | None):
            counts.update({clip.target} if isinstance(clip.target, str) else clip.target)
    return counts


def wanted_splits(request: CorpusRequest, there: Callable[[str], bool], missing: Callable[[str], str]) -> list[str]:
    """The splits to read: those asked for, or else all that are there.

    Args:
        there: whether a split is on disk.
        missing: the message for a split that is not.

    Raises:
        MediaError: one that was asked for is not there, or none is.
    """
    if request.splits is not None:
        for split in request.splits:
            if not there(split):
                raise MediaError(missing(split))
        return [split for split in SPLITS if split in request.splits]
    found = [split for split in SPLITS if there(split)]
    if not found:
        raise MediaError(missing("train"))
    return found


def known(name: str, names: Mapping[str, object] | tuple[str, ...], what: str) -> str:
    """`name`, if it is one of `names`.

    Raises:
        SettingsError: it is not; the message lists those there are.
    """
    if name not in names:
        raise SettingsError(f"unknown {what} {name!r}; there are: {', '.join(names)}")
    return name
