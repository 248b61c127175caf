"""Values in YAML that somebody wrote by hand: never code, and never more than was written."""

from __future__ import annotations

from typing import Any

import yaml

# An alias repeats what it names, and aliases of aliases multiply: 454 bytes may stand for gigabytes.
MOST_VALUES = 100_000


def parse_yaml(text: str) -> Any:
    """What a text in YAML says.

    Raises:
        yaml.YAMLError: it is not YAML, or stands for more than `MOST_VALUES` values, or for endlessly many.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return None
        if _count(node, {}, set()) > MOST_VALUES:
            raise yaml.YAMLError(f"it stands for more than {MOST_VALUES:,} values; write them out, or fewer aliases")
        return yaml.SafeLoader("").construct_document(node)
    except RecursionError:
        raise yaml.YAMLError("it is nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits, a day that there is not
        raise yaml.YAMLError(str(error)) from None


def _count(node: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """How many values a node stands for, aliases written out."""
    if id(node) in known:
        return known[id(node)]
    if id(node) in above:
        raise yaml.YAMLError("a value holds itself")
    if isinstance(node, yaml.MappingNode):
        inner = [part for pair in node.value for part in pair]
    else:
        inner = node.value if isinstance(node, yaml.SequenceNode) else []
    above.add(id(node))
    known[id(node)] = total = 1 + sum(_count(part, known, above) for part in inner)
    above.discard(id(node))
    return total
