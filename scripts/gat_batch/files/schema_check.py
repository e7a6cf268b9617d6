"""Documents held against a JSON Schema, in sentences for people who have never seen one."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import GatBatchError, ManifestError
from .words import nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from jsonschema.exceptions import ValidationError

KINDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a set of keys with values",
    "string": "text",
}
"""Type in a JSON Schema -> its name for people."""

LITERAL = re.compile(r"true|false|-?[0-9.]+(e-?[0-9]+)?")
"""Numbers and the like, which in quotes are text."""

FEW = 4
"""Most allowed words that are all named beside the one that may be meant."""


def schema_faults(document: Any, schema: Mapping[str, Any], file: Path) -> list[GatBatchError]:
    """Check a document against a JSON Schema (draft 2020-12).

    Args:
        document: the content to check.
        schema: the schema.
        file: the document's file, for the messages.

    Returns:
        One fault for each place that breaks the schema, in document order.
    """
    # Jobs that parse the workflow again have no use for a validator and skip its import.
    import jsonschema_rs

    # Values that JSON hasn't got, from YAML or Python, are beyond it.
    with suppress(ValueError):
        if jsonschema_rs.is_valid(dict(schema), document):
            return []
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema)
    errors = sorted(validator.iter_errors(document), key=lambda error: _order(error.absolute_path))
    return [fault for error in errors for fault in _faults(error, document, file)]


def _order(path: Any) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in path]


def _faults(error: ValidationError, document: Any, file: Path) -> Iterator[GatBatchError]:
    parts = list(error.absolute_path)
    scenario = None
    if len(parts) > 1 and parts[0] == "scenarios":
        scenario = scenario_name(document["scenarios"][parts[1]], int(parts[1]))
        parts = parts[2:]
    field = ".".join(str(part) for part in parts) or None

    def fault(what: str, hint: str | None = None, key: str | None = None) -> GatBatchError:
        place = ".".join(filter(None, (field, key))) or None
        return ManifestError(what, file=file, scenario=scenario, field=place, hint=hint)

    instance: Any = error.instance
    if error.validator == "additionalProperties":
        schema: Any = error.schema
        known = schema["properties"]
        for key in instance:
            if key not in known:
                yield fault("unknown key", nearest(str(key), known), str(key))
    elif error.validator == "required":
        required: Any = error.validator_value
        for key in required:
            if key not in instance:
                yield fault("missing", "the key must be given", key)
    elif error.validator == "anyOf" and (inner := _of_the_form_meant(error)):
        for one in inner:
            yield from _faults(one, document, file)
    else:
        yield fault(*_sentence(error))


def _sentence(error: ValidationError) -> tuple[str, str | None]:
    """Return what is wrong with a value, and a hint if there is one."""
    found, hint = shown(error.instance), None
    wanted: Any = error.validator_value
    schema: Any = error.schema
    match error.validator:
        case "enum":
            what = f"{found} is not allowed"
            words = [str(value) for value in wanted]
            hint = nearest(str(error.instance), words)
            if len(words) <= FEW and not hint.startswith("known"):
                hint += f" known are {', '.join(words)}"
        case "type":
            kinds = [wanted] if isinstance(wanted, str) else wanted
            what = f"{found} must be {' or '.join(KINDS[kind] for kind in kinds)}"
            hint = _how_to_write(error.instance, kinds)
        case "pattern":
            what = f"{found} is not a safe name"
            hint = "letters, digits and . _ + - only, the first a letter or digit, 128 at most"
        case "anyOf":
            what, hint = f"{found} has none of the allowed forms", schema.get("description")
        case "minItems" | "minLength":
            what, hint = f"{found} has too few entries", f"at least {wanted}"
        case "uniqueItems":
            what = f"{found} repeats an entry"
        case "minimum" | "maximum" | "exclusiveMinimum":
            bound = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}
            what, hint = f"{found} is out of range", f"{bound[error.validator]} {wanted}"
        case _:
            what = error.message
    return what, hint


def _how_to_write(value: Any, kinds: Sequence[str]) -> str | None:
    """Return how a value of the wrong type is to be written, if it is most likely meant."""
    if "string" in kinds and isinstance(value, (int, float)):
        return "put it in quotes"
    if "array" in kinds and not isinstance(value, list):
        return "a single entry needs brackets too, as [...]"
    if isinstance(value, str) and LITERAL.fullmatch(value):
        return "take it out of its quotes"
    return None


def _of_the_form_meant(error: ValidationError) -> list[ValidationError]:
    """Return the errors of the one allowed form that a value is of the right type for, if any."""
    forms: dict[Any, list[ValidationError]] = {}
    for one in error.context or ():
        forms.setdefault(one.schema_path[0], []).append(one)
    fitting = [errors for errors in forms.values() if not any(map(_of_another_type, errors))]
    return fitting[0] if len(fitting) == 1 else []


def _of_another_type(error: ValidationError) -> bool:
    """Return whether the value itself is not of the type wanted, nor of any that is allowed."""
    if error.relative_path:
        return False
    if error.validator == "anyOf":
        forms: dict[Any, bool] = {}
        for one in error.context or ():
            form = one.schema_path[0]
            forms[form] = forms.get(form, False) or _of_another_type(one)
        return all(forms.values())
    return error.validator in ("type", "const")


def scenario_name(entry: Any, position: int) -> str:
    """Return the name of a scenario in messages: its id, or its place if it has none."""
    name = entry.get("id") if isinstance(entry, dict) else None
    return name if isinstance(name, str) else f"#{position + 1}"
