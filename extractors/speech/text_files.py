"""Text files from elsewhere: decoded, checked, and cleaned of what would steer a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...core.errors import MediaError
from ...core.limits import LONGEST_S, check_size, is_number
from ...core.text import one_line, reason_of, shortened
from .encodings import recognised


def text_of(path: Path, what: str = "transcript") -> str:
    """The file as text: UTF-8, UTF-16, or else what was written before them where it is certain which that was.

    Args:
        what: it is called in messages.

    Raises:
        MediaError: it is missing, unreadable, empty, too large, not text, or of unknown encoding.
    """
    try:
        check_size(path, what)
        raw = path.read_bytes()
    except FileNotFoundError:
        raise MediaError(f"no {what} {path}") from None
    except OSError as error:
        raise MediaError(f"the {what} {path} cannot be read: {reason_of(error)}") from None
    if not raw.strip():
        raise MediaError(f"the {what} {path} is empty")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = raw.decode("utf-16", errors="replace")
    else:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = None
        if text is None or "\0" in text:
            text = recognised(raw)
    if text is None and b"\0" not in raw:
        raise MediaError(f"the {what} {path} is not in UTF-8, and which encoding it is in is unclear; save it as UTF-8")
    if text is None or "\0" in text:
        raise MediaError(f"the {what} {path} is not a text file")
    return text


def json_of(path: Path, text: str) -> Any:
    """What the JSON holds.

    Raises:
        MediaError: it is none.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise MediaError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from None
    except (ValueError, RecursionError) as error:  # numbers too long, lists too deep
        raise MediaError(f"{path} is not JSON that can be read: {error}") from None


def seconds_of(where: str, item: Mapping[str, Any], name: str) -> float:
    """The time under `name` + `_s`, or under `name`.

    Raises:
        MediaError: there is none, or it is no time in a recording.
    """
    value = item.get(f"{name}_s", item.get(name))
    if not is_number(value) or not 0 <= value <= LONGEST_S:
        raise MediaError(
            f"{where}: {name}_s must be a number of seconds from 0, got {shortened(value)}; up to {LONGEST_S:,.0f} is "
            "allowed"
        )
    return float(value)


def name_of(text: str) -> str | None:
    """A speaker's name on one line; `None` where it is blank."""
    return one_line(text) or None


def lines_of(text: str) -> list[str]:
    """The lines.  Not `splitlines()`: that also splits at characters that are said."""
    return re.split(r"\r\n?|\n", text)


def plain_lines(text: str) -> str:
    """The text with its lines cleaned, those without words left out."""
    return "\n".join(line for line in map(one_line, lines_of(text)) if line)


def up_to_last(closing: str, text: str) -> tuple[str, str]:
    """The text up to the last bracket that closes, and the rest.

    Before it a pattern that looks for a closing bracket finds one wherever it begins; after it, it would look in vain
    from every opening bracket to the end.
    """
    head, at, tail = text.rpartition(closing)
    return head + at, tail
