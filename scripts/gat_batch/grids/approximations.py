"""What of a file a network has only approximately, one sentence each.

The jobs that solve on a grid keep the list in the batch, so that its status needn't read the grid.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..files.durable import replace_json

if TYPE_CHECKING:
    from pathlib import Path

    from pandapower.auxiliary import pandapowerNet

APPROXIMATIONS = "approximations"
"""Key of a network's list."""

MOST_TOLD = 50
"""Sentences that a log lists."""


def write_approximations(path: Path, net: pandapowerNet) -> None:
    """Write what is approximated to a file, if anything is, unless the file exists."""
    found = net.get(APPROXIMATIONS)
    if found and not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_json(path, list(found))


def read_approximations(path: Path) -> list[str]:
    """Read the list from its file; return an empty one if that is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [str(sentence) for sentence in content] if isinstance(content, list) else []


def told(sentences: list[str]) -> list[str]:
    """Return lines for a log: the first sentences, and how many more there are."""
    lines = [f"approximated: {sentence}" for sentence in sentences[:MOST_TOLD]]
    if len(sentences) > MOST_TOLD:
        lines.append(
            f"approximated: and {len(sentences) - MOST_TOLD} more; convert_grid.py lists all"
        )
    return lines
