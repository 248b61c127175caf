"""A part as a row of a table, and back again, with a checksum that tells whether it is still what was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, NamedTuple, get_args

import numpy as np

from ...core.errors import EmoscribeError
from ...core.measures import UnitScale
from ...core.timeline import FaceTrack, Media, Transcript, Utterance, VoiceTrack, Word
from ...core.timeline import Sequence as FeatureSequence
from ..media.peaks import SoundPeaks
from ..speakers.voiceprints import Voiceprints

Part = Media | Transcript | FaceTrack | VoiceTrack | SoundPeaks | FeatureSequence | Voiceprints
_KINDS: Mapping[str, type] = {kind.__name__: kind for kind in get_args(Part)}


class Key(NamedTuple):
    """What a row is found by: the file's content, the stretch of it in seconds, and what the part depends on."""

    sha256: str
    start_s: float
    end_s: float
    part: str
    settings: str


KEY_COLUMNS = list(Key._fields)
CHECKSUM = "checksum"
# A shard written before there were checksums lacks the last column.
VALUE_COLUMNS = ["kind", "fields", "arrays", CHECKSUM]


class DamagedError(EmoscribeError):
    """A row is not what was once written, or nothing that this version knows."""


def schema() -> Any:
    """The columns of a shard, as Arrow has them."""
    import pyarrow as pa

    array = pa.struct(
        [("name", pa.string()), ("dtype", pa.string()), ("shape", pa.list_(pa.int64())), ("data", pa.binary())]
    )
    keys = [(name, pa.float64() if name in ("start_s", "end_s") else pa.string()) for name in KEY_COLUMNS]
    values = [("kind", pa.string()), ("fields", pa.string()), ("arrays", pa.list_(array)), (CHECKSUM, pa.string())]
    return pa.schema([*keys, *values])


def to_row(key: Key, value: Part) -> dict[str, Any]:
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
    row = {"kind": type(value).__name__, "fields": json.dumps(plain), "arrays": arrays}
    return key._asdict() | row | {CHECKSUM: checksum(key, row)}


def from_row(key: Key, row: Mapping[str, Any]) -> Part:
    """The record that a row holds.

    Args:
        key: what it was found by.
        row: with `VALUE_COLUMNS`; one without a checksum is taken at its word.

    Raises:
        DamagedError: it is no record that was written, or of a version that knows others.
    """
    try:
        if (written := row.get(CHECKSUM)) is not None and written != checksum(key, row):
            raise DamagedError("its checksum does not fit")
        return _record(row)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise DamagedError(f"it holds no {row.get('kind')} as this version knows it ({error})") from None
    except DamagedError:
        raise
    except EmoscribeError as error:
        raise DamagedError(str(error)) from None


def checksum(key: Key, row: Mapping[str, Any]) -> str:
    """BLAKE2b, 16 bytes in hex, over all other columns of a row; each is told apart from the next."""
    digest = hashlib.blake2b(digest_size=16)
    head = [*key, row["kind"], row["fields"]]
    shapes = [[array["name"], array["dtype"], array["shape"], len(array["data"])] for array in row["arrays"]]
    digest.update(json.dumps([head, shapes]).encode())
    for array in row["arrays"]:
        digest.update(array["data"])
    return digest.hexdigest()


def _record(row: Mapping[str, Any]) -> Part:
    values: dict[str, Any] = {name: _as_tuple(item) for name, item in json.loads(row["fields"]).items()}
    if "utterances" in values:
        values["utterances"] = tuple(
            Utterance(**{**u, "words": tuple(Word(**word) for word in u["words"])}) for u in values["utterances"]
        )
    if isinstance(scale := values.get("scale"), Mapping):
        given: Any = {name: _as_tuple(item) for name, item in scale.items()}
        values["scale"] = UnitScale(**given)
    for array in row["arrays"]:
        flat = np.frombuffer(array["data"], dtype=np.dtype(array["dtype"]))
        values[array["name"]] = flat.reshape(array["shape"]).copy()
    return _KINDS[row["kind"]](**values)


def _as_tuple(item: Any) -> Any:
    return tuple(item) if isinstance(item, list) else item


def size_of(row: Mapping[str, Any]) -> int:
    """About how many bytes a row takes before it is compressed."""
    return len(row["fields"]) + sum(len(array["data"]) for array in row["arrays"]) + 256


def row_groups(rows: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The rows in groups that are read as one: few enough that reading one row reads little else."""
    groups: list[list[Mapping[str, Any]]] = []
    size = GROUP_BYTES
    for row in rows:
        if size >= GROUP_BYTES or len(groups[-1]) >= GROUP_ROWS:
            groups.append([])
            size = 0
        groups[-1].append(row)
        size += size_of(row)
    return groups


# A look-up reads a group of rows; the more groups, the more there is to read when a store is opened.
GROUP_ROWS = 32
GROUP_BYTES = 128 * 1024
