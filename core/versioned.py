"""Settings that a program wrote: JSON files with a version, as they lie in the folder of a run, and of a pack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .errors import MediaError, SettingsError
from .files import read_json
from .settings import S, validate


def read_setting(path: Path) -> Any:
    """What a JSON file holds that is a setting.

    Raises:
        SettingsError: see `read_json`.
    """
    try:
        return read_json(path)
    except MediaError as error:
        raise SettingsError(str(error)) from None


def read_versioned(model: type[S], path: Path, newest: int, **beside: Any) -> S:
    """The settings in a file.

    Args:
        newest: the version up to which they are read.
        beside: what the file leaves out.

    Raises:
        SettingsError: it is missing, damaged, or of a newer version.
    """
    described = read_setting(path)
    if not isinstance(described, dict):
        raise SettingsError(f"{path} must be a mapping, got a {type(described).__name__}")
    if isinstance(version := described.get("version"), int) and version > newest:
        raise SettingsError(f"{path} is version {version}, this emoscribe reads up to {newest}; update emoscribe")
    return validate(model, described | beside, str(path))
