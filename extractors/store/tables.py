"""The cues of a store as plain tables, a file a part, for whoever has other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...core.cells import as_cell
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
    """Write `<part>.csv`, or `.parquet`, for each part of a store; parts of other columns as `<part>-2.csv`, and so on.

    Every table begins with the file's `sha256`, the hash of the `settings`, and
    the stretch, `from_s` to `until_s`, that was perceived; `media` tells the
    files' names.  What follows is what was perceived, over time: a row an
    utterance, a face in a frame, a spoken window, a step of a feature.

    Raises:
        SettingsError: another form than `FORMATS`.
        DamagedError: a row is not what was written.
        EmoscribeError: a file cannot be written.
    """
    if form not in FORMATS:
        raise SettingsError(f"format {form}: take {' or '.join(FORMATS)}")
    folder, keys = make_folder(out), sorted(store, key=lambda key: (key.part, key.sha256, key.settings, key.start_s))
    files: dict[tuple[str, str], tuple[Path, Any]] = {}
    with ExitStack() as stack:
        for done, key in enumerate(keys, 1):
            if (table := _table(store, key)) is not None:
                signature = key.part, table.schema.to_string()
                if signature not in files:
                    several = sum(part == key.part for part, _ in files)
                    path = folder / f"{key.part}{f'-{several + 1}' if several else ''}.{form}"
                    files[signature] = path, stack.enter_context(_writer(path, form, table.schema))
                files[signature][1].write_table(_as_cells(table) if form == "csv" else table)
            context.progress("exporting", done / len(keys))
    return [path for path, _ in files.values()]


def columns_of(part: Part) -> Columns:
    """What a part says, over time: columns of one length."""
    return _COLUMNS[type(part)](part)


def _table(store: CueStore, key: Key) -> Any:
    """What a key holds as an Arrow table; `None` where another process has deleted it meanwhile."""
    import pyarrow as pa

    part = store.get(key.sha256, key.part, key.settings, (key.start_s, key.end_s))
    if part is None:
        return None
    columns = {name: pa.array(values) for name, values in columns_of(part).items()}
    about = {"sha256": key.sha256, "settings": key.settings, "from_s": key.start_s, "until_s": key.end_s}
    rows = len(next(iter(columns.values())))
    return pa.table({name: pa.repeat(value, rows) for name, value in about.items()} | columns)


def _as_cells(table: Any) -> Any:
    import pyarrow as pa

    for number, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            cells = pa.array(
                [None if text is None else as_cell(text) for text in table[number].to_pylist()], field.type
            )
            table = table.set_column(number, field, cells)
    return table


@contextmanager
def _writer(path: Path, form: str, columns: Any) -> Iterator[Any]:
    import pyarrow.csv
    import pyarrow.parquet

    open_writer = pyarrow.csv.CSVWriter if form == "csv" else pyarrow.parquet.ParquetWriter
    with atomic_path(path) as partial, open_writer(str(partial), columns) as writer:
        yield writer


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
    import pyarrow as pa

    types = {"path": pa.string(), "duration_s": pa.float64(), "fps": pa.float64(), "has_audio": pa.bool_()}
    types |= dict.fromkeys(("width", "height", "video_track", "audio_track"), pa.int64())
    return {name: pa.array([getattr(media, name)], kind) for name, kind in types.items()}


_COLUMNS: Mapping[type, Callable[[Any], Columns]] = {
    Transcript: _transcript,
    FaceTrack: _face,
    VoiceTrack: _voice,
    FeatureSequence: _sequence,
    SoundPeaks: _peaks,
    Voiceprints: _voiceprints,
    Media: _media,
}
