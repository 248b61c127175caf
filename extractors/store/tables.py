"""The cues of a store as plain tables, a file a part and settings, for whoever has other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ...core.context import DEFAULT, Context
from ...core.errors import SettingsError
from ...core.files import atomic_path, make_folder
from ...core.timeline import FaceTrack, Media, Transcript, VoiceTrack
from ...core.timeline import Sequence as FeatureSequence
from ..media.peaks import SoundPeaks
from ..speakers.voiceprints import Voiceprints
from .cue_store import CueStore
from .rows import Key, Part

FORMATS = ("csv", "parquet")
_BOX = ("left", "top", "right", "bottom")
_POSE = ("pitch", "yaw", "roll")

Columns = dict[str, Any]


def export(store: CueStore, out: str | Path, form: str = "csv", context: Context = DEFAULT) -> list[Path]:
    """Write `<part>-<settings>.csv`, or `.parquet`, for each part and hash of settings of a store.

    Every table begins with the file's `sha256` and the stretch, `from_s` to
    `until_s`, that was perceived; `media` tells the files' names.  What
    follows is what was perceived, over time: a row an utterance, a face in a
    frame, a spoken window, a step of a feature.

    Raises:
        SettingsError: another form than `FORMATS`.
        DamagedError: a row is not what was written.
        EmoscribeError: a file cannot be written.
    """
    if form not in FORMATS:
        raise SettingsError(f"format {form}: take {' or '.join(FORMATS)}")
    folder = make_folder(out)
    groups: dict[tuple[str, str], list[Key]] = {}
    for key in sorted(store):
        groups.setdefault((key.part, key.settings), []).append(key)
    written = []
    for done, ((part, settings), keys) in enumerate(sorted(groups.items()), 1):
        path = folder / f"{part}-{settings}.{form}"
        with atomic_path(path) as partial:
            _write(partial, form, _tables(store, keys))
        written.append(path)
        context.progress("exporting", done / len(groups))
    return written


def columns_of(part: Part) -> Columns:
    """What a part says, over time: columns of one length."""
    return _COLUMNS[type(part)](part)


def _tables(store: CueStore, keys: list[Key]) -> Iterator[Any]:
    import pyarrow as pa

    for key in keys:
        part = store.get(key.sha256, key.part, key.settings, (key.start_s, key.end_s))
        if part is None:
            continue  # deleted by another process meanwhile
        columns = {name: pa.array(values) for name, values in columns_of(part).items()}
        rows = len(next(iter(columns.values()))) if columns else 0
        about = {"sha256": key.sha256, "from_s": key.start_s, "until_s": key.end_s}
        yield pa.table({name: pa.array([value] * rows) for name, value in about.items()} | columns)


def _write(path: Path, form: str, tables: Iterator[Any]) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    first = next(tables, None)
    if first is None:
        return path.touch()
    open_writer = pyarrow.csv.CSVWriter if form == "csv" else pyarrow.parquet.ParquetWriter
    with open_writer(str(path), first.schema) as writer:
        writer.write_table(first)
        for table in tables:
            # Of one engine and settings all have the same columns; a type that is empty here is known there.
            writer.write_table(table.select(first.schema.names).cast(first.schema))
    return None


def _series(names: tuple[str, ...], values: np.ndarray | None) -> Columns:
    return {} if values is None else {name: values[:, number] for number, name in enumerate(names)}


def _transcript(said: Transcript) -> Columns:
    utterances = said.utterances
    return {
        "start_s": np.array([each.start_s for each in utterances], dtype=float),
        "end_s": np.array([each.end_s for each in utterances], dtype=float),
        "speaker": np.array([each.speaker or "" for each in utterances], dtype=str),
        "text": np.array([each.text for each in utterances], dtype=str),
    }


def _face(track: FaceTrack) -> Columns:
    rated = {name: getattr(track, name) for name in ("valence", "arousal")}
    return (
        {"time_s": track.times_s, "person": track.person}
        | _series(_BOX, track.boxes)
        | _series(track.names, track.action_units)
        | _series(_POSE, track.pose)
        | _series(track.emotion_names, track.emotions)
        | {name: values for name, values in rated.items() if values is not None}
        | _series(track.blendshape_names, track.blendshapes)
        | _series(track.geometry_names, track.geometry)
    )


def _voice(track: VoiceTrack) -> Columns:
    who = np.array([speaker or "" for speaker in track.speaker], dtype=str)
    return {"start_s": track.start_s, "end_s": track.end_s, "speaker": who} | _series(track.names, track.values)


def _sequence(sequence: FeatureSequence) -> Columns:
    return {"time_s": sequence.times_s} | _series(sequence.names, sequence.values)


def _peaks(peaks: SoundPeaks) -> Columns:
    return {"time_s": peaks.start_s + np.arange(len(peaks.peaks)) / peaks.per_s, "loudness": peaks.peaks}


def _voiceprints(prints: Voiceprints) -> Columns:
    names = tuple(f"v{number}" for number in range(prints.vectors.shape[1]))
    about = {"start_s": prints.start_s, "end_s": prints.end_s, "above_noise_db": prints.above_noise_db}
    return about | _series(names, prints.vectors)


def _media(media: Media) -> Columns:
    plain = {name: value for name, value in asdict(media).items() if isinstance(value, str | int | float)}
    return {name: [value] for name, value in plain.items() if name != "sha256"}


_COLUMNS: Mapping[type, Callable[[Any], Columns]] = {
    Transcript: _transcript,
    FaceTrack: _face,
    VoiceTrack: _voice,
    FeatureSequence: _sequence,
    SoundPeaks: _peaks,
    Voiceprints: _voiceprints,
    Media: _media,
}
