"""The shards of a store: Parquet files in a folder, or under a prefix of an object store."""

from __future__ import annotations

import json
import os
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from ...core.errors import EmoscribeError, SettingsError, UnavailableError
from ...core.files import atomic_path, check_folder, make_folder
from .rows import KEY_COLUMNS, VALUE_COLUMNS, DamagedError, Key, row_groups, schema

SUFFIX = ".parquet"
# Columns of few values; a dictionary for any other is one thing more to read.
_REPEATED = ["part", "settings", "kind"]
# In a shard's footer, the columns that its rows are found by: to open a store, nothing else is read of it.
_KEYS = b"emoscribe.keys"
# What reads a store elsewhere tells these three apart; so does whoever is to mend it.
_ADVICE = "`emoscribe store compact` drops it, and what it held is extracted again"


class VanishedError(EmoscribeError):
    """A shard that was there is not: somebody has joined it with others, or deleted it."""


class Shards:
    """A folder of shards on this machine.

    Raises:
        EmoscribeError: it can be no folder.
    """

    def __init__(self, folder: str | Path) -> None:
        check_folder(folder, "cue store")
        self.folder: Path | None = Path(folder)
        self._name = str(folder)

    def __str__(self) -> str:
        return self._name

    def names(self) -> dict[str, int]:
        """The shards, each with its size in bytes.

        Raises:
            EmoscribeError: they cannot be listed.
        """
        with self._reading(self._name):
            sizes = {}
            for path in sorted(Path(self._name).glob(f"*{SUFFIX}")):
                sizes[path.name] = 0
                with suppress(OSError):  # whoever opens it is told
                    sizes[path.name] = path.stat().st_size
            return sizes

    def write(self, part: str, rows: Sequence[Mapping[str, Any]]) -> str:
        """Keep rows of one part as a shard; it appears whole or not at all.

        Returns:
            Its name.

        Raises:
            EmoscribeError: it cannot be written.
        """
        name = _new_name(part)
        if not Path(self._name).is_dir():
            make_folder(self._name)
        with atomic_path(Path(self._name) / name) as partial:
            _write(rows, partial)
        return name

    def remove(self, name: str) -> None:
        """Delete a shard; one that is gone already is as well."""
        with suppress(FileNotFoundError), self._reading(self.path(name)):
            Path(self.path(name)).unlink(missing_ok=True)

    def path(self, name: str) -> str:
        """Where a shard lies, for people and for other tools."""
        return str(Path(self._name) / name)

    def open(self, name: str) -> Any:
        """A shard as a `pyarrow.parquet.ParquetFile`, to be closed.

        Raises:
            VanishedError, DamagedError, EmoscribeError: it is gone, no Parquet, or cannot be read.
        """
        import pyarrow.parquet as pq

        with self._reading(self.path(name)):
            return pq.ParquetFile(self._source(name))

    def keys(self, name: str) -> list[Key]:
        """What the rows of a shard are found by; errors as of `open`."""
        with self._reading(self.path(name)), self.open(name) as shard:
            if (listed := (shard.metadata.metadata or {}).get(_KEYS)) is not None:
                columns = json.loads(zlib.decompress(listed))
            else:
                table = shard.read(columns=KEY_COLUMNS)
                columns = [table[column].to_pylist() for column in KEY_COLUMNS]
            return [Key._make(row) for row in zip(*columns, strict=True)]

    def rows(self, shard: Any, name: str, group: int) -> list[dict[str, Any]]:
        """The rows of a group of an open shard; errors as of `open`."""
        with self._reading(self.path(name)):
            return shard.read_row_group(group).to_pylist()

    def value(self, shard: Any, name: str, group: int, row: int) -> dict[str, Any]:
        """One row of a group of an open shard, without what it is found by; errors as of `open`."""
        with self._reading(self.path(name)):
            # Names that an older shard lacks are passed over.
            return shard.read_row_group(group, columns=VALUE_COLUMNS).slice(row, 1).to_pylist()[0]

    def _source(self, name: str) -> Any:
        return self.path(name)

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        """Tell what is gone from what is damaged and what cannot be read."""
        import pyarrow as pa

        try:
            yield
        except FileNotFoundError:
            raise VanishedError(f"{what} is gone") from None
        except (pa.ArrowException, OSError, LookupError, TypeError, ValueError, MemoryError, zlib.error) as error:
            # Arrow's own are without a number, the system's have one.
            if isinstance(error, OSError) and error.errno:
                reason = os.strerror(error.errno).lower()
                raise EmoscribeError(f"cannot read {what}: {reason}; see to its permissions and its disk") from None
            raise DamagedError(f"{what} is damaged; delete it, or {_ADVICE}") from None


