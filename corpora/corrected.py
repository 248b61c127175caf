"""Results that a person corrected, as a corpus: the moments that were set or confirmed are its labelled clips."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..core.errors import MediaError, SettingsError
from ..core.files import CORRECTED_SUFFIX, read_json
from ..core.labels import LABEL_SETS, label_set
from ..core.limits import is_number
from ..core.text import shortened
from ..core.timeline import Clip, Target
from .corpus import SPLITS, Corpus, CorpusRequest, wanted_splits
from .folds import FOLD_COUNT, assign

# Of one video, what is heard last is dev: so great a part of its labelled moments.
_DEV_SHARE = 0.2


@dataclass(frozen=True)
class _Answers:
    """What moments could be set to; the same in all files."""

    labels: tuple[str, ...]
    several: bool
    range: tuple[float, float] | None

    @property
    def task(self) -> str:
        return "number" if self.range is not None else "label-sets" if self.several else "labels"


def is_corrected(data: str | Path) -> bool:
    """Whether it is a file of a corrected result."""
    path = Path(data)
    return path.name.endswith(CORRECTED_SUFFIX) and path.is_file()


def corrected_files(data: Path) -> dict[str, list[Path]]:
    """The files by split, those of none under an empty name: the file itself, or what is in a folder and those in it.

    A split's are called after it, or lie in the folder of its name.
    """
    if is_corrected(data):
        return {"": [data]}
    by_split = {split: _in(data / split) for split in SPLITS}
    for path in _in(data):
        name = path.name.removesuffix(CORRECTED_SUFFIX)
        by_split.setdefault(name if name in SPLITS else "", []).append(path)
    return {split: paths for split, paths in by_split.items() if paths}


def read_corrected(request: CorpusRequest) -> Corpus:
    """The moments of corrected results; those that nobody set or confirmed are there without a target, as what was said
    before the others.

    Without splits of their own the files are divided by video: a fifth is
    dev and a fifth is test, as evenly by labels as that goes (see
    `folds.assign`), and without chance.  Of two videos none is test; of one,
    the last fifth of the labelled moments is dev.

    Raises:
        MediaError: a file is no result, no moment is corrected, or a split that is asked for is not there.
        SettingsError: they were corrected with other answers, or something else is asked for.
    """
    data = Path(request.data)
    if request.columns:
        raise SettingsError(f"--column goes with tables: what {data} holds is known")
    files = corrected_files(data)
    if "" in files and len(files) > 1:
        raise MediaError(f"{files[''][0]} is of no split, and {next(iter(files.values()))[0]} is; name all, or none")
    values = {path: _result(path) for paths in files.values() for path in paths}
    answers = _answers(values)
    _check(request, answers)
    sources: dict[str, str] = {}
    clips: dict[str, list[Clip]] = {split: [] for split in files}
    missing: dict[str, str] = {}
    for split, paths in files.items():
        for path in paths:
            found, absent = _clips(path, values[path], _name(path, data), answers, sources)
            clips[split] += found
            missing |= absent
    count = sum(clip.target is not None for each in clips.values() for clip in each)
    if count == 0:
        raise MediaError(
            f"no moment in {data} is set or confirmed by a person; correct it on the page of `emoscribe serve`, "
            f"and give the {CORRECTED_SUFFIX} that it saves"
        )
    how = ""
    if "" in clips:
        clips, how = _divided(clips[""], data)
    splits = wanted_splits(
        request,
        lambda split: bool(clips.get(split)),
        lambda split: (
            f"no {split} split in {data}, which has {', '.join(clips)}; give more videos, or name files "
            f"{split}{CORRECTED_SUFFIX}"
        ),
    )
    known = next((known for known in LABEL_SETS.values() if known.labels == answers.labels), None)
    total = sum(map(len, clips.values()))
    return Corpus(
        name="table",
        clips=tuple(replace(clip, split=split) for split in splits for clip in clips[split]),
        label_set=None if answers.range is not None else known or label_set(answers.labels),
        metric="macro_f1" if answers.range is None else "mae",
        range=answers.range,
        recognised=f"{count} of {total} moments are set or confirmed by a person{how}",
        missing=missing,
    )


# ── files ────────────────────────────────────────────────────────────────────


def _in(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{CORRECTED_SUFFIX}")) if folder.is_dir() else []


def _name(path: Path, data: Path) -> str:
    """What a file is called in the names of its clips."""
    within = path.relative_to(data) if path != data else Path(path.name)
    return within.as_posix().removesuffix(CORRECTED_SUFFIX)


def _result(path: Path) -> Mapping[str, Any]:
    value = read_json(path)
    if not isinstance(value, dict) or not {"media", "labels", "segments"} <= value.keys():
        raise MediaError(f"{path} is not a labelled transcript in JSON")
    labels, scale = value["labels"], value.get("range")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise MediaError(f"{path} is not a labelled transcript in JSON: its labels are {shortened(labels)}")
    if scale is not None and not (isinstance(scale, list) and len(scale) == 2 and all(map(is_number, scale))):
        raise MediaError(f"{path} is not a labelled transcript in JSON: its range is {shortened(scale)}")
    return value


def _answers(values: Mapping[Path, Mapping[str, Any]]) -> _Answers:
    first: tuple[Path, _Answers] | None = None
    for path, value in values.items():
        scale = value.get("range")
        found = _Answers(tuple(value["labels"]), "thresholds" in value, None if scale is None else (scale[0], scale[1]))
        first = first or (path, found)
        if found != first[1]:
            raise SettingsError(
                f"{first[0]} and {path} were read with other answers ({_said(first[1])}; {_said(found)}); "
                "learn from files of one run"
            )
    assert first is not None
    return first[1]


def _said(answers: _Answers) -> str:
    return ", ".join(answers.labels) or "ratings"


def _check(request: CorpusRequest, answers: _Answers) -> None:
    if request.task not in ("auto", answers.task):
        raise SettingsError(f"--task {request.task}: moments in {request.data} have {answers.task}; leave it out")
    if request.range is not None and request.range != answers.range:
        raise SettingsError(f"range: {request.data} says what the scale of its ratings is; leave it out")


# ── clips ────────────────────────────────────────────────────────────────────


def _clips(
    path: Path, value: Mapping[str, Any], name: str, answers: _Answers, sources: dict[str, str]
) -> tuple[list[Clip], dict[str, str]]:
    """A file's moments, and by id the video of those whose it is not there.

    Args:
        sources: by the hash of a video, what it was called first; added to.
    """
    try:
        media = value["media"]
        video = _video(path, media["path"])
        timed = media["duration_s"] > 0
        for segment in value["segments"]:
            _check_segment(segment)
        clips = [
            Clip(
                id=f"{name}-{number}",
                media=video if os.path.isfile(video) else None,
                start_s=segment["start_s"] if timed else None,
                end_s=segment["end_s"] if timed else None,
                text=segment["text"],
                speaker=segment["speaker"],
                dialogue=name,
                source=sources.setdefault(media["sha256"], name),
                target=_target(segment, answers) if segment.get("corrected") else None,
            )
            for number, segment in enumerate(value["segments"], start=1)
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MediaError(f"{path} is not a labelled transcript in JSON ({type(error).__name__}: {error})") from None
    return clips, {clip.id: video for clip in clips if clip.media is None}


def _check_segment(segment: Mapping[str, Any]) -> None:
    """Raises:
    TypeError: it has a time that is none, or something else in the place of words.
    """
    for name in ("start_s", "end_s"):
        if not is_number(segment[name]) or segment[name] < 0:
            raise TypeError(f"{name} is {shortened(segment[name])}")
    for name in ("text", "speaker"):
        if not isinstance(segment[name], str | None):
            raise TypeError(f"{name} is {shortened(segment[name])}")


def _video(path: Path, named: str) -> str:
    """Where a result's video is: where the result says, or beside it."""
    beside = [path.parent / named, path.parent / Path(named).name, Path(named)]
    return str(next((place for place in beside if place.is_file()), beside[0]))


