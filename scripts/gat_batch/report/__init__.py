"""The report of a batch.

In: the files of its summary, its status, and how its grids are connected. Out:
``summary/report.html``, one file for people, its figures under ``summary/plots``, and what differs
from another batch, if it is compared with one.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from ..errors import ResultError
from ..vega.library import drawing_library
from ..vega.svg import svg
from .material import read_material
from .page import page

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from pathlib import Path

    from ..plan.plan import Plan
    from .against.comparison import Comparison


def write_report(plan: Plan, draughtsman: Executor) -> None:
    """Write the report of a batch from its summary.

    Args:
        plan: the batch; its summary must be there.
        draughtsman: draws the figures meanwhile.

    Raises:
        ResultError: if the summary can't be read or the report can't be written.
    """
    folder = plan.summary("report.html").parent
    try:
        library = draughtsman.submit(drawing_library)
        material = read_material(plan)
        sections, drawn = [], {}
        for section in material.sections():
            sections.append(section)
            for figure in section.figures:
                drawn[figure.name] = draughtsman.submit(svg, figure.whole())
        # Figures are still drawn while the page is put together.
        text = page(
            material.summary,
            material.status,
            sections,
            library.result(),
            material.differences(),
        )
        plots = folder / "plots"
        shutil.rmtree(plots, ignore_errors=True)
        plots.mkdir()
        for name, image in drawn.items():
            _replace(plots / f"{name}.svg", image.result())
        _replace(folder / "report.html", text)
        _write_changes(folder / "against.parquet", material.compared)
    except OSError as error:
        raise ResultError(
            f"the report can't be made: {error.strerror or error}",
            file=error.filename or folder,
            hint="the results are untouched; free the space or permit reading, then run again",
        ) from error


def _write_changes(path: Path, compared: Comparison | None) -> None:
    """Write all that differs from another batch; without one, leave nothing of an earlier one."""
    if compared is None:
        path.unlink(missing_ok=True)
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        pq.write_table(compared.table(), temporary, compression="zstd")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
