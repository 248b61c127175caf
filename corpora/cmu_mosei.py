"""CMU-MOSEI: people on the web giving opinions; each segment with a sentiment and any of six emotions."""

from __future__ import annotations

import math
from pathlib import Path

from ..core.errors import MediaError
from ..core.labels import SENTIMENT, polarity
from ..core.timeline import Clip
from .cmu_mosei_files import CSD, LABEL_CSV, SIX, TABLE_OF, Segment, published, raw_folder
from .corpus import SPLITS, Corpus, CorpusRequest, Reader, wanted_splits

DESCRIPTION = (
    "CMU Multimodal Opinion Sentiment and Emotion Intensity: some 23,000 segments of 3,228 monologues from the web, "
    "each with its text, a sentiment from −3 to 3, and any of six emotions, or none; an emotion is present where its "
    "intensity, 0 to 3, is above 0. No video is in two splits; speakers are not told apart."
)

CITATION = (
    "A. Zadeh, P. P. Liang, S. Poria, E. Cambria, L.-P. Morency: Multimodal Language Analysis in the Wild: CMU-MOSEI "
    "Dataset and Interpretable Dynamic Fusion Graph. ACL 2018, doi:10.18653/v1/P18-1208."
)

LICENCE = "As published with CMU-MultimodalSDK; the videos belong to their makers: research only."

LAYOUT = """\
one of, here or in Labels/ or labels/:
  CMU_MOSEI_Labels.csd and cmu_mosei_std_folds.py, as in CMU-MultimodalSDK
  Data_{Train,Val,Test}_modified.csv (or _original_without_neg_time, _original)
  label.csv with video_id, clip_id, text, label and mode (the sentiment alone)
Raw/Transcript/Segmented/Combined/VIDEO.txt: the text, with CMU_MOSEI_Labels.csd
Raw/Videos/Segmented/Combined/VIDEO_INDEX.mp4, Raw/VIDEO/INDEX.mp4,
Raw/Videos/Full/Combined/VIDEO.mp4 or Raw/Audio/Full/WAV_16000/VIDEO.wav (optional; also without Raw/)"""

OBTAIN = "get CMU_MOSEI_Labels.csd, cmu_mosei_std_folds.py and the raw data with CMU-MultimodalSDK"

# Where videos are, of a segment alone and whole, and the sound of the whole.
_OWN = ("Videos/Segmented/Combined/{video}_{index}.mp4", "{video}/{index}.mp4")
_WHOLE = ("Videos/Full/Combined/{video}.mp4", "Audio/Full/WAV_16000/{video}.wav")


def read(request: CorpusRequest) -> Corpus:
    """The segments in order of video and time; see `Reader.read`."""
    data = Path(request.data)
    found = published(data, request.splits or SPLITS)
    splits = wanted_splits(
        request,
        found.__contains__,
        lambda split: (
            f"nothing of the {split} split in {data}, neither in {CSD}, Data_{TABLE_OF[split]}_modified.csv nor "
            f"{LABEL_CSV}; {OBTAIN}"
        ),
    )
    labels, raw = READER.tasks[request.task], raw_folder(data)
    clips: dict[str, Clip] = {}
    missing = {}
    for split in splits:
        # Of a copy without times, clips are in order of their number.
        for segment in sorted(found[split], key=lambda one: (one.video, _known(one.start_s), one.index or 0)):
            clip, expected = _clip(raw, segment, split, request.task)
            if clips.setdefault(clip.id, clip) != clip:
                raise MediaError(f"{data}: segment {clip.id} is annotated twice, and not the same; remove one")
            if clip.media is None:
                missing[clip.id] = str(expected)
    return Corpus(
        name=READER.name,
        clips=tuple(clips.values()),
        label_set=labels,
        metric=READER.metric if labels is not None else "mae",
        range=READER.range if labels is None else None,
        missing=missing,
        identity={id: f"cmu-mosei {id}" for id in clips},
    )


def _clip(raw: Path, segment: Segment, split: str, task: str) -> tuple[Clip, Path]:
    """The clip, and the video that it is best read from."""
    # Times of a few segments are those of nothing.
    stretch = segment.end_s > segment.start_s
    own = [raw / name.format(video=segment.video, index=segment.index) for name in _OWN if segment.index is not None]
    whole = [raw / name.format(video=segment.video) for name in _WHOLE if stretch]
    media = next((path for path in (*own, *whole) if path.is_file()), None)
    cut = stretch and media in whole
    number = segment.index if segment.index is not None else f"{segment.start_s:.3f}-{segment.end_s:.3f}"
    clip = Clip(
        id=f"{segment.video}_{number}",
        media=str(media) if media is not None else None,
        start_s=segment.start_s if cut else None,
        end_s=segment.end_s if cut else None,
        text=segment.text,
        dialogue=segment.video,
        source=f"cmu-mosei-{segment.video}",
        split=split,
        target=_target(segment, task),
    )
    return clip, next(iter((*own, *whole)), raw / _WHOLE[0].format(video=segment.video))


def _known(time_s: float) -> float:
    return 0.0 if math.isnan(time_s) else time_s


def _target(segment: Segment, task: str) -> str | frozenset[str] | float | None:
    if task == "emotions":
        if segment.emotions is None:
            raise MediaError(f"{LABEL_CSV} holds the sentiment alone: ask for task sentiment or polarity, or get {CSD}")
        return frozenset(label for label, intensity in segment.emotions.items() if intensity > 0)
    return polarity(segment.sentiment) if task == "polarity" else segment.sentiment


READER = Reader(
    name="cmu-mosei",
    description=DESCRIPTION,
    citation=CITATION,
    licence=LICENCE,
    layout=LAYOUT,
    obtain=OBTAIN,
    tasks={"emotions": SIX, "sentiment": None, "polarity": SENTIMENT},
    metric="macro_f1",
    read=read,
    range=(-3.0, 3.0),
)
