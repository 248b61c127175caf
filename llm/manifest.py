"""Folders of files that travel: what is in one, by name and SHA-256, and that it still is that and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated

from pydantic import Field

from ..core.digests import known_sha256, sha256_of
from ..core.errors import EmoscribeError
from ..core.settings import Settings


class ListedFile(Settings):
    """A file as it was when the folder was put together."""

    bytes: int = Field(ge=0)
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


Files = Mapping[str, ListedFile]


def listed(folder: Path) -> dict[str, ListedFile]:
    """All files of a folder, by their names in it with `/` between."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): ListedFile(bytes=path.stat().st_size, sha256=sha256_of(path))
        for path in files
    }


def check_listed(folder: Path, files: Files, manifest: str) -> None:
    """See that a folder holds the listed files and, hidden ones aside, no others.

    Nothing outside the folder is looked at, whatever the list says.

    Args:
        manifest: the name of the file that lists them, which is not listed itself.

    Raises:
        EmoscribeError: a name leads out of the folder or by way of a link, or
            a file is missing, other than it was, or one too many.
    """
    for name, file in files.items():
        if not _stays_inside(name):
            raise EmoscribeError(
                f"{folder / manifest} lists {name!r}, which leads out of its own folder; take it from a better place"
            )
        if (link := next((each for each in _ways(folder, name) if each.is_symlink()), None)) is not None:
            raise EmoscribeError(f"{link} is a link, and {manifest} lists files; copy the folder with what it links to")
        path = folder / name
        if not path.is_file():
            raise EmoscribeError(f"{folder} lacks {name}, which its {manifest} lists; copy the folder again")
        if path.stat().st_size != file.bytes or known_sha256(path) != file.sha256:
            raise EmoscribeError(f"{path} is not the file that {manifest} lists (by its sha256); copy the folder again")
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    there = {path.relative_to(folder).as_posix() for path in found}
    others = sorted(name for name in there - {*files, manifest} if not _is_hidden(name))
    if others:
        raise EmoscribeError(f"{folder} holds {others[0]}, which its {manifest} does not list; take it away")


def _stays_inside(name: str) -> bool:
    """Whether a name leads to a file below the folder it is looked for in, on any system."""
    parts = name.split("/")
    foreign = "\\" in name or "\0" in name or PureWindowsPath(name).drive or PurePosixPath(name).is_absolute()
    return not foreign and not {"", ".", ".."} & set(parts)


def _ways(folder: Path, name: str) -> Iterator[Path]:
    """The file, and the folders on the way to it."""
    path = folder
    for part in name.split("/"):
        path = path / part
        yield path


def _is_hidden(name: str) -> bool:
    # Of whoever keeps the folder: `.gitattributes`, `.DS_Store`.
    return name.startswith(".")
