"""pandapower's JSON, read without letting the file choose what to run.

``pandapower.from_json`` imports and calls whatever module and class the file names. A file is
therefore searched first: it may only name the classes that the tables of a network consist of, and
tap controllers, which are taken out and read as data.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pandapower

from ..errors import GridError
from ..upstream.pandapower import drop_empty_tables
from .tap_controllers import TABLE, taken_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pandapower.auxiliary import pandapowerNet

HARMLESS = {
    ("pandapower.auxiliary", "pandapowerNet"),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.series", "Series"),
    ("numpy", "array"),
    ("builtins", "tuple"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
}
"""Classes, as (module, name), that only hold data."""

MARKS = ("_module", "_class")
"""Keys that make pandapower's reader build an object."""


def read_json(path: Path) -> pandapowerNet:
    """Read a network.

    Args:
        path: the file.

    Returns:
        The network.

    Raises:
        GridError: if it can't be read, isn't a pandapower network, or names a class that holds more
            than data.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
    except OSError as error:
        raise GridError(f"can't be read: {error.strerror}", file=path) from None
    except (ValueError, RecursionError) as error:
        raise GridError(f"is not JSON: {error}", file=path) from None
    try:
        controllers = taken_out(document) if isinstance(document, dict) else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise GridError(f"its controllers can't be read: {reason}", file=path) from None
    refuse_classes(document, path)
    if not isinstance(document, dict) or document.get("_class") != "pandapowerNet":
        raise GridError("is not a pandapower network", file=path)
    try:
        drop_empty_tables(document)
        net = pandapower.from_json_string(json.dumps(document), convert=True)
    except Exception as error:  # noqa: BLE001 - pandapower fails in many ways on other content
        reason = f"{type(error).__name__}: {error}"
        raise GridError(f"pandapower can't read it: {reason}", file=path) from None
    if not isinstance(net, pandapower.auxiliary.pandapowerNet):
        raise GridError("is not a pandapower network", file=path)
    if controllers is not None and len(controllers):
        net[TABLE] = controllers
    return net


def refuse_classes(document: Any, path: Path) -> None:
    """Refuse a document that names a class which holds more than data.

    Args:
        document: plain values, or texts that pandapower decodes.
        path: its file, for the message.

    Raises:
        GridError: if it does.
    """
    try:
        for module, name in _classes(document):
            if (module, name) not in HARMLESS:
                hint = "a grid file may hold tables and tap controllers; save it without others"
                what = f"holds an object of class {module}.{name}, which might run code"
                raise GridError(what, file=path, hint=hint)
    except RecursionError:
        raise GridError("nested too deeply", file=path) from None


def _classes(value: Any) -> Iterator[tuple[str, str]]:
    """Yield every class that a document names, also in the JSON texts that it holds."""
    if isinstance(value, dict):
        if any(mark in value for mark in MARKS):
            yield str(value.get("_module")), str(value.get("_class"))
        for item in value.values():
            yield from _classes(item)
    elif isinstance(value, list):
        for item in value:
            yield from _classes(item)
    elif isinstance(value, str) and any(mark in value for mark in ("{", "[")):
        # Text may itself be JSON that pandapower decodes, with its marks in escaped letters.
        try:
            inner = json.loads(value)
        except ValueError:
            return
        yield from _classes(inner)


def write_json(net: pandapowerNet, path: Path) -> list[str]:
    """Write a network; the file appears under its name when it is complete.

    Args:
        net: the network.
        path: the file; replaced if it exists.

    Returns:
        An empty list, as nothing is dropped.

    Raises:
        GridError: if the file can't be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(pandapower.to_json(net), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise GridError(f"can't be written: {error.strerror}", file=path) from None
    finally:
        temporary.unlink(missing_ok=True)
    return []
