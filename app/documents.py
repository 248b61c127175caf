"""The text of a document, paragraph by paragraph."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from ..core.errors import MediaError
from ..extractors.speech.encodings import recognised

# Characters that are read; a longer document is cut there.
_MOST_CHARACTERS = 500_000
# Pages that are read: a scanned library has many, and no text on any.
_MOST_PAGES = 2_000
# Bytes of the text of a .docx, which unfolds.
_MOST_XML_BYTES = 100_000_000

# What comes of a .docx that is damaged, or something else in a zip.
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, ElementTree.ParseError, NotImplementedError, RuntimeError),
    *(KeyError, ValueError, OSError, EOFError),
)

_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def paragraphs_of(path: Path, name: str) -> list[str]:
    """The paragraphs of a PDF, a .docx or a text, each without breaks of lines.

    Args:
        name: what its sender calls it.

    Raises:
        MediaError: it is none of them, damaged, or holds no text.
    """
    found, count = [], 0
    for paragraph in _paragraphs(path, name):
        line = " ".join(paragraph.split())
        if line:
            found.append(line)
            count += len(line)
        if count > _MOST_CHARACTERS:
            break
    if not found:
        raise MediaError(f"{name} holds no text: its pages may be pictures, which are not read; give it as text")
    return found


def _paragraphs(path: Path, name: str) -> Iterator[str]:
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"%PDF"):
        yield from _of_pdf(path, name)
    elif zipfile.is_zipfile(path):
        yield from _of_docx(path, name)
    else:
        yield from _of_text(path, name)


def _of_pdf(path: Path, name: str) -> Iterator[str]:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(path)
        for page in reader.pages[:_MOST_PAGES]:
            yield from _blocks(page.extract_text())
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise MediaError(f"{name} is a PDF that cannot be read: {error or type(error).__name__}") from None


def _of_docx(path: Path, name: str) -> Iterator[str]:
    try:
        with zipfile.ZipFile(path) as packed:
            about = packed.getinfo("word/document.xml")
            if about.file_size > _MOST_XML_BYTES:
                raise MediaError(f"{name} unfolds to {about.file_size:,} bytes of text, too many to be read")
            with packed.open(about) as file:
                for _, element in ElementTree.iterparse(file):
                    if element.tag == f"{_WORD}p":
                        yield "".join(text.text or "" for text in element.iter(f"{_WORD}t"))
                        element.clear()
    except _UNREADABLE as error:
        raise MediaError(f"{name} is neither a PDF, a .docx nor text ({type(error).__name__})") from None


def _of_text(path: Path, name: str) -> Iterator[str]:
    raw = path.read_bytes()
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = recognised(raw)
    if text is None or "\0" in text:
        raise MediaError(
            f"{name} is neither a PDF, a .docx nor text in an encoding that is recognised; save it as UTF-8"
        )
    yield from _blocks(text.removeprefix("\ufeff"))


def _blocks(text: str) -> Iterator[str]:
    """Between empty lines; where there are none, each line is one.  A word that was divided is whole again."""
    blocks = re.split(r"\n\s*\n", text)
    if len(blocks) == 1:
        blocks = text.splitlines()
    yield from (re.sub(r"(\w)[-‐]\n(\w)", r"\1\2", block) for block in blocks)
