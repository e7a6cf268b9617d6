"""Where the workflow lies: beside the package in a clone, inside it where it is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parents[1]

ROOT = _PACKAGE if (_PACKAGE / "workflow").is_dir() else _PACKAGE.parents[1]
"""The folder that holds ``workflow``, and ``scripts`` with the commands."""

SCHEMAS = ROOT / "workflow" / "schemas"
"""The folder of the JSON Schemas of what users write."""


def read_schema(name: str) -> dict[str, Any]:
    """Read a JSON Schema by its name: ``config``, ``manifest`` or ``scenario_specification``."""
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))
    return schema
