"""What is in a store, whether it is whole, and how it is put in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.context import DEFAULT, Context
from ...core.errors import EmoscribeError
from ...core.timeline import Media
from .claims import claims_in
from .cue_store import SHARD_BYTES, CueStore
from .rows import CHECKSUM, DamagedError, Key, checksum, from_row, size_of
from .shards import VanishedError, part_of


@dataclass(frozen=True)
class Content:
    """The rows of one part.

    Attributes:
        files: so many different ones they are of.
        bytes: of them on disk.
        settings: by hash of settings the number of rows, the most first; voices have one for each transcript.
    """

    part: str
    rows: int
    files: int
    bytes: int
    settings: Mapping[str, int]


@dataclass(frozen=True)
class Damage:
    """A shard, by its name, or rows of one, that are not what was written.

    Attributes:
        row: the first of them; `None` is the whole shard.
    """

    shard: str
    row: int | None
    reason: str

    def __str__(self) -> str:
        return f"{self.shard}{'' if self.row is None else f', row {self.row}'}: {self.reason}"


@dataclass(frozen=True)
class Compacted:
    """What putting a store in order came to.

    Attributes:
        rows: that are there now.
        dropped: rows that were not wanted.
        repeated: rows of which there was another.
        damaged: what could not be kept.
    """

    shards_before: int
    shards_after: int
    rows: int
    dropped: int
    repeated: int
    damaged: tuple[Damage, ...]


def opened(place: str | Path) -> tuple[CueStore, list[Damage]]:
    """A store of which shards may be damaged, and those.

    Raises:
        EmoscribeError: there is no store, or it cannot be read.
    """
    broken: dict[str, DamagedError] = {}
    store = CueStore(place, damaged=broken)
    if not len(store) and not broken:
        raise EmoscribeError(f"{place} is no cue store: no shard (*.parquet) is in it; `emoscribe extract` makes one")
    return store, [Damage(name, None, "it is no Parquet that can be read") for name in broken]


def contents(store: CueStore) -> list[Content]:
    """What a store holds, by part."""
    parts: dict[str, list[Key]] = {}
    for key in store:
        parts.setdefault(key.part, []).append(key)
    sizes = Counter[str]()
    for name, size in store.shards.names().items():
        sizes[part_of(name)] += size
    return [
        Content(
            part,
            len(keys),
            len({key.sha256 for key in keys}),
            sizes[part],
            dict(Counter(key.settings for key in keys).most_common()),
        )
        for part, keys in sorted(parts.items())
    ]


def verify(store: CueStore, context: Context = DEFAULT) -> Iterator[Damage]:
    """Read every row, and tell of each that is not what was written, or that this version does not know."""
    for done, name in enumerate(names := store.names, 1):
        with suppress(VanishedError):
            yield from (judged.damage for judged in _judged(store, name) if judged.damage is not None)
        context.progress("verifying", done / len(names))


def compact(
    place: str | Path, context: Context = DEFAULT, *, wanted: Callable[[Key], bool] = lambda key: True
) -> Compacted:
    """Join small shards into large ones, drop what is damaged or there twice, and give every row a checksum.

    Processes that read or write the store meanwhile are not disturbed.

    Args:
        wanted: of a row; others are dropped too.

    Raises:
        EmoscribeError: there is no store, it cannot be written, or another process puts it in order.
    """
    store, damaged = opened(place)
    with _alone(store):
        for damage in damaged:
            store.shards.remove(damage.shard)
        names, of = store.names, Counter[str]()
        before = len(names) + len(damaged)
        for done, part in enumerate(parts := sorted({part_of(name) for name in names}), 1):
            shards = [_inspected(store, name, wanted) for name in names if part_of(name) == part]
            due = [shard for shard in shards if shard.spoiled or shard.small]
            if any(shard.spoiled for shard in due) or len(due) > 1:
                store.replace([shard.name for shard in due], _kept(store, due, wanted), part)
            for shard in shards:
                damaged += shard.damaged
                of.update(shard.rows)
            context.progress("compacting", done / len(parts))
    now = CueStore(place)
    return Compacted(before, len(now.names), len(now), of["dropped"], of["repeated"], tuple(damaged))


def unwanted(
    store: CueStore, parts: Collection[str] = (), settings: Collection[str] = (), *, missing_media: bool = False
) -> set[Key]:
    """The rows that are of one of the parts and of one of the settings, as far as either is given.

    Args:
        missing_media: also those of files that are no longer where they were last perceived.
    """
    gone = set()
    if missing_media:
        named = {key: store.get(key.sha256, key.part, key.settings, key[1:3]) for key in store if key.part == "media"}
        here = {key.sha256 for key, media in named.items() if isinstance(media, Media) and Path(media.path).exists()}
        gone = {key.sha256 for key in named} - here
    asked = parts or settings
    return {
        key
        for key in store
        if key.sha256 in gone
        or (asked and (not parts or key.part in parts) and (not settings or key.settings in settings))
    }


# ── one shard ────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Judged:
    """A row as it is; `damage` where it is not what was written."""

    number: int
    key: Key | None
    row: dict[str, Any]
    damage: Damage | None = None


def _judged(store: CueStore, name: str) -> Iterator[_Judged]:
    for first, rows in store.groups(name):
        if isinstance(rows, DamagedError):
            yield _Judged(first, None, {}, Damage(name, first, "these rows cannot be read"))
            continue
        for number, row in enumerate(rows, first):
            try:
                key = Key(*(row[column] for column in Key._fields))
                from_row(key, row)
                yield _Judged(number, key, row)
            except (DamagedError, KeyError) as error:
                yield _Judged(number, None, row, Damage(name, number, str(error)))


@dataclass(frozen=True)
class _Inspected:
    """Attributes: `spoiled`, whether there is more or less in it than there should be."""

    name: str
    small: bool
    spoiled: bool
    rows: Counter[str]
    damaged: tuple[Damage, ...]


def _inspected(store: CueStore, name: str, wanted: Callable[[Key], bool]) -> _Inspected:
    of, size, damaged, old = Counter[str](), 0, [], False
    for judged in _judged(store, name):
        if judged.key is None:
            damaged += [judged.damage] if judged.damage is not None else []
            continue
        size += size_of(judged.row)
        old |= judged.row.get(CHECKSUM) is None
        if not wanted(judged.key):
            of["dropped"] += 1
        elif store.place_of(judged.key) != (name, judged.number):
            of["repeated"] += 1
    return _Inspected(name, size < SHARD_BYTES // 2, bool(of or damaged or old), of, tuple(damaged))


def _kept(store: CueStore, shards: Sequence[_Inspected], wanted: Callable[[Key], bool]) -> Iterator[dict[str, Any]]:
    for shard in shards:
        for judged in _judged(store, shard.name):
            if judged.key is None or not wanted(judged.key):
                continue
            # A row written over another, here or in a shard before, is the one that counts.
            if store.place_of(judged.key) == (shard.name, judged.number):
                yield judged.row | {CHECKSUM: judged.row.get(CHECKSUM) or checksum(judged.key, judged.row)}


@contextmanager
def _alone(store: CueStore) -> Iterator[None]:
    """The only one who puts this store in order.

    Raises:
        EmoscribeError: somebody else does.
    """
    if store.shards.folder is None:
        yield
        return
    with claims_in(store.shards.folder).claim("upkeep", wait=False) as mine:
        if not mine:
            raise EmoscribeError(f"{store.shards} is being put in order by another process; wait until it has ended")
        yield
