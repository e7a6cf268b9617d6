"""JSON Schemas as rows of tables: key, values, default, meaning."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LIMITS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "up to {}",
    "exclusiveMaximum": "below {}",
}
KINDS = {
    "array": "list",
    "boolean": "true or false",
    "object": "mapping",
    "string": "text",
    "null": "null",
}


class Row(NamedTuple):
    """What is said of one key."""

    key: str
    values: str
    default: str
    meaning: str


def found(schema: Mapping[str, Any], pointer: str) -> dict[str, Any]:
    """The part of a schema at a pointer, as ``#/$defs/scenario``."""
    part: Any = schema
    for step in pointer.lstrip("#/").split("/") if pointer != "#" else ():
        part = part[int(step)] if isinstance(part, list) else part[step]
    result: dict[str, Any] = part
    return result


def resolved(schema: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """A part with what it refers to; what it says itself has the last word."""
    if "$ref" not in part:
        return dict(part)
    target = resolved(schema, found(schema, part["$ref"]))
    return target | {key: value for key, value in part.items() if key != "$ref"}


def rows(schema: Mapping[str, Any], pointer: str) -> list[Row]:
    """A row for each key of the mapping at a pointer.

    Raises:
        ValueError: if a key has no description.
    """
    part = found(schema, pointer)
    result = []
    for key, entry in part["properties"].items():
        whole = resolved(schema, entry)
        if not whole.get("description"):
            raise ValueError(f"{pointer}: {key} has no description")
        default = ""
        if key in part.get("required", ()):
            default = "required"
        elif "default" in whole:
            default = literal(whole["default"])
        result.append(Row(key, values(schema, whole), default, whole["description"]))
    return result


def values(schema: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    """What a value may be, for people."""
    whole = resolved(schema, part)
    if "enum" in whole:
        return ", ".join(literal(value) for value in whole["enum"])
    if "const" in whole:
        return literal(whole["const"])
    if "anyOf" in whole:
        return " or ".join(dict.fromkeys(values(schema, one) for one in whole["anyOf"]))
    kinds = whole["type"] if isinstance(whole["type"], list) else [whole["type"]]
    text = " or ".join(KINDS.get(kind, kind) for kind in kinds)
    if text == "list" and "items" in whole:
        fixed = whole.get("minItems") == whole.get("maxItems")
        count = f"{whole['minItems']} " if fixed and "minItems" in whole else ""
        text = f"list of {count}({values(schema, whole['items'])})".replace(
            " (mapping)", " mappings"
        )
    limits = [form.format(whole[name]) for name, form in LIMITS.items() if name in whole]
    return " ".join([text, *limits])


def literal(value: object) -> str:
    """A value as it is written in JSON or YAML."""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def objects(part: Any, pointer: str = "#") -> Iterator[str]:
    """Pointers to all mappings of a schema that have keys of their own."""
    if isinstance(part, dict):
        if isinstance(part.get("properties"), dict):
            yield pointer
        for key, value in part.items():
            yield from objects(value, f"{pointer}/{key}")
    elif isinstance(part, list):
        for place, value in enumerate(part):
            yield from objects(value, f"{pointer}/{place}")


def table(head: tuple[str, ...], body: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *body]
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)
