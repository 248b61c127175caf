"""Data sets of the Hugging Face hub as tables, and local ones that its library reads: `hf:NAME[:CONFIG]`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from ..core.context import Context
from ..core.downloads import status
from ..core.errors import MediaError, UnavailableError
from ..core.patience import while_it_comes
from ..core.text import first_line
from .corpus import Corpus, CorpusRequest, wanted_splits
from .rows import Row, Table
from .table import ROLES, corpus_of

T = TypeVar("T")

PREFIX = "hf:"

# What splits are called on the hub.
_SPLITS = {"train": "train", "dev": "dev", "validation": "dev", "valid": "dev", "val": "dev", "test": "test"}

# The hub is not waited for that has sent nothing for so long.
QUIET_S = 15.0

# Larger data sets are gone through as they come, and not kept on disk.
_LARGE_BYTES = 2**30


def is_hub(data: str | Path) -> bool:
    """Whether data are named as the library names them, rather than a folder."""
    return str(data).startswith(PREFIX)


def read(request: CorpusRequest, context: Context) -> Corpus:
    """The rows in order; of all columns, those alone that play a role.

    Raises:
        UnavailableError: the data set is on the hub, which cannot be reached.
        MediaError: there is no such data set, or it is not as it should be.
    """
    name, config = _named(str(request.data).removeprefix(PREFIX))
    if not Path(name).is_dir():
        _check_reachable(name, context)
    asking = _Asking(name)
    there = asking(lambda: _split_names(name, config))
    splits = wanted_splits(
        request,
        lambda split: split in there,
        lambda split: f"the data set {name} has no {split} split; there are: {', '.join(there.values())}",
    )
    tables = {
        split: asking(lambda split=split: _table(name, config, there[split], request, asking)) for split in splits
    }
    return corpus_of(tables, request, Path(name))


def _named(text: str) -> tuple[str, str | None]:
    """A data set and its configuration."""
    if Path(text).is_dir():
        return text, None
    name, _, config = text.partition(":")
    return name, config or None


def _check_reachable(name: str, context: Context) -> None:
    """Seconds, where the library itself would try for a minute.

    Raises:
        UnavailableError: the data set is on the hub, which is not to be asked or does not answer.
        MediaError: it is not there.
    """
    how = _how_to_get(name)
    if context.offline:
        raise UnavailableError(f"there is no folder {name}, and --offline does not ask the hub; get it with: {how}")
    from huggingface_hub.constants import ENDPOINT

    answer = status(f"{ENDPOINT}/api/datasets/{name}")
    if answer is None:
        raise UnavailableError(f"there is no folder {name}, and the hub cannot be reached; elsewhere: {how}")
    if answer >= HTTPStatus.BAD_REQUEST:
        raise MediaError(f"there is no data set {name}, neither as a folder nor on the hub, or it is private")


def _split_names(name: str, config: str | None) -> dict[str, str]:
    """By our names, what the data set's splits are called."""
    import datasets

    names = datasets.get_dataset_split_names(name, config)
    return {_SPLITS[each]: each for each in names if each in _SPLITS} or {each: each for each in names}


def _table(name: str, config: str | None, split: str, request: CorpusRequest, asking: _Asking) -> Table:
    import datasets

    size = datasets.load_dataset_builder(name, config).info.dataset_size
    # What lies here already need not be copied, either.
    streaming = Path(name).is_dir() or size is None or size > _LARGE_BYTES
    rows = datasets.load_dataset(name, config, split=split, streaming=streaming)
    features: Mapping[str, Any] = rows.features or dict.fromkeys(next(iter(rows), {}))
    roles = {request.columns.get(role, role) for role in ROLES}
    # Of the other columns only the names are known, which errors list.
    read = [column for column in features if column in roles] or list(features)[:1]
    called = f"the {split} split of {name}"
    cells = enumerate(asking.counted(_cells(rows.select_columns(read), features)), start=1)
    return Table(called, tuple(features), tuple(Row(called, number, None, each) for number, each in cells))


def _cells(rows: Any, features: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows with the names of their classes in the place of numbers, in lists of them too."""
    import datasets

    of_columns = {name: getattr(each, "feature", each) for name, each in features.items()}
    classes = {name: each for name, each in of_columns.items() if isinstance(each, datasets.ClassLabel)}

    def named(classes: Any, cell: Any) -> Any:
        if isinstance(cell, list):
            return [named(classes, each) for each in cell]
        # A class of −1 says that there is none.
        return classes.int2str(cell) if cell is not None and cell >= 0 else None

    for row in rows:
        yield {name: named(classes[name], cell) if name in classes else cell for name, cell in row.items()}


class _Asking:
    """Asks the library about one data set, as long as something comes of it, and words its errors."""

    def __init__(self, name: str) -> None:
        self._name, self._rows = name, 0

    def counted(self, rows: Iterator[T]) -> Iterator[T]:
        """The rows; each is a sign of life."""
        for row in rows:
            self._rows += 1
            yield row

    def __call__(self, ask: Callable[[], T]) -> T:
        """What the library says.

        Raises:
            UnavailableError: the hub sends nothing more.
            MediaError: the data set cannot be read.
        """
        try:
            return ask() if Path(self._name).is_dir() else while_it_comes(ask, self._pulse, QUIET_S)
        except TimeoutError:
            raise UnavailableError(
                f"the hub sends nothing more of the data set {self._name}; try again, or elsewhere: "
                f"{_how_to_get(self._name)}"
            ) from None
        except Exception as error:  # the library's own, the hub's client's, and what a page that is none brings about
            raise MediaError(f"the data set {self._name} cannot be read: {first_line(error)}") from None

    def _pulse(self) -> tuple[int, int]:
        return self._rows, sum(_bytes_below(folder) for folder in self._kept())

    def _kept(self) -> Iterator[Path]:
        """Where the hub's library and that of data sets keep what comes of this one."""
        from datasets import config
        from huggingface_hub.constants import HF_HUB_CACHE

        yield Path(HF_HUB_CACHE) / f"datasets--{self._name.replace('/', '--')}"
        yield from Path(config.HF_DATASETS_CACHE).glob(f"{self._name.partition('/')[0]}___*")


def _bytes_below(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # it has been renamed meanwhile
            size += path.lstat().st_size
    return size


def _how_to_get(name: str) -> str:
    return f"hf download --repo-type dataset {name} --local-dir DIR, and give --data {PREFIX}DIR"
