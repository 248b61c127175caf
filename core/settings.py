"""What all settings share: one validated model a command, read from YAML.

Unknown keys are refused by name.  What was used is saved beside the result,
so a field here is also a line in somebody's provenance: names are chosen to
be read there.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from .errors import SettingsError
from .limits import MOST_CONFIG_BYTES
from .text import reason_of, shortened
from .yaml_values import parse_yaml

CONFIGS = Path(__file__).parent.parent / "configs"

Device = Literal["auto", "cpu", "cuda"]


class Settings(BaseModel):
    """What all settings share: frozen, nothing unknown gets in, and each field's docstring is its description."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), use_attribute_docstrings=True)


# ── from YAML, and from the command line ─────────────────────────────────────

S = TypeVar("S", bound=Settings)


def shipped_configs() -> list[str]:
    """Names of the configs in the package."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def load(model: type[S], config: str | Path | None = None, assignments: Sequence[str] = (), **given: Any) -> S:
    """Settings from a config, then `KEY=VALUE` assignments, then arguments.

    Args:
        model: the settings class to fill.
        config: a shipped config's name or a YAML file; `None` for defaults.
        assignments: `section.key=value` each, the value in YAML.
        given: dotted keys with `__` for the dot (`windows__window_s=2.0`);
            `None` is “not given”.

    Raises:
        SettingsError: a config that is not there or not YAML, an unknown key,
            a value out of range.
    """
    values, origin = _read(config) if config is not None else ({}, "the defaults")
    for assignment in assignments:
        key, sep, text = assignment.partition("=")
        if not sep or not key.strip():
            raise SettingsError(f"--set takes KEY=VALUE (as in face.sampling_fps=10), got {assignment!r}")
        try:
            value = parse_yaml(text)
        except yaml.YAMLError as error:
            raise SettingsError(f"--set {key}: {shortened(text)} is not a YAML value{_because(error)}") from None
        _put(values, key.strip().split("."), value)
        origin = "--set"
    for key, value in given.items():
        if value is not None:
            _put(values, key.split("__"), value)
    return validate(model, values, origin)


def validate(model: type[S], values: Mapping[str, Any], origin: str) -> S:
    """`values` as settings; the error names the first key that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part in _keys(model) or isinstance(part, int))
        if first["type"] == "extra_forbidden":
            key = ".".join(map(str, first["loc"]))
            raise SettingsError(f"{origin}: unknown key {key!r}{_hint(model, key)}") from None
        message = first["msg"].removeprefix("Value error, ")
        where = f"{key}: " if key else ""
        got = "" if isinstance(first["input"], (Mapping, Settings)) else f", got {shortened(first['input'])}"
        raise SettingsError(f"{origin}: {where}{message[0].lower()}{message[1:]}{got}") from None


def _read(config: str | Path) -> tuple[dict[str, Any], str]:
    path = Path(config)
    if not path.suffix and not path.is_file():
        path = CONFIGS / f"{config}.yaml"
    if not path.is_file():
        raise SettingsError(
            f"no config {str(config)!r}: neither a file nor one that ships ({', '.join(shipped_configs())})"
        )
    try:
        if (size := path.stat().st_size) > MOST_CONFIG_BYTES:
            raise SettingsError(f"config {path} has {size:,} bytes, and at most {MOST_CONFIG_BYTES:,} are read")
        values = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read config {path}: {reason_of(error)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"config {path} is not readable YAML{_because(error)}") from None
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise SettingsError(f"config {path} must be a mapping of settings, got a {type(values).__name__}")
    return values, f"config {path.name}"


def _because(error: Exception) -> str:
    """Where a text stops being YAML, or why it is none that is read."""
    if isinstance(error, yaml.MarkedYAMLError):
        return f", line {error.problem_mark.line + 1}" if error.problem_mark is not None else ""
    return f": {' '.join(str(error).split())}" if isinstance(error, yaml.YAMLError) else ""