def _target(segment: Mapping[str, Any], answers: _Answers) -> Target:
    if answers.range is not None:
        return float(segment["rating"])
    given = segment["labels"] if answers.several else [segment["label"]]
    for label in given:
        if label not in answers.labels:
            raise KeyError(label)
    return frozenset(given) if answers.several else given[0]


# ── splits ───────────────────────────────────────────────────────────────────


def _divided(clips: Sequence[Clip], data: Path) -> tuple[dict[str, list[Clip]], str]:
    """The clips by split, and how that was done, for people."""
    labelled = [clip for clip in clips if clip.target is not None]
    videos = len({clip.source for clip in labelled})
    if videos == 1:
        return _by_time(clips, labelled, data), "; those that come last are dev"
    folds = min(videos, FOLD_COUNT)
    fold_of = assign(labelled, folds)
    names = {folds - 1: "dev"} if folds == 2 else {folds - 1: "test", folds - 2: "dev"}

    def split_of(clip: Clip) -> str:
        return names.get(fold_of.get(str(clip.source), 0), "train")

    by_split = {split: [clip for clip in clips if split_of(clip) == split] for split in SPLITS}
    return {split: found for split, found in by_split.items() if found}, "; each video is in one split"


def _by_time(clips: Sequence[Clip], labelled: Sequence[Clip], data: Path) -> dict[str, list[Clip]]:
    if len(labelled) < 2:
        raise MediaError(f"one moment in {data} is set or confirmed: there is none left to choose by; correct more")
    first_of_dev = labelled[-max(1, round(_DEV_SHARE * len(labelled)))]
    at = list(clips).index(first_of_dev)
    return {"train": list(clips[:at]), "dev": list(clips[at:])}
