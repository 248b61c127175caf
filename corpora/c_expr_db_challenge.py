"""The compound-expression challenge on C-EXPR-DB: whole videos without labels, an answer a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..core.errors import MediaError
from ..core.files import write_text
from ..core.labels import COMPOUND
from ..core.timeline import Clip
from .c_expr_db import videos
from .corpus import Corpus, CorpusRequest, Reader, wanted_splits

DESCRIPTION = (
    "The 56 videos of the compound-expression challenge of the ABAW competitions, whole and without labels: one of "
    "seven compound expressions is asked for in every frame, and the challenge scores macro F1."
)

CITATION = (
    "D. Kollias et al.: 7th ABAW Competition: Multi-Task Learning and Compound Expression Recognition, ECCV workshops "
    "2024, arXiv 2407.03835."
)

LICENCE = "On request from the organisers, for research."

LAYOUT = "videos/NN.mp4"

OBTAIN = "get the videos of the compound-expression challenge from the organisers of the ABAW competition"

# The challenge's form: the frames of video 07 are 07/00001.jpg and so on, and
# an answer is the number of its column, from 0.
_HEADER = ",".join(["image_location", *(label.title().replace(" ", "_") for label in COMPOUND.labels)])


def read(request: CorpusRequest) -> Corpus:
    """One clip a video, all in `test`; see `Reader.read`."""
    data = Path(request.data)
    sources = dict(sorted(videos(data).items()))
    wanted_splits(
        request,
        lambda split: split == "test" and bool(sources),
        lambda split: (
            f"the challenge has no {split} split, only test" if sources else f"no videos/01.mp4 … in {data}; {OBTAIN}"
        ),
    )
    clips = tuple(
        Clip(id=video, media=str(path), source=f"c-expr-db-{video}", split="test") for video, path in sources.items()
    )
    return Corpus(
        name=READER.name,
        clips=clips,
        label_set=COMPOUND,
        metric=READER.metric,
        identity={clip.id: f"c-expr-db {clip.id}" for clip in clips},
    )


def image_location(video: str, frame: int) -> str:
    """What the challenge calls a frame; `frame` counts from 0."""
    return f"{video}/{frame + 1:05}.jpg"


def write_submission(path: str | Path, answers: Mapping[str, Sequence[str]]) -> None:
    """Write the answers in the challenge's form.

    Args:
        answers: by video, a label of `COMPOUND` for each frame in order, as
            many as `trimming.frame_times_s` gives.

    Raises:
        MediaError: an answer is none of the seven.
        EmoscribeError: the file cannot be written.
    """
    lines = [_HEADER]
    for video, labels in sorted(answers.items()):
        for frame, label in enumerate(labels):
            if label not in COMPOUND.labels:
                raise MediaError(
                    f"{image_location(video, frame)}: {label!r} is no answer; there are: {', '.join(COMPOUND.labels)}"
                )
            lines.append(f"{image_location(video, frame)},{COMPOUND.labels.index(label)}")
    write_text(path, "\n".join(lines) + "\n")


READER = Reader(
    name="c-expr-db-challenge",
    description=DESCRIPTION,
    citation=CITATION,
    licence=LICENCE,
    layout=LAYOUT,
    obtain=OBTAIN,
    tasks={"compound": COMPOUND},
    metric="macro_f1",
    read=read,
)