class RemoteShards(Shards):
    """Shards under a URL that `fsspec` knows: `s3://bucket/cues`, `gs://…`, `memory://…`.

    Raises:
        SettingsError: nobody knows such a URL.
        UnavailableError: the package that does is not here.
        EmoscribeError: it cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self.folder = None
        self._name = url.rstrip("/")
        try:
            self._files, self._root = _reached(self._name)
        except ImportError as error:
            raise UnavailableError(f"cue store {url}: {error}") from None
        except ValueError as error:
            raise SettingsError(f"cue store {url}: {error}") from None
        except Exception as error:  # each store has errors of its own
            raise EmoscribeError(f"cannot reach {url}: {type(error).__name__}: {error}") from None
        # Somebody else may have written since.
        self._files.use_listings_cache = False

    def names(self) -> dict[str, int]:
        try:
            with self._reading(self._name):
                listed = self._files.ls(self._root, detail=True, refresh=True)
        except VanishedError:
            return {}
        with self._reading(self._name):
            found = {entry["name"].rpartition("/")[2]: int(entry["size"] or 0) for entry in listed}
            return {name: found[name] for name in sorted(found) if name.endswith(SUFFIX)}

    def write(self, part: str, rows: Sequence[Mapping[str, Any]]) -> str:
        name = _new_name(part)
        with self._reading(self.path(name)):
            self._files.makedirs(self._root, exist_ok=True)
            # An object appears when it is closed.
            with self._files.open(f"{self._root}/{name}", "wb") as file:
                _write(rows, file)
        return name

    def remove(self, name: str) -> None:
        with suppress(VanishedError), self._reading(self.path(name)):
            self._files.rm_file(f"{self._root}/{name}")

    def path(self, name: str) -> str:
        return f"{self._name}/{name}"

    def _source(self, name: str) -> Any:
        return self._files.open(f"{self._root}/{name}", "rb")

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        try:
            try:
                with super()._reading(what):
                    yield
            except DamagedError:
                # A store that is far away has other words for what is gone, and fails at once where it is not reached.
                if self._files.exists(f"{self._root}/{what.rpartition('/')[2]}"):
                    raise
                raise VanishedError(f"{what} is gone") from None
        except EmoscribeError:
            raise
        except Exception as error:  # each store has errors of its own
            raise EmoscribeError(f"cannot reach {what}: {type(error).__name__}: {error}") from None


def shards_at(place: str | Path) -> Shards:
    """The shards in a folder, or under a URL; errors as of `Shards` and `RemoteShards`."""
    return RemoteShards(str(place)) if "://" in str(place) else Shards(place)


def _reached(url: str) -> tuple[Any, str]:
    """Who reads and writes under a URL, and the path there."""
    import fsspec

    try:
        return fsspec.core.url_to_fs(url)
    except ImportError:
        # Arrow knows S3 and Google's by itself.
        from fsspec.implementations.arrow import ArrowFSWrapper
        from pyarrow.fs import FileSystem

        if not url.startswith(("s3://", "gs://")):
            raise
        files, root = FileSystem.from_uri(url)
        return ArrowFSWrapper(files), root


def part_of(name: str) -> str:
    """Which part a shard holds: its name up to the last hyphen."""
    return name.removesuffix(SUFFIX).rpartition("-")[0]


def _new_name(part: str) -> str:
    return f"{part}-{uuid.uuid4().hex}{SUFFIX}"


def _write(rows: Sequence[Mapping[str, Any]], where: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = schema()
    keys = [[row[column] for row in rows] for column in KEY_COLUMNS]
    with pq.ParquetWriter(where, columns, compression="zstd", use_dictionary=cast(Any, _REPEATED)) as writer:
        writer.add_key_value_metadata({_KEYS: zlib.compress(json.dumps(keys).encode(), 1)})
        for group in row_groups(rows):
            writer.write_table(pa.Table.from_pylist(list(group), schema=columns))