def _put(values: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        inner = values.get(part)
        values[part] = inner = dict(inner) if isinstance(inner, Mapping) else {}
        values = inner
    values[path[-1]] = value


def _keys(model: type[Settings]) -> set[str]:
    return {part for key in keys_of(model) for part in key.name.split(".")}


def _hint(model: type[Settings], key: str) -> str:
    """What the writer of an unknown key may have meant."""
    known = [key.name for key in keys_of(model)]
    section, _, name = key.rpartition(".")
    siblings = [dotted.rpartition(".")[2] for dotted in known if dotted.rpartition(".")[0] == section]
    meant = [f"{section}.{near}".lstrip(".") for near in difflib.get_close_matches(name, siblings, n=1, cutoff=0.7)]
    meant += [dotted for dotted in known if dotted.rpartition(".")[2] == name]
    return f"; did you mean {meant[0]!r}?" if meant else f"; there are: {', '.join(siblings)}"


# ── described ────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Key:
    """A setting, or a section of them.

    Attributes:
        name: dotted, as `--set` takes it.
        default: in YAML; empty where a value is required, and of sections
            that are there by default.
        allowed: kinds of values, alternatives or range, in words.
        text: what it is, in one line.
        section: whether settings lie below it.
    """

    name: str
    default: str
    allowed: str
    text: str
    section: bool

    @property
    def unit(self) -> str:
        """What its number counts, where the name ends in a unit; else empty."""
        return next((unit for ending, unit in _UNITS.items() if self.name.endswith(ending)), "")


_UNITS = {"_s": "seconds", "_fps": "frames a second", "_hz": "times a second", "_tokens": "tokens"}


def keys_of(model: type[Settings]) -> Iterator[Key]:
    """Every key of a settings class, a section before what lies below it."""
    yield from _keys_below(model, None, "")


def _keys_below(model: type[Settings], defaults: Settings | None, prefix: str) -> Iterator[Key]:
    """As `keys_of`; defaults are those of an instance, where the class around it has one."""
    for name, info in model.model_fields.items():
        default = getattr(defaults, name) if defaults is not None else info.default
        inner = _section(info.annotation)
        given = default if isinstance(default, Settings) else None
        yield Key(
            name=prefix + name,
            default="" if info.is_required() or given is not None else _yaml(default),
            allowed=_allowed(info),
            text=info.description or ((inner.__doc__ or "").partition("\n")[0] if inner else ""),
            section=inner is not None,
        )
        if inner is not None:
            yield from _keys_below(inner, given, f"{prefix}{name}.")


def _section(annotation: Any) -> type[Settings] | None:
    """The settings class that a field holds, perhaps or several times."""
    kinds = (annotation, *get_args(annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Settings)), None)


def _allowed(info: FieldInfo) -> str:
    """Which values a field takes, in words."""
    extra: dict[str, Any] = {}
    if callable(info.json_schema_extra):
        info.json_schema_extra(extra)
    elif info.json_schema_extra:
        extra |= info.json_schema_extra
    if "enum" in extra:
        return ("list of: " if get_origin(info.annotation) is tuple else "") + ", ".join(extra["enum"])
    bounds = [
        f"{sign} {getattr(rule, name):.10g}"
        for rule in info.metadata
        for name, sign in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
        if getattr(rule, name, None) is not None
    ]
    kinds = " or ".join(dict.fromkeys(_kinds(info.annotation)))
    return kinds.replace("number", f"number {', '.join(bounds)}") if bounds else kinds


def _kinds(annotation: Any) -> Iterator[str]:
    """The kinds of values of a type, in words; `None` last."""
    plain = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path", NoneType: "null"}
    if annotation in plain:
        yield plain[annotation]
    elif isinstance(annotation, type) and issubclass(annotation, Settings):
        yield "section"
    elif get_origin(annotation) is Literal:
        yield ", ".join(map(str, get_args(annotation)))
    elif get_origin(annotation) is tuple:
        yield f"list of {next(_kinds(get_args(annotation)[0]))}s"
    elif get_origin(annotation) is Mapping:
        yield "mapping"
    else:
        for kind in get_args(annotation):
            yield from _kinds(kind)


def _yaml(value: Any) -> str:
    """A default as one would write it in a config."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return value
    return json.dumps(value)
