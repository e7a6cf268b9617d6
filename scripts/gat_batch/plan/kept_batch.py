"""The batch as a run began with it, kept for its jobs, of which each reads its part.

People may edit their manifest while a run is at work, and a job needs a few of perhaps a million
scenarios: their entries are lines of a file, and what tells which job solves each is its head.
"""

from __future__ import annotations

import os
from array import array
from itertools import chain, groupby, repeat
from pathlib import Path
from typing import TYPE_CHECKING

from ..files.json_lines import JsonLines
from ..scenarios.product import Product
from ..study.batch.outlines import Outlines
from ..study.manifest import outlined_batch

if TYPE_CHECKING:
    from ..study.batch.scenarios import Batch


def keep_batch(batch: Batch, product: Product | None, path: Path) -> None:
    """Write a batch for jobs.

    Args:
        batch: the batch.
        product: the files made of a specification, if the batch comes from one.
        path: the file, which appears when it is complete.

    Raises:
        OSError: if it can't be written.
    """
    outlines = batch.outlines
    head = {
        "file": str(batch.file),
        "made": None if product is None else _about(product),
        "document": {key: one for key, one in batch.document.items() if key != "scenarios"},
        "ids": " ".join(outlines.ids),
        "kinds": outlines.kinds,
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
    }


def kept_batch(path: Path) -> tuple[Batch, Product | None]:
    """Read a batch as a run began with it, but only those of its scenarios that are asked for.

    Returns:
        The batch, and the files made of a specification, if it comes from one; jobs that read none
        of them may begin before they are there.

    Raises:
        OSError: if the file can't be read.
    """
    head, entries = JsonLines.of_file(path)
    codes = chain.from_iterable(repeat(code, count) for code, count in head["codes"])
    kinds = tuple((solver, grid, contingent) for solver, grid, contingent in head["kinds"])
    outlines = Outlines(head["ids"].split(" "), kinds, array("L", codes))
    document = {**head["document"], "scenarios": entries}
    batch = outlined_batch(document, Path(head["file"]), outlines)
    if (made := head["made"]) is None:
        return batch, None
    inputs = tuple(map(Path, made["inputs"]))
    return batch, Product(Path(made["folder"]), inputs, tuple(made["names"]), made["digest"])
