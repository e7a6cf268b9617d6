"""Tap controllers of a pandapower file, read as data: no object of the file is ever built.

pandapower stores a controller as an object with its attributes. Those of the kinds known here
become rows of the network's table ``tap_control``, a row for each transformer.
"""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

MODULE = "pandapower.control.controller.trafo"

KINDS = {"DiscreteTapControl": "discrete", "ContinuousTapControl": "continuous"}
"""Classes of pandapower that are read, and what they are called in the table."""

TABLE = "tap_control"

COLUMNS = (
    "controller",
    "kind",
    "element",
    "index",
    "side",
    "vm_lower_pu",
    "vm_upper_pu",
    "vm_set_pu",
    "tol",
    "check_tap_bounds",
    "level",
    "order",
    "in_service",
)


def taken_out(document: dict[str, Any]) -> pd.DataFrame:
    """Take the tap controllers that are known out of a network's document.

    Args:
        document: a pandapower file as JSON; controllers of other kinds stay in it.

    Returns:
        Their table, with :data:`COLUMNS`.

    Raises:
        ValueError, TypeError, KeyError: if they aren't stored as pandapower stores them.
    """
    stored = document.get("_object")
    frame = stored.get("controller") if isinstance(stored, dict) else None
    if not isinstance(frame, dict) or not isinstance(frame.get("_object"), str):
        return pd.DataFrame(columns=list(COLUMNS))
    table = json.loads(frame["_object"])
    place = {name: n for n, name in enumerate(table["columns"])}
    found: list[dict[str, Any]] = []
    kept: list[tuple[Any, list[Any]]] = []
    for number, row in zip(table["index"], table["data"], strict=True):
        held = row[place["object"]]
        if _is_known(held):
            common = {name: row[place[name]] for name in ("level", "order", "in_service")}
            found += _rows(number, KINDS[held["_class"]], _plain(held["_object"]), common)
        else:
            kept.append((number, row))
    table["index"], table["data"] = [number for number, _ in kept], [row for _, row in kept]
    frame["_object"] = json.dumps(table)
    return pd.DataFrame(found, columns=list(COLUMNS))


def _is_known(held: Any) -> bool:
    return (
        isinstance(held, dict)
        and held.get("_class") in KINDS
        and str(held.get("_module")).startswith(MODULE)
    )


def _rows(
    number: int, kind: str, own: dict[str, Any], common: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return a row for each transformer of a controller."""
    indices = own["element_index"]
    indices = indices if isinstance(indices, list) else [indices]
    shared = {
        "controller": int(number),
        "kind": kind,
        "element": str(own["element"]),
        "side": str(own["side"]),
        "vm_set_pu": own.get("_vm_set_pu", own.get("vm_set_pu")),
        "tol": own["tol"],
        "check_tap_bounds": bool(own.get("check_tap_bounds", True)),
        **common,
    }
    bands = [_each(own.get(name), len(indices)) for name in ("vm_lower_pu", "vm_upper_pu")]
    return [
        {**shared, "index": int(index), "vm_lower_pu": low, "vm_upper_pu": high}
        for index, low, high in zip(indices, *bands, strict=True)
    ]


def _each(value: Any, count: int) -> list[Any]:
    return value if isinstance(value, list) else [value] * count


def _plain(value: Any) -> Any:
    """Return stored attributes as plain values: numbers of numpy and arrays lose their wrapping."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    if isinstance(value, dict):
        if value.get("_module") == "numpy":
            held = _plain(value.get("_object"))
            return float(held) if held == "nan" else held
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
