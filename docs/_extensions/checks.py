"""Checks that the reference leaves nothing out; a warning fails the build."""

from __future__ import annotations

import inspect
import re
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING

import schema_tables
import sources
from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

LOGGER = logging.getLogger(__name__)

FIELD = re.compile(r"^    (\w+): \S", re.MULTILINE)


def shown(env: BuildEnvironment) -> set[tuple[str, str]]:
    """Schemas and pointers that pages show."""
    if not hasattr(env, "schema_tables_shown"):
        env.schema_tables_shown = set()  # type: ignore[attr-defined]
    result: set[tuple[str, str]] = env.schema_tables_shown
    return result


def check_schemas(_: Sphinx, env: BuildEnvironment) -> None:
    """Warn of mappings of a schema that no page shows, while another part of it is shown."""
    for name in {name for name, _ in shown(env)}:
        for pointer in schema_tables.objects(sources.schema(name)):
            if (name, pointer) not in shown(env):
                LOGGER.warning("%s.schema.json: no page shows %s", name, pointer)


def undocumented(module: ModuleType) -> list[str]:
    """Public names of a module that nothing is said of: functions, classes, members, fields."""
    found = []
    for name, thing in vars(module).items():
        own = getattr(thing, "__module__", None) == module.__name__
        if name.startswith("_") or not own or not callable(thing):
            continue
        if not (thing.__doc__ or "").strip() or thing.__doc__.startswith(f"{name}("):
            found.append(name)
        if not inspect.isclass(thing):
            continue
        told = set(FIELD.findall(inspect.getdoc(thing) or ""))
        found += [
            f"{name}.{field}" for field in inspect.get_annotations(thing) if field not in told
        ]
        found += [
            f"{name}.{member}"
            for member, value in vars(thing).items()
            if not member.startswith("_")
            and isinstance(value, (FunctionType, classmethod, staticmethod, property))
            and not value.__doc__
        ]
    return found
