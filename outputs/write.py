"""Labelled transcripts to files, each under its video's name."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import EmoscribeError, SettingsError
from ..core.files import atomic_path, make_folder, together, write_bytes, write_text
from ..core.timeline import LabelledTranscript
from .formats import FORMATS, Content, check_formats


def write_outputs(
    transcript: LabelledTranscript, out_dir: str | Path, formats: Sequence[str], stem: str | None = None
) -> list[Path]:
    """Write a transcript as `out_dir/<stem><suffix>`, one file a format.

    Args:
        stem: the name without ending; after the video if not given.

    Raises:
        SettingsError: a format is unknown, or cannot hold this transcript; the others are written first.
        EmoscribeError: a file cannot be written; none is then, and what was there stays.
    """
    formats = check_formats(formats)
    folder = make_folder(out_dir)
    name = file_stem(stem if stem is not None else Path(transcript.media.path).stem)
    paths, refused = [], None
    with together():
        for wanted in (FORMATS[format_name] for format_name in formats):
            path = folder / f"{name}{wanted.suffix}"
            try:
                content = wanted.write(transcript, folder)
            except EmoscribeError as error:
                refused = refused or error
                continue
            _write(path, content, transcript)
            paths.append(path)
    if refused is not None:
        raise refused
    return paths


class Writer:
    """Writes one transcript after another to a folder, each under its own name.

    A second video of the same name gets `-2`, a third `-3`.  Formats and
    folder are checked at once, before anybody waits for an analysis.

    Raises:
        SettingsError: a format is unknown.
        EmoscribeError: the folder cannot be made or written to.
    """

    def __init__(self, out_dir: str | Path, formats: Sequence[str]) -> None:
        self._formats = check_formats(formats)
        self._folder = make_folder(out_dir)
        self._taken: set[str] = set()

    def name_for(self, video: str | Path) -> str:
        """The name, without ending, that the files of one more video get."""
        wanted = file_stem(Path(video).stem)
        name, count = wanted, 1
        while self._files(name) & self._taken:
            count += 1
            name = f"{wanted}-{count}"
        self._taken |= self._files(name)
        return name

    def _files(self, name: str) -> set[str]:
        """What a video's files are called: `talk.boris.mp4` may not take one of `talk.mp4`."""
        # Some file systems do not tell `A` from `a`.
        return {path.name.casefold() for path in self.paths(name)}

    def paths(self, name: str) -> list[Path]:
        """The files under a name, in the order of the formats, whether they are there or not."""
        return [self._folder / f"{name}{FORMATS[each].suffix}" for each in self._formats]

    def write(self, transcript: LabelledTranscript, name: str | None = None) -> list[Path]:
        """Write the files of one transcript; their paths, in the order of the formats.

        Args:
            name: as `name_for` gave it; otherwise one more is given.

        Raises:
            SettingsError: a format cannot hold this transcript; the others are written first.
        """
        name = self.name_for(transcript.media.path) if name is None else name
        return write_outputs(transcript, self._folder, self._formats, name)


def save(transcript: LabelledTranscript, path: str | Path) -> Path:
    """Write a transcript to a file, in the format that its ending says.

    Raises:
        SettingsError: no format has that ending.
        EmoscribeError: the file cannot be written.
    """
    path = Path(path)
    endings = {wanted.suffix: wanted for wanted in FORMATS.values()}
    # `.boris.csv` is more than `.csv`.
    fitting = (ending for ending in endings if path.name.lower().endswith(ending.lower()))
    found = max(fitting, key=len, default=None)
    if found is None:
        raise SettingsError(f"{path}: no format has this ending; there are: {', '.join(endings)}")
    _write(path, endings[found].write(transcript, path.parent), transcript)
    return path


LabelledTranscript.saver = save


def _write(path: Path, content: Content, transcript: LabelledTranscript) -> None:
    if isinstance(content, bytes):
        write_bytes(path, content)
    elif isinstance(content, str):
        write_text(path, content)
    elif path.exists() and Path(transcript.media.path).exists() and path.samefile(transcript.media.path):
        raise EmoscribeError(f"{path} is the video that was analysed; choose another folder for --out")
    else:
        with atomic_path(path) as partial:
            content(partial)


def file_stem(name: str) -> str:
    """`name` as a file name without ending: letters of every script and spaces
    stay, what would lead elsewhere or hide does not."""
    name = re.sub(r"[/\\\x00-\x1f\x7f]", "_", name).strip(" ")
    # Names end at 255 bytes; an ending and a number have to fit as well.
    if len(encoded := os.fsencode(name)) > 200:
        name = encoded[:200].decode("utf-8", "ignore")
    return name if name.strip(" .") else "video"
