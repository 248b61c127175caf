"""IEMOCAP: ten actors in pairs, on scripts and improvising; each utterance with an emotion."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import MediaError
from ..core.labels import LabelSet
from ..core.timeline import Clip
from .corpus import SPLITS, Corpus, CorpusRequest, Reader, wanted_splits
from .rows import read_utf8

DESCRIPTION = (
    "Interactive Emotional Dyadic Motion Capture: 10,039 utterances of 151 dialogues, two actors at a time in five "
    "sessions, scripted and improvised, of which 7,433 are happy, sad, neutral, angry, excited or frustrated (the "
    "usual six; the others have no target and are context). Fold 0 tests on session 5, as is usual, and fold K on "
    "session K; the session before it is dev, so that no speaker is in two splits."
)

CITATION = (
    "C. Busso, M. Bulut, C.-C. Lee, A. Kazemzadeh, E. Mower, S. Kim, J. N. Chang, S. Lee, S. S. Narayanan: IEMOCAP: "
    "Interactive emotional dyadic motion capture database. Language Resources and Evaluation 42, 2008, "
    "doi:10.1007/s10579-008-9076-6."
)

LICENCE = "On request from the University of Southern California, for research."

LAYOUT = """\
Session{1..5}/dialog/EmoEvaluation/DIALOG.txt, here or in IEMOCAP_full_release/
Session{1..5}/dialog/transcriptions/DIALOG.txt
Session{1..5}/sentences/wav/DIALOG/UTTERANCE.wav, the speaker alone (optional), or else
Session{1..5}/dialog/avi/DivX/DIALOG.avi, which shows the speaker and the listener side by side"""

OBTAIN = "get IEMOCAP_full_release from sail.usc.edu/iemocap"

# In the order of most publications.
SIX = LabelSet("iemocap-six", ("happy", "sad", "neutral", "angry", "excited", "frustrated"))
# Excited counts as happy; frustrated is left out.
FOUR = LabelSet("iemocap-four", ("happy", "sad", "neutral", "angry"))

_WORDS = {"hap": "happy", "sad": "sad", "neu": "neutral", "ang": "angry", "exc": "excited", "fru": "frustrated"}
_LABELS = (*_WORDS, "sur", "fea", "dis", "oth", "xxx")

_SESSIONS = range(1, 6)

_EVALUATED = re.compile(r"\[(\d+\.\d+) - (\d+\.\d+)\]\t(Ses\d\d[FM]_\w+)\t(\w+)\t")
_SAID = re.compile(r"(Ses\d\d[FM]_\w+) \[[^]]*\]: ?(.*)")


@dataclass(frozen=True)
class Utterance:
    """An evaluated stretch of a dialogue; `label` is one of the eleven codes."""

    name: str
    start_s: float
    end_s: float
    label: str


def read(request: CorpusRequest) -> Corpus:
    """The evaluated utterances in order of dialogue and time; see `Reader.read`."""
    data = Path(request.data)
    root = inner if (inner := data / "IEMOCAP_full_release").is_dir() else data
    sessions = sessions_of(0 if request.folds == "source" else request.fold)
    splits = wanted_splits(
        request,
        lambda split: any(_evaluations(root, session) for session in sessions[split]),
        lambda split: f"no Session{sessions[split][0]}/dialog/EmoEvaluation/*.txt ({split}) in {data}; {OBTAIN}",
    )
    labels = READER.tasks[request.task]
    found = [
        _clip(root, session, path.stem, utterance, said, split, labels)
        for split in splits
        for session in sessions[split]
        for path in _evaluations(root, session)
        for said in [_transcript(root, session, path.stem)]
        for utterance in sorted(_utterances(path), key=lambda one: (one.start_s, one.name))
    ]
    return Corpus(
        name=READER.name,
        clips=tuple(clip for clip, _ in found),
        label_set=labels,
        metric=READER.metric,
        missing={clip.id: str(expected) for clip, expected in found if clip.media is None},
        identity={clip.id: f"iemocap {clip.id}" for clip, _ in found},
    )


def sessions_of(fold: int) -> Mapping[str, tuple[int, ...]]:
    """The sessions of each split: five for test in fold 0, and fold K itself in the others; the one before for dev."""
    test = fold or _SESSIONS[-1]
    dev = test - 1 or _SESSIONS[-1]
    train = tuple(session for session in _SESSIONS if session not in (dev, test))
    return dict(zip(SPLITS, (train, (dev,), (test,)), strict=True))


def _clip(
    root: Path,
    session: int,
    dialogue: str,
    utterance: Utterance,
    said: Mapping[str, str],
    split: str,
    labels: LabelSet | None,
) -> tuple[Clip, Path]:
    """The clip, and the recording that it is best read from."""
    sentence = root / f"Session{session}" / "sentences" / "wav" / dialogue / f"{utterance.name}.wav"
    video = root / f"Session{session}" / "dialog" / "avi" / "DivX" / f"{dialogue}.avi"
    alone, both = sentence.is_file(), video.is_file()
    stretch = both and not alone
    media = sentence if alone else video if both else None
    clip = Clip(
        id=utterance.name,
        media=str(media) if media is not None else None,
        start_s=utterance.start_s if stretch else None,
        end_s=utterance.end_s if stretch else None,
        text=said.get(utterance.name, ""),
        speaker=_speaker(utterance.name),
        dialogue=dialogue,
        source=f"iemocap-session-{session}",
        split=split,
        target=_target(utterance.label, labels),
    )
    return clip, sentence


def _speaker(name: str) -> str:
    """Of Ses05F_impro01_M003 it is Ses05M: the F is whose motion was captured, the M is who speaks."""
    return name[:5] + name.rpartition("_")[2][0]


def _target(label: str, labels: LabelSet | None) -> str | None:
    word = _WORDS.get(label)
    if labels == FOUR and word == "excited":
        word = "happy"
    return word if labels is not None and word in labels.labels else None


# ── the published files ──────────────────────────────────────────────────────


def _evaluations(root: Path, session: int) -> list[Path]:
    folder = root / f"Session{session}" / "dialog" / "EmoEvaluation"
    # Archives made on a Mac hold a second, hidden file beside each.
    return sorted(path for path in folder.glob("*.txt") if not path.name.startswith("."))


def _utterances(path: Path) -> Iterator[Utterance]:
    """The evaluated utterances of a dialogue: a line each, among those of the single evaluators."""
    for number, line in enumerate(read_utf8(path).split("\n"), start=1):
        if not line.startswith("["):
            continue
        match = _EVALUATED.match(line)
        if match is None or match[4] not in _LABELS:
            raise MediaError(
                f"{path}, line {number}: expected [start - end], an utterance, one of {', '.join(_LABELS)} and three "
                f"ratings, with tabs between, got {line.strip()[:60]!r}"
            )
        start_s, end_s = float(match[1]), float(match[2])
        if end_s <= start_s:
            raise MediaError(
                f"{path}, line {number}: {match[3]} is from {start_s:g} s to {end_s:g} s, which is nothing"
            )
        yield Utterance(match[3], start_s, end_s, match[4])


def _transcript(root: Path, session: int, dialogue: str) -> Mapping[str, str]:
    """What was said, by utterance; lines of other forms are remarks."""
    path = root / f"Session{session}" / "dialog" / "transcriptions" / f"{dialogue}.txt"
    lines = read_utf8(path).split("\n")
    return {match[1]: match[2].strip() for line in lines if (match := _SAID.match(line.strip()))}


READER = Reader(
    name="iemocap",
    description=DESCRIPTION,
    citation=CITATION,
    licence=LICENCE,
    layout=LAYOUT,
    obtain=OBTAIN,
    tasks={"six": SIX, "four": FOUR},
    metric="weighted_f1",
    read=read,
    published_folds=5,
)
