"""EmoryNLP: scenes from *Friends*, each utterance with one of seven emotions."""

from __future__ import annotations

import re
from pathlib import Path

from ..core.labels import LabelSet
from ..core.timeline import Clip
from .corpus import Corpus, CorpusRequest, Reader, wanted_splits
from .rows import Row, csv_table, read_utf8

DESCRIPTION = (
    "EmoryNLP: 12,606 utterances of 897 scenes from the first four seasons of the series Friends, each with its text, "
    "its speakers and one of seven emotions. MELD is from the same series: of the two, no episode may be both learnt "
    "from and tested on."
)

CITATION = (
    "S. M. Zahiri, J. D. Choi: Emotion Detection on TV Show Transcripts with Sequence-based Convolutional Neural "
    "Networks. AAAI workshop on affective content analysis 2018, arXiv 1708.04299."
)

LICENCE = (
    "Annotations as published by Emory NLP (the tables lie in the repository of MELD, GPL-3.0); the videos belong to "
    "the makers of Friends: research only."
)

LAYOUT = """\
emorynlp_{train,dev,test}_final.csv
emorynlp_{train,dev,test}_splits/sea{S}_ep{E}_sc{C}_utt{U}.mp4 (optional)"""

OBTAIN = "get emorynlp_train_final.csv, emorynlp_dev_final.csv and emorynlp_test_final.csv from declare-lab/MELD"

# The six of Willcox's feeling wheel, and neutral.
SEVEN = LabelSet("emorynlp", ("joyful", "mad", "neutral", "peaceful", "powerful", "sad", "scared"))

_PLACE = ("Season", "Episode", "Scene_ID", "Utterance_ID")


def read(request: CorpusRequest) -> Corpus:
    """The utterances in order of episode, scene and turn; see `Reader.read`."""
    data = Path(request.data)
    splits = wanted_splits(
        request,
        lambda split: _table(data, split).is_file(),
        lambda split: f"no {_table(data, split).name} in {data}; {OBTAIN}",
    )
    turns = [turn for split in splits for turn in _turns(data, split)]
    return Corpus(
        name=READER.name,
        clips=tuple(clip for clip, _, _ in turns),
        label_set=READER.tasks[request.task],
        metric=READER.metric,
        missing={clip.id: str(video) for clip, video, _ in turns if clip.media is None},
        identity={clip.id: shown for clip, _, shown in turns if shown is not None},
    )


def _table(data: Path, split: str) -> Path:
    return data / f"emorynlp_{split}_final.csv"


def _turns(data: Path, split: str) -> list[tuple[Clip, Path, str | None]]:
    """Of each utterance the clip, where its video should be, and its place in the series."""
    path = _table(data, split)
    table = csv_table(path, read_utf8(path))
    table.require("Utterance", "Speaker", "Emotion", *_PLACE)
    rows: dict[tuple[int, ...], Row] = {}
    for row in table.rows:
        place = tuple(row.integer(column) for column in _PLACE)
        if place in rows:
            raise row.wrong("Utterance_ID", f"the scene has utterance {place[-1]} already in row {rows[place].number}")
        rows[place] = row
    turns = []
    for (season, episode, scene, utterance), row in sorted(rows.items()):
        id = f"sea{season}_ep{episode}_sc{scene}_utt{utterance}"
        video = data / f"emorynlp_{split}_splits" / f"{id}.mp4"
        # As MELD's reader names it, so that what both have is found.
        source = f"friends-s{season:02}e{episode:02}"
        clip = Clip(
            id=id,
            media=str(video) if video.is_file() else None,
            text=row.text("Utterance") or "",
            speaker=_speakers(row),
            dialogue=f"{source}-scene-{scene}",
            source=source,
            split=split,
            target=_label(row),
        )
        turns.append((clip, video, _shown(row, clip)))
    return turns


def _speakers(row: Row) -> str | None:
    """Who speaks, at times several: `['Ross Geller', 'Joey Tribbiani']`; quotes are double around an apostrophe."""
    text = row.text("Speaker") or ""
    names = [first or second for first, second in re.findall(r"""'([^']+)'|"([^"]+)\"""", text)]
    return " and ".join(names) or text or None


def _shown(row: Row, clip: Clip) -> str | None:
    """What was filmed, as MELD's reader has it: there, milliseconds follow a comma."""
    start, end = ((row.text(column) or "").replace(".", ",") for column in ("Start_Time", "End_Time"))
    return f"{clip.source} {start}–{end} {clip.text}" if start and end else None


def _label(row: Row) -> str:
    label = (row.text("Emotion") or "").casefold()
    if label not in SEVEN.labels:
        raise row.wrong("Emotion", f"unknown label {label!r}; there are: {', '.join(SEVEN.labels)}")
    return label


READER = Reader(
    name="emorynlp",
    description=DESCRIPTION,
    citation=CITATION,
    licence=LICENCE,
    layout=LAYOUT,
    obtain=OBTAIN,
    tasks={"emotion": SEVEN},
    metric="weighted_f1",
    read=read,
)
