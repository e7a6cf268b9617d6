"""A batch's own folder: whose it is, links that lead out of it, and what is left in it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, GatBatchError, ResultError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .plan import Plan


def folder_faults(plan: Plan) -> Iterator[GatBatchError]:
    """Yield a fault if the folder is another manifest's, and for each folder in it that is a link.

    A link in the batch's folder could lead results anywhere. The folder itself, and those above it,
    may well be links.

    Args:
        plan: the batch.
    """
    owner = _owner(plan)
    if owner is not None:
        yield ConfigError(
            f"the folder {plan.folder} belongs to another manifest, {owner}",
            file=plan.config.manifest,
            hint="give this one a folder of its own by name=...; if it replaces the other one, "
            f"remove {plan.status}",
        )
    folders = [plan.status.parent / name for name in ("logs", "summary")]
    folders += [result.parent for result in plan.results()]
    hint = "remove the link; link the batch's folder instead, if it is to lie elsewhere"
    for folder in folders:
        if folder.is_symlink():
            yield ResultError("is a symbolic link", file=folder, hint=hint)


def _owner(plan: Plan) -> Path | None:
    """Return another manifest whose results lie in the folder; None if there is none.

    A manifest that is there no more has been renamed, or moved with its project: its batch goes on.
    """
    try:
        recorded = json.loads(plan.status.read_text(encoding="utf-8"))["settings"]["manifest"]
        owner = Path(recorded)
        same = owner.samefile(plan.config.manifest)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if same else owner


def left_folders(plan: Plan) -> list[str]:
    """Return the names of folders of scenarios that the manifest no longer has.

    Args:
        plan: the batch.
    """
    known = {result.parent.name for result in plan.results()}
    with os.scandir(plan.folder) as entries:
        found = {entry.name for entry in entries if entry.name.startswith("job_")}
    return sorted(found - known)
