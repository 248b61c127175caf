"""BLEMORE: actors show one emotion, or two blended in known shares, without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ..core.blends import EVEN, LEADING, blend_label, blends_of, shares_in
from ..core.files import write_json
from ..core.labels import LabelSet, as_basic
from ..core.timeline import Clip
from .corpus import SPLITS, Corpus, CorpusRequest, Reader, wanted_splits
from .rows import Row, csv_table, read_utf8

DESCRIPTION = (
    "Blended emotions with relative salience: 3,050 recordings of 58 actors who show one of anger, disgust, fear, "
    "happiness and sadness, or none, or two blended 50/50, 70/30 or 30/70, by face, body and sounds, not words. Five "
    "folds share no actor: fold K is dev, the others train. Test is published without labels and actors. What an actor "
    "was asked to show is the label; whether anybody sees it is another question."
)

CITATION = (
    "T. Lachmann, A. Israelsson, C. Tornberg, T. Saghinadze, M. Balazia, P. Müller, P. Laukka: Not all Blends are "
    "Equal: The BLEMORE Dataset of Blended Emotion Expressions with Relative Salience Annotations. FG 2026, "
    "arXiv 2601.13225."
)

LICENCE = "As stated with its record on Zenodo; take it for research only unless that says otherwise."

LAYOUT = """\
train_metadata.csv with filename, video_id, mix, emotion_1, emotion_2,
emotion_1_salience, emotion_2_salience and fold
FILENAME.mov (or .mp4, .wav), such as A102_ang_int1_ver1.mov, in any folders
test_0001.mov …, in any folders; or test_metadata.csv, as for train, where its labels are known"""

OBTAIN = "get train_metadata.csv and the archives of videos from Zenodo (record 17787362)"

_SUFFIXES = (".mov", ".mp4", ".wav")  # the first there is
_METADATA = {"train": "train_metadata.csv", "dev": "train_metadata.csv", "test": "test_metadata.csv"}
_COLUMNS = ("filename", "video_id", "mix", "emotion_1", "emotion_2", "emotion_1_salience", "emotion_2_salience")

_EMOTIONS = {"ang": "anger", "disg": "disgust", "fea": "fear", "hap": "happiness", "sad": "sadness", "neu": "neutral"}
_WORDS = {code: as_basic(word) or word for code, word in _EMOTIONS.items()}
NEUTRAL = _WORDS["neu"]

_SHARES = blends_of([word for word in _WORDS.values() if word != NEUTRAL], alone=[NEUTRAL])
# Six alone, and ten pairs in three proportions.
BLENDS = LabelSet("blemore", tuple(_SHARES), parts=_SHARES)
# Which are there, whatever the shares.
PRESENT = LabelSet("blemore-emotions", tuple(_WORDS.values()))


def read(request: CorpusRequest) -> Corpus:
    """The recordings of a published fold; where folds are made anew, all whose actor is known."""
    data = Path(request.data)
    files = _videos(data)
    unnamed = sorted(name for name in files if name.startswith("test_")) if request.folds == "published" else []
    splits = wanted_splits(
        request,
        lambda split: (data / _METADATA[split]).is_file() or (split == "test" and bool(unnamed)),
        lambda split: f"no {data / _METADATA[split]}{' nor test_0001.mov …' if split == 'test' else ''}; {OBTAIN}",
    )
    clips = []
    for split in SPLITS:
        if split in splits and (data / _METADATA[split]).is_file():
            clips += [_clip(row, files, split, request.task) for row in _rows(data, split, request.fold)]
        elif split in splits:
            clips += [Clip(id=name, media=str(files[name]), text="", split=split) for name in unnamed]
    return Corpus(
        name=READER.name,
        clips=tuple(clips),
        label_set=READER.tasks[request.task],
        metric=READER.metric if request.task == "blend" else "macro_f1",
        missing={clip.id: str(data / f"{clip.id}{_SUFFIXES[0]}") for clip in clips if clip.media is None},
        identity={clip.id: f"blemore {clip.id}" for clip in clips},
    )


def write_submission(path: str | Path, answers: Mapping[str, str]) -> None:
    """Answers to the test split as the challenge takes them.

    Args:
        answers: a label of `BLENDS` by clip id.

    Raises:
        EmoscribeError: the file cannot be written.
    """
    codes = {word: code for code, word in _WORDS.items()}
    listed = {
        f"{id}{_SUFFIXES[0]}": [
            {"emotion": codes[emotion], "salience": round(100 * share)} for emotion, share in shares_in(label).items()
        ]
        for id, label in answers.items()
    }
    write_json(path, {"predictions": listed})


def _videos(data: Path) -> dict[str, Path]:
    """The recordings by their name without ending."""
    found = sorted(path for path in data.rglob("*") if path.suffix.lower() in _SUFFIXES)
    preferred = sorted(found, key=lambda path: _SUFFIXES.index(path.suffix.lower()), reverse=True)
    return {path.stem: path for path in preferred}


def _rows(data: Path, split: str, fold: int) -> Iterator[Row]:
    """The rows of a split; fold `fold` of what was published for training is dev."""
    path = data / _METADATA[split]
    table = csv_table(path, read_utf8(path))
    table.require(*_COLUMNS, *(() if split == "test" else ("fold",)))
    for row in table.rows:
        if split == "test" or (row.integer("fold") == fold) == (split == "dev"):
            yield row


def _clip(row: Row, files: dict[str, Path], split: str, task: str) -> Clip:
    name, actor = (row.text(column) or "" for column in ("filename", "video_id"))
    shares = _shares(row)
    return Clip(
        id=name,
        media=str(files[name]) if name in files else None,
        text="",  # nobody speaks
        speaker=actor,
        source=f"blemore-{actor}",
        split=split,
        target=frozenset(shares) if task == "emotions" else blend_label(shares),
    )


def _shares(row: Row) -> dict[str, float]:
    """How much of each emotion was to be shown."""
    if row.integer("mix") == 0:
        return {_emotion(row, "emotion_1"): 1.0}
    pair = {_emotion(row, f"emotion_{n}"): row.measure(f"emotion_{n}_salience") / 100 for n in (1, 2)}
    if tuple(sorted(pair.values(), reverse=True)) not in (LEADING, EVEN) or NEUTRAL in pair or len(pair) < 2:
        told = " and ".join(f"{100 * share:g} % {emotion}" for emotion, share in pair.items())
        raise row.wrong("emotion_1", f"expected two emotions at 50/50, 70/30 or 30/70, got {told}")
    return pair


def _emotion(row: Row, column: str) -> str:
    code = row.text(column) or ""
    if code not in _WORDS:
        raise row.wrong(column, f"expected one of {', '.join(_WORDS)}, got {code!r}")
    return _WORDS[code]


READER = Reader(
    name="blemore",
    description=DESCRIPTION,
    citation=CITATION,
    licence=LICENCE,
    layout=LAYOUT,
    obtain=OBTAIN,
    # How much of which, or as sets which are there.
    tasks={"blend": BLENDS, "emotions": PRESENT},
    metric="presence_accuracy",
    read=read,
    published_folds=5,
)
