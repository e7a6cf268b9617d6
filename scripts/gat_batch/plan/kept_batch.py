"""The batch as a run began with it, kept for its jobs, of which each reads its part.

People may edit their manifest while a run is at work, and a job needs a few of perhaps a million
scenarios: their entries are lines of a file, and what tells which job solves each is its head.
"""

from __future__ import annotations

import json
import os
from array import array
from itertools import chain, groupby, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..files.json_lines import JsonLines
from ..grids import grid_ref
from ..scenarios.product import Product
from ..study.batch.outlines import Kind, Outlines
from ..study.manifest import outlined_batch
from ..study.solver_options import OPTIONS
from .fingerprints import PROGRAM, RESULT_FORMAT, digest, grid_hash, solver_versions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..study.batch.scenarios import Batch
    from ..study.configuration import Config
    from .plan import Plan


FORM = 2
"""Form of the file, to be raised when it is written differently: an earlier one isn't read."""


def keep_batch(plan: Plan) -> None:
    """Write a plan's batch for jobs, and the fingerprints of shards for the next run.

    The file appears when it is complete.

    Raises:
        OSError: if it can't be written.
    """
    batch, product, path = plan.batch, plan.product, plan.config.scenarios_as_begun
    outlines = batch.outlines
    # What tables hold is read by each run.
    known = {one.name: plan.shard_fingerprint(one) for one in plan.shards if not one.needs.tables}
    head = {
        "form": FORM,
        "text": batch.document["scenarios"].digest,
        "file": str(batch.file),
        "made": None if product is None else _about(product),
        "document": {key: one for key, one in batch.document.items() if key != "scenarios"},
        "ids": " ".join(outlines.ids),
        "kinds": outlines.kinds,
        "labels": outlines.labels,
        "known": {"basis": _basis(batch, plan.config), "fingerprints": known},
        "codes": [[code, len([*same])] for code, same in groupby(outlines.codes)],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    batch.document["scenarios"].write(temporary, head)
    temporary.replace(path)


def _about(product: Product) -> dict[str, object]:
    return {
        "folder": str(product.folder),
        "inputs": [*map(str, product.inputs)],
        "names": product.names,
        "digest": product.digest,
        "limits": product.limits,
    }


def _basis(batch: Batch, config: Config) -> str:
    """Return a hash of all that fingerprints depend on, but for what tables hold."""
    common = {key: one for key, one in batch.document.items() if key != "scenarios"}
    grids = {kind.grid for kind in batch.outlines.kinds}
    hashes = [[grid, grid_hash(grid_ref(grid, batch.folder))] for grid in sorted(grids)]
    versions = [__version__, RESULT_FORMAT, PROGRAM, *map(solver_versions, OPTIONS)]
    return digest([batch.document["scenarios"].digest, common, repr(config), hashes, versions])


def kept_fingerprints(batch: Batch, config: Config) -> dict[str, str]:
    """Return fingerprints of shards that an earlier run of the same batch kept.

    Returns:
        Shard -> its fingerprint, for those that read no tables; nothing if anything has changed
        that fingerprints depend on.

    Raises:
        GatBatchError: if a grid can't be read.
    """
    head = _head(config.scenarios_as_begun)
    if head is None:
        return {}
    kept = head["known"]
    found: dict[str, str] = kept["fingerprints"]
    return found if kept["basis"] == _basis(batch, config) else {}


def kept_outlines(document: Mapping[str, Any], config: Config) -> Outlines | None:
    """Return the outlines of scenarios that an earlier run kept, if it had the same manifest.

    Args:
        document: the manifest's content.
        config: how the batch is run.
    """
    head, entries = _head(config.scenarios_as_begun), document["scenarios"]
    if head is None or not isinstance(entries, JsonLines) or head["text"] != entries.digest:
        return None
    common = {key: one for key, one in document.items() if key != "scenarios"}
    return _outlines(head) if head["document"] == common else None


def _head(path: Path) -> dict[str, Any] | None:
    """Return what a run kept beside its scenarios; None if there is nothing of this form."""
    try:
        with path.open("rb") as file:
            head: dict[str, Any] = json.loads(file.readline())
    except (OSError, ValueError):
        return None
    return head if head.get("form") == FORM else None


def _outlines(head: Mapping[str, Any]) -> Outlines:
    codes = chain.from_iterable(repeat(code, count) for code, count in head["codes"])
    kinds = [Kind(*kind) for kind in head["kinds"]]
    return Outlines(head["ids"].split(" "), kinds, array("L", codes), head["labels"])


def kept_batch(path: Path) -> tuple[Batch, Product | None] | None:
    """Read a batch as a run began with it, but only those of its scenarios that are asked for.

    Returns:
        The batch, and the files made of a specification, if it comes from one; jobs that read none
        of them may begin before they are there. None if an earlier version kept it in another form.

    Raises:
        OSError: if the file can't be read.
    """
    head, entries = JsonLines.of_file(path)
    if head.get("form") != FORM:
        return None
    document = {**head["document"], "scenarios": entries}
    batch = outlined_batch(document, Path(head["file"]), _outlines(head))
    if (made := head["made"]) is None:
        return batch, None
    folder, inputs = Path(made["folder"]), tuple(map(Path, made["inputs"]))
    names, limits = tuple(made["names"]), tuple(made["limits"])
    return batch, Product(folder, inputs, names, made["digest"], limits=limits)
