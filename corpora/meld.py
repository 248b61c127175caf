"""MELD: dialogues from *Friends*, each utterance with an emotion and a sentiment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from ..core.labels import BASIC, SENTIMENT, LabelSet
from ..core.timeline import Clip
from .corpus import Corpus, CorpusRequest, Reader, wanted_splits
from .rows import Row, csv_table, read_bytes, read_utf8

DESCRIPTION = (
    "Multimodal EmotionLines Dataset: 13,708 utterances of 1,432 dialogues from the series Friends, each with its "
    "text, its speaker, one of seven emotions and a sentiment. Nearly all episodes of the test split are in train "
    "as well."
)

CITATION = (
    "S. Poria, D. Hazarika, N. Majumder, G. Naik, E. Cambria, R. Mihalcea: MELD: A Multimodal Multi-Party Dataset for "
    "Emotion Recognition in Conversations. ACL 2019, doi:10.18653/v1/P19-1050. Voice measurements: Z. Wu et al., "
    "Beyond Silent Letters: Amplifying LLMs in Emotion Recognition with Vocal Nuances, arXiv 2407.21315."
)

LICENCE = "GPL-3.0 for the annotations; the videos belong to the makers of Friends: research only."

LAYOUT = """\
{train,dev,test}_sent_emo.csv
train_splits/, dev_splits_complete/, output_repeated_splits_test/ with dia{D}_utt{U}.mp4 (optional)
{train,dev,test}_audio_features.csv, as published with SpeechCueLLM (optional)
each here or in a folder of the split's name"""

OBTAIN = "get MELD.Raw from its authors (doi:10.18653/v1/P19-1050)"

_VIDEOS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}

# Times that cannot be, so that the clip shows something else.
_ELSEWHERE = {
    "train_dia338_utt3": "its times are wrong: 6 ms long",
    "train_dia309_utt0": "its times are wrong: 41 s long",
    "test_dia155_utt3": "its times are wrong: 0 s long",
    "test_dia38_utt4": "its times are wrong: 305 s long",
    "test_dia220_utt0": "its times are wrong: 235 s long",
}
_SILENT = {
    "train_dia125_utt3": "the clip has no sound",
    "dev_dia110_utt7": "the clip has no sound",
}

# SpeechCueLLM words no shorter ones.
_MIN_MEASURED_S = 0.5

# What was published, as measured by Praat.  Pitch and speech rate mean the same
# as with openSMILE; the rest is on scales of its own.  Intensity depends on the gain.
_MEASURED = ("avg_intensity", "intensity_variation", "avg_pitch", "pitch_std", "articulation_rate", "mean_hnr")
VOICE_MEASURES = (
    "pitch_hz",
    "pitch_variation_praat_st",
    "speech_rate_syl_per_s",
    "hnr_praat_db",
    "intensity_praat_db",
    "intensity_variation_praat_db",
)

# Copies from before 2020 hold bytes of Windows-1252 as if they were Latin-1.
_C1 = {code: bytes([code]).decode("cp1252", errors="ignore") for code in range(0x80, 0xA0)}


def read(request: CorpusRequest) -> Corpus:
    """The utterances in order of dialogue and turn; see `Reader.read`."""
    data = Path(request.data)
    splits = wanted_splits(
        request,
        lambda split: _find(data, split, f"{split}_sent_emo.csv").is_file(),
        lambda split: f"no {split}_sent_emo.csv in {data}; {OBTAIN}",
    )
    turns = [turn for split in splits for turn in _turns(data, split, request.task)]
    clips = tuple(clip for clip, _, _ in turns)
    voice: dict[str, Mapping[str, float]] = {}
    for split in splits:
        voice |= _voice(_find(data, split, f"{split}_audio_features.csv"), split)
    return Corpus(
        name=READER.name,
        clips=clips,
        label_set=READER.tasks[request.task],
        metric=READER.metric,
        missing={clip.id: str(video) for clip, video, _ in turns if not video.is_file()},
        broken={clip.id: why for clip in clips if (why := (_ELSEWHERE | _SILENT).get(clip.id))},
        identity={clip.id: shown for clip, _, shown in turns if shown is not None},
        voice={clip.id: voice[clip.id] for clip in clips if clip.id in voice and clip.id not in _ELSEWHERE},
    )


