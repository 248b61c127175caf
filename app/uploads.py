"""What is sent goes straight to the disk, and is refused as soon as it is too much or too slow."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from multipart import MultipartError, ParserLimitReached, PushMultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from .errors import Refused

# Parts of a form; the settings of an analysis are a dozen.
_PARTS = 40
# Bytes of a part that is a setting.
_FIELD_BYTES = 10_000
# Bytes that are gathered before they are written.
_BLOCK_BYTES = 1_000_000
# Who sends less than this in the time that may pass without anything holds a place and nothing else.
_LEAST_BYTES = 1_000


@dataclass
class Form:
    """What came in a form.

    Attributes:
        fields: the parts that are no files, by name.
        files: where the files lie, by part.
        names: what their sender calls them, by part.
    """

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """What a body may be.

    Attributes:
        body_bytes: all of it.
        stall_s: how long it may take for something to come.
    """

    body_bytes: int
    stall_s: float


async def receive_form(request: Request, folder: Path, files: Mapping[str, int], limits: Limits) -> Form:
    """A form whose files are written to a folder, each as `sent-PART` with its ending.

    Args:
        files: the parts that are files, and how many bytes each may have.

    Raises:
        Refused: it is no form, too large, or comes too slowly; what was written is the folder's owner's to remove.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise Refused(f"this takes multipart/form-data, got {kind or 'no content type'}; send the file as a form", 415)
    parser = PushMultipartParser(
        options["boundary"], max_segment_count=_PARTS, max_segment_size=limits.body_bytes, strict=True
    )
    reading = _Reading(folder, files)
    try:
        with parser, reading:
            async for chunk in body_of(request, limits):
                reading.take(parser.parse(chunk))
                if reading.is_due:
                    await asyncio.to_thread(reading.flush)
            reading.flush()
    except ParserLimitReached as error:
        raise Refused(f"the form is too large: {str(error).lower()}; send fewer and smaller parts", 413) from None
    except MultipartError as error:
        raise Refused(f"the form cannot be read: {str(error).lower()}", 400) from None
    for part, path in reading.form.files.items():
        if path.stat().st_size == 0:
            raise Refused(f"the part {part!r} is empty: {reading.form.names[part]} has no bytes; send it again")
    return reading.form


async def receive_file(request: Request, path: Path, limits: Limits) -> None:
    """A body as it is, written to a file.

    Raises:
        Refused: it is too large, or comes too slowly.
    """
    with path.open("wb") as file:
        async for chunk in body_of(request, limits):
            file.write(chunk)


async def body_of(request: Request, limits: Limits) -> AsyncIterator[bytes]:
    """The body, chunk by chunk.

    Raises:
        Refused: it is too large, or comes too slowly.
    """
    too_large = Refused(f"the body has more than {limits.body_bytes:,} bytes, the most that is taken here", 413)
    announced = request.headers.get("content-length", "0")
    if not announced.isdigit() or int(announced) > limits.body_bytes:
        raise too_large
    stream, count = request.stream(), 0
    since, before = time.monotonic(), 0
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream), limits.stall_s)
        except StopAsyncIteration:
            return
        except ClientDisconnect:
            raise Refused("whoever sent this left in the middle of it") from None
        except TimeoutError:
            raise Refused(f"nothing came for {limits.stall_s:g} s; send it again", 408) from None
        count += len(chunk)
        if count > limits.body_bytes:
            raise too_large
        if (passed_s := time.monotonic() - since) > limits.stall_s:
            if count - before < _LEAST_BYTES:
                raise Refused(f"{count - before} bytes came in {passed_s:.0f} s; send it again, faster", 408)
            since, before = time.monotonic(), count
        if chunk:
            yield chunk


class _Reading(ExitStack):
    """A form as it comes: which part is being read, and what of it is to be written."""

    def __init__(self, folder: Path, files: Mapping[str, int]) -> None:
        super().__init__()
        self.form = Form()
        self._folder, self._files = folder, files
        self._part, self._text = "", bytearray()
        self._file: IO[bytes] | None = None
        self._block, self._count = bytearray(), 0

    @property
    def is_due(self) -> bool:
        return len(self._block) >= _BLOCK_BYTES

    def take(self, events) -> None:
        for event in events:
            if event is None:
                self._end()
            elif isinstance(event, bytes | bytearray):
                self._more(event)
            else:
                self._begin(event.name, event.filename)

    def flush(self) -> None:
        if self._file is not None and self._block:
            self._file.write(self._block)
        self._block = bytearray()

    def _begin(self, part: str, name: str | None) -> None:
        if part in self.form.fields or part in self.form.files:
            raise Refused(f"the part {part!r} comes twice; send it once")
        self._part, self._text = part, bytearray()
        if part in self._files:
            if name is None:
                raise Refused(f"the part {part!r} has to be a file, and has no file name")
            called = file_name(name)
            path, self._count = self._folder / f"sent-{part}{ending(called)}", 0
            self.form.files[part], self.form.names[part] = path, called
            self._file = self.enter_context(path.open("wb"))

    def _more(self, data: bytes | bytearray) -> None:
        if self._file is not None:
            self._block += data
            self._count += len(data)
            if self._count > self._files[self._part]:
                most = self._files[self._part]
                raise Refused(f"the part {self._part!r} has more than {most:,} bytes, the most that is taken", 413)
        elif len(self._text) + len(data) > _FIELD_BYTES:
            raise Refused(f"the part {self._part!r} has more than {_FIELD_BYTES:,} bytes, too many for a setting", 413)
        else:
            self._text += data

    def _end(self) -> None:
        if self._file is not None:
            self.flush()
            self._file.close()
            self._file = None
        else:
            self.form.fields[self._part] = self._text.decode("utf-8", "replace")


def file_name(given: str) -> str:
    """What somebody calls a file, fit to be shown: no folders, no control characters, 200 characters at most."""
    name = re.sub(r"[\x00-\x1f\x7f]", "", re.split(r"[/\\]", given)[-1]).strip(" .")
    return name[-200:] or "file"


def ending(name: str) -> str:
    """The ending of a file name, with its dot, where it is one that could be a file format's; else nothing."""
    found = re.search(r"\.[A-Za-z0-9]{1,8}$", name)
    return found.group().lower() if found else ""
