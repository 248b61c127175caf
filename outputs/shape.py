"""Whether a JSON value is what a JSON schema says, of the words that `transcript.schema.json` is written in."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..core.text import shortened

# Nothing that is measured is as much, in whatever unit.
_MOST = 1e12

_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "null": lambda value: value is None,
    "integer": lambda value: type(value) in (int, float) and abs(value) < _MOST and value == int(value),
    # Python reads what JSON has not, NaN and infinities.
    "number": lambda value: type(value) in (int, float) and abs(value) < _MOST,
}


def wrong_in(value: Any, schema: Mapping[str, Any]) -> str | None:
    """The first thing that is not as the schema says, and where; `None` where all is."""
    return next(_wrong(value, schema, "", schema), None)


def _wrong(value: Any, schema: Mapping[str, Any], where: str, root: Mapping[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        yield from _wrong(value, root["$defs"][schema["$ref"].rpartition("/")[2]], where, root)
    kinds = schema.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else kinds
    if kinds and not any(_KINDS[kind](value) for kind in kinds):
        yield f"{where or 'it'} must be {' or '.join(kinds)}, got {shortened(value)}"
    elif value not in schema.get("enum", (value,)) or value != schema.get("const", value):
        yield f"{where} cannot be {shortened(value)}"
    elif isinstance(value, dict):
        yield from _wrong_in_object(value, schema, where, root)
    elif isinstance(value, list):
        yield from _wrong_in_array(value, schema, where, root)
    elif value is not None and not _allowed(value, schema):
        yield f"{where} cannot be {shortened(value)}"


def _allowed(value: Any, schema: Mapping[str, Any]) -> bool:
    """Of text, a number or a truth value."""
    if isinstance(value, str):
        return len(value) >= schema.get("minLength", 0)
    return schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf) and value > schema.get(
        "exclusiveMinimum", -math.inf
    )


def _wrong_in_object(
    value: Mapping[str, Any], schema: Mapping[str, Any], where: str, root: Mapping[str, Any]
) -> Iterator[str]:
    yield from (f"{where or 'it'} has no {name!r}" for name in schema.get("required", ()) if name not in value)
    if one_of := schema.get("oneOf"):
        names = [name for each in one_of for name in each["required"]]
        if sum(name in value for name in names) != 1:
            yield f"{where} must have one of {', '.join(names)}"
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    pattern = schema.get("propertyNames", {}).get("pattern")
    for name, item in value.items():
        inner = f"{where}.{name[:40]}".lstrip(".")
        if pattern is not None and not re.search(pattern, name):
            yield f"{inner} is no name here"
        if name in known:
            yield from _wrong(item, known[name], inner, root)
        elif others is False:
            yield f"{inner} is unknown"
        elif others is not True:
            yield from _wrong(item, others, inner, root)


def _wrong_in_array(value: list[Any], schema: Mapping[str, Any], where: str, root: Mapping[str, Any]) -> Iterator[str]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf):
        yield f"{where} has {len(value):,} items, which cannot be so many"
    if schema.get("uniqueItems") and any(item in value[:index] for index, item in enumerate(value[:1000])):
        yield f"{where} has something twice"
    items = schema.get("items", {})
    if items.keys() <= {"type"} and set(map(type, value)) <= {int, float} and "number" in items.get("type", ()):
        if not all(abs(each) < _MOST for each in value):
            yield f"{where} must hold numbers"
        return  # as in the long rows of what was measured
    for index, item in enumerate(value):
        yield from _wrong(item, items, f"{where}[{index}]", root)