def _find(data: Path, split: str, name: str) -> Path:
    """Where a file or folder of a split is, or would be."""
    inner = data / split / name
    return inner if inner.exists() else data / name


def _turns(data: Path, split: str, task: str) -> list[tuple[Clip, Path, str | None]]:
    """Of each utterance the clip, where its video should be, and its place in the series."""
    path = _find(data, split, f"{split}_sent_emo.csv")
    target = "Emotion" if task == "emotion" else "Sentiment"
    table = csv_table(path, _mended(read_bytes(path)))
    table.require("Utterance", "Speaker", target, "Dialogue_ID", "Utterance_ID")
    # Utterance_ID has gaps; only its order means something.
    rows: dict[tuple[int, int], Row] = {}
    for row in table.rows:
        key = row.integer("Dialogue_ID"), row.integer("Utterance_ID")
        if key in rows:
            raise row.wrong(
                "Utterance_ID", f"dialogue {key[0]} has utterance {key[1]} already in row {rows[key].number}"
            )
        rows[key] = row
    videos = _find(data, split, _VIDEOS[split])
    turns = []
    for (dialogue, utterance), row in sorted(rows.items()):
        name = f"dia{dialogue}_utt{utterance}"
        id, video = f"{split}_{name}", videos / f"{name}.mp4"
        clip = Clip(
            id=id,
            media=str(video) if id not in _ELSEWHERE and video.is_file() else None,
            text=row.text("Utterance") or "",
            speaker=row.text("Speaker"),
            dialogue=f"{split}_dia{dialogue}",
            source=_episode(row),
            split=split,
            target=_label(row, target, READER.tasks[task]),
        )
        turns.append((clip, video, _shown(row, clip)))
    return turns


def _episode(row: Row) -> str | None:
    season, episode = row.text("Season"), row.text("Episode")
    return f"friends-s{season:0>2}e{episode:0>2}" if season and episode else None


def _shown(row: Row, clip: Clip) -> str | None:
    """What was filmed, whatever the split it is in."""
    start, end = row.text("StartTime"), row.text("EndTime")
    return f"{clip.source} {start}–{end} {clip.text}" if clip.source and start and end else None


def _label(row: Row, column: str, labels: LabelSet | None) -> str:
    label = (row.text(column) or "").casefold()
    if labels is None or label not in labels.labels:
        raise row.wrong(column, f"unknown label {label!r}; there are: {', '.join(labels.labels if labels else ())}")
    return label


def _mended(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.translate(_C1)


# ── the published measurements of the voice ──────────────────────────────────


def _voice(path: Path, split: str) -> dict[str, Mapping[str, float]]:
    """Measurements by clip; empty without the file."""
    if not path.is_file():
        return {}
    table = csv_table(path, read_utf8(path))
    table.require("filename", "duration", *_MEASURED)
    return {f"{split}_{(row.text('filename') or '').removesuffix('.wav')}": _measures(row) for row in table.rows}


def _measures(row: Row) -> Mapping[str, float]:
    measured = {column: row.measure(column) for column in ("duration", *_MEASURED)}
    if not measured["duration"] > _MIN_MEASURED_S:
        return dict.fromkeys(VOICE_MEASURES, math.nan)
    # Unvoiced utterances have a pitch of 0.
    pitch_hz = measured["avg_pitch"] or math.nan
    pitch_std_hz = measured["pitch_std"] or math.nan
    return {
        "pitch_hz": pitch_hz,
        # To first order, a deviation in Hz is one in semitones of 12/ln 2 times its share.
        "pitch_variation_praat_st": 12 / math.log(2) * pitch_std_hz / pitch_hz,
        "speech_rate_syl_per_s": measured["articulation_rate"],
        "hnr_praat_db": measured["mean_hnr"],
        "intensity_praat_db": measured["avg_intensity"],
        "intensity_variation_praat_db": measured["intensity_variation"],
    }


READER = Reader(
    name="meld",
    description=DESCRIPTION,
    citation=CITATION,
    licence=LICENCE,
    layout=LAYOUT,
    obtain=OBTAIN,
    tasks={"emotion": BASIC, "sentiment": SENTIMENT},
    metric="weighted_f1",
    read=read,
)
