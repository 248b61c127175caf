"""Cues on disk, so that nothing is perceived twice.

A store is a folder of Parquet shards.  A row is one part (`media`,
`transcript`, `face`, `voice`, `peaks`, or a named sequence) of one interval of one
file, as produced under certain settings; the file is known by its content,
not its name.  Changed settings therefore re-extract only what they touch.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np

from ..core.context import Store
from ..core.errors import EmoscribeError
from ..core.files import atomic_path, check_folder, make_folder
from ..core.measures import UnitScale
from ..core.timeline import FaceTrack, Media, Sequence, Transcript, Utterance, VoiceTrack, Word
from .media.peaks import SoundPeaks
from .speakers.voiceprints import Voiceprints

Part = Media | Transcript | FaceTrack | VoiceTrack | SoundPeaks | Sequence | Voiceprints
_KINDS: Mapping[str, type] = {kind.__name__: kind for kind in get_args(Part)}

# The whole file is an interval like any other, without an end.
WHOLE = (0.0, float("inf"))

_KEY_COLUMNS = ["sha256", "start_s", "end_s", "part", "settings"]


def settings_hash(settings: Mapping[str, Any]) -> str:
    """A short hash of everything a part depends on besides the file."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


P = TypeVar("P", bound=Part)


def kept(
    store: Store | None,
    sha256: str,
    part: str,
    source: Mapping[str, Any],
    make: Callable[[], P],
    interval: tuple[float, float] = WHOLE,
) -> P:
    """The part from the store, or else made, and kept there.

    Args:
        source: everything that it depends on besides the file.
    """
    if store is None:
        return make()
    key = settings_hash(source)
    found = store.get(sha256, part, key, interval)
    if found is None:
        found = make()
        store.put(sha256, part, key, found, interval)
    return found


class CueStore:
    """The cues kept in a folder, which is made with the first of them.

    Several processes may write to one store: each adds shards of its own.

    Raises:
        EmoscribeError: it can be no folder, or a shard is damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        check_folder(folder, "cue store")
        self._folder = Path(folder)
        self._places: dict[tuple, tuple[Path, int]] = {}
        for shard in sorted(self._folder.glob("*.parquet")):
            self._index(shard)

    def get(self, sha256: str, part: str, settings: str, interval: tuple[float, float] = WHOLE) -> Part | None:
        """What was kept under that key, or `None`."""
        place = self._places.get((sha256, *interval, part, settings))
        if place is None:
            return None
        import pyarrow.parquet as pq

        shard, row = place
        table = pq.read_table(shard, columns=["kind", "fields", "arrays"])
        return _from_row({name: table[name][row].as_py() for name in table.column_names})

    def put(self, sha256: str, part: str, settings: str, value: Part, interval: tuple[float, float] = WHOLE) -> None:
        """Keep `value`; it appears whole or not at all.

        Raises:
            EmoscribeError: the store cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        key = (sha256, *interval, part, settings)
        row = dict(zip(_KEY_COLUMNS, key, strict=True)) | _to_row(value)
        shard = self._folder / f"{part}-{uuid.uuid4().hex}.parquet"
        if not self._folder.is_dir():
            make_folder(self._folder)
        with atomic_path(shard) as partial:
            pq.write_table(pa.Table.from_pylist([row], schema=_schema()), partial)
        self._places[key] = (shard, 0)

    def _index(self, shard: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(shard, columns=_KEY_COLUMNS)
        except (pa.ArrowException, OSError):
            raise EmoscribeError(f"{shard} is damaged; delete it, and what it held is extracted again") from None
        for row, key in enumerate(zip(*(table[name].to_pylist() for name in _KEY_COLUMNS), strict=True)):
            self._places[key] = (shard, row)


def _schema() -> Any:
    import pyarrow as pa

    array = pa.struct(
        [("name", pa.string()), ("dtype", pa.string()), ("shape", pa.list_(pa.int64())), ("data", pa.binary())]
    )
    return pa.schema(
        [
            ("sha256", pa.string()),
            ("start_s", pa.float64()),
            ("end_s", pa.float64()),
            ("part", pa.string()),
            ("settings", pa.string()),
            ("kind", pa.string()),
            ("fields", pa.string()),
            ("arrays", pa.list_(array)),
        ]
    )


def _to_row(value: Part) -> dict[str, Any]:
    """A record as columns: plain fields in JSON, arrays as little-endian bytes."""
    plain, arrays = {}, []
    for field in fields(value):
        item = getattr(value, field.name)
        if isinstance(item, np.ndarray):
            little = np.ascontiguousarray(item, dtype=item.dtype.newbyteorder("<"))
            arrays.append(
                {"name": field.name, "dtype": little.dtype.str, "shape": list(item.shape), "data": little.tobytes()}
            )
        elif isinstance(value, Transcript) and field.name == "utterances":
            plain[field.name] = [asdict(utterance) for utterance in value.utterances]
        elif isinstance(item, UnitScale):
            plain[field.name] = asdict(item)
        else:
            plain[field.name] = item
    return {"kind": type(value).__name__, "fields": json.dumps(plain), "arrays": arrays}


def _from_row(row: Mapping[str, Any]) -> Part:
    values: dict[str, Any] = {
        name: tuple(v) if isinstance(v, list) else v for name, v in json.loads(row["fields"]).items()
    }
    if "utterances" in values:
        values["utterances"] = tuple(
            Utterance(**{**u, "words": tuple(Word(**word) for word in u["words"])}) for u in values["utterances"]
        )
    if isinstance(scale := values.get("scale"), Mapping):
        given: Any = {name: tuple(v) if isinstance(v, list) else v for name, v in scale.items()}
        values["scale"] = UnitScale(**given)
    for array in row["arrays"]:
        flat = np.frombuffer(array["data"], dtype=np.dtype(array["dtype"]))
        values[array["name"]] = flat.reshape(array["shape"]).copy()
    return _KINDS[row["kind"]](**values)
