"""Which files are meant: by their names, by a pattern, or as what lies in a folder."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

from ..core.errors import MediaError

# Of what lies in a folder or fits a pattern, the files that are taken for media.
SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv"),
    *(".3gp", ".ogv", ".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".wma", ".aiff"),
    *(".jpg", ".jpeg", ".png", ".webp", ".bmp"),
)


def media_files(named: Iterable[str | Path], *, recursive: bool = False) -> list[Path]:
    """The files that are named, each once, in the order of the names and then of the alphabet.

    A folder stands for the media in it, and a pattern (`*.mp4`, `**/*.wav`)
    for those that fit it; hidden files are none of them.  A file's own name
    is taken as it is, whether the file is there or not.

    Args:
        recursive: also those in the folders of a folder.

    Raises:
        MediaError: no media in a folder, or none that fits a pattern.
    """
    return list(dict.fromkeys(path for each in named for path in _meant(Path(each), recursive)))


def _meant(named: Path, recursive: bool) -> list[Path]:
    if named.is_dir():
        below = named.rglob("*") if recursive else named.iterdir()
        found = _media(path for path in below if not _is_hidden(path.relative_to(named)))
        if not found:
            where = "" if recursive else " itself; --recursive looks into its folders too"
            raise MediaError(f"no video, sound or picture in {named}{where} (files that end in {', '.join(SUFFIXES)})")
        return found
    # What is there by that very name is no pattern, whatever it is called.
    if not glob.has_magic(str(named)) or named.exists():
        return [named]
    found = _media(map(Path, glob.glob(str(named), recursive=True)))
    if not found:
        raise MediaError(f"no video, sound or picture fits {named} (files that end in {', '.join(SUFFIXES)})")
    return found


def _media(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if path.suffix.lower() in SUFFIXES and path.is_file())


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
