"""RAVDESS: 24 actors say two neutral sentences in eight emotions; all is in the file names."""

from __future__ import annotations

import re
from pathlib import Path

from ..core.errors import MediaError
from ..core.labels import BASIC, LabelSet, as_basic
from ..core.timeline import Clip
from .corpus import SPLITS, Corpus, CorpusRequest, Reader, wanted_splits

DESCRIPTION = (
    "Ryerson Audio-Visual Database of Emotional Speech and Song, the speech part: 24 professional actors, 60 "
    "recordings each, in neutral, calm, happy, sad, angry, fearful, disgusted and surprised voices, at two intensities."
)

CITATION = (
    "S. R. Livingstone, F. A. Russo: The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS). "
    "PLoS ONE 13(5), 2018, doi:10.1371/journal.pone.0196391."
)

LICENCE = "CC BY-NC-SA 4.0: research, not commercial use."

LAYOUT = """\
MM-CC-EE-II-SS-RR-AA.{wav,flac,mp4}, in any folders (Actor_01/ …), where
MM is the modality, CC the channel, EE the emotion, II the intensity,
SS the statement, RR the repetition, AA the actor"""

OBTAIN = "get its speech archives from Zenodo (doi:10.5281/zenodo.1188976)"

_NAME = re.compile(r"(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)")
_SUFFIXES = (".mp4", ".wav", ".flac")

# Of one performance, the file that shows and sounds is preferred.
_MODALITIES = ("01", "03", "02")  # audio-video, audio-only, video-only
_SPEECH = "01"  # the other channel is song

_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")  # 01 … 08
_STATEMENTS = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}

# With calm as an answer of its own, in the words that the basic emotions have elsewhere.
WITH_CALM = LabelSet("basic-calm", (BASIC.labels[0], "calm", *BASIC.labels[1:]))

# No actor is heard in two splits.
_ACTORS = {"train": range(1, 16), "dev": range(16, 19), "test": range(19, 25)}


def read(request: CorpusRequest) -> Corpus:
    """One clip a performance, in order of actor; see `Reader.read`."""
    data = Path(request.data)
    found = _performances(data)
    splits = wanted_splits(
        request,
        lambda split: any(_actor(name) in _ACTORS[split] for name in found),
        lambda split: (
            f"no recordings of actors {_ACTORS[split][0]}–{_ACTORS[split][-1]} ({split}) in {data}, "
            f"with names such as 03-01-05-01-02-01-12.wav; {OBTAIN}"
        ),
    )
    clips = tuple(
        _clip(name, path, split, request.task)
        for split in SPLITS
        if split in splits
        for name, path in sorted(found.items(), key=lambda item: (_actor(item[0]), item[0]))
        if _actor(name) in _ACTORS[split]
    )
    return Corpus(
        name=READER.name,
        clips=clips,
        label_set=READER.tasks[request.task],
        metric=READER.metric,
        identity={clip.id: f"ravdess {clip.id}" for clip in clips},
    )


def _performances(data: Path) -> dict[str, Path]:
    """The best file of each performance, by its name without the modality."""
    found: dict[str, tuple[tuple[int, int, str], Path]] = {}
    for path in data.rglob("*"):
        match = _NAME.fullmatch(path.stem)
        if match is None or path.suffix.lower() not in _SUFFIXES or match[2] != _SPEECH:
            continue
        _check(path, *match.groups())
        rank = _MODALITIES.index(match[1]), _SUFFIXES.index(path.suffix.lower()), str(path)
        name = path.stem[3:]
        if name not in found or rank < found[name][0]:
            found[name] = rank, path
    return {name: path for name, (_, path) in found.items()}


def _check(
    path: Path, modality: str, _: str, emotion: str, intensity: str, statement: str, repeat: str, actor: str
) -> None:
    allowed = {
        "modality": (modality, len(_MODALITIES)),
        "emotion": (emotion, len(_EMOTIONS)),
        "intensity": (intensity, 2),
        "statement": (statement, len(_STATEMENTS)),
        "repetition": (repeat, 2),
        "actor": (actor, _ACTORS["test"][-1]),
    }
    for part, (value, highest) in allowed.items():
        if not 1 <= int(value) <= highest:
            raise MediaError(
                f"{path}: its name says {part} {value}, but there are only 01 to {highest:02}; rename or remove it"
            )


def _actor(name: str) -> int:
    return int(name.rsplit("-", 1)[1])


def _clip(name: str, path: Path, split: str, task: str) -> Clip:
    _, emotion, _, statement, _, actor = name.split("-")
    word = _EMOTIONS[int(emotion) - 1]
    return Clip(
        id=name,
        media=str(path),
        text=_STATEMENTS[statement],
        speaker=f"actor-{actor}",
        source=f"ravdess-actor-{actor}",
        split=split,
        target=word if task == "basic-calm" and word == "calm" else as_basic(word),
    )


READER = Reader(
    name="ravdess",
    description=DESCRIPTION,
    citation=CITATION,
    licence=LICENCE,
    layout=LAYOUT,
    obtain=OBTAIN,
    # Calm counts as neutral, unless it is asked for.
    tasks={"basic": BASIC, "basic-calm": WITH_CALM},
    metric="macro_f1",
    read=read,
)
