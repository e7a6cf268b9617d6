"""The report of a batch.

In: the files of its summary, its status, and how its grids are connected. Out:
``summary/report.html``, one file for people, and its figures under ``summary/plots``.
"""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

from ..errors import GatBatchError, ResultError
from ..grids import read_grid
from ..grids.connections import connections_of, read_connections
from ..model.violations import Limits
from .drawing_library import drawing_library
from .maps.one_line_diagram import one_line_diagram
from .page import page, svg
from .sections import sections_of
from .summary_tables import read_summary

if TYPE_CHECKING:
    from pathlib import Path

    from ..plan.plan import Plan
    from ..study.scenario import Scenario
    from .maps.one_line_diagram import OneLineDiagram

MOST_MAPS = 4
MOST_BRANCHES_DRAWN = 20_000
"""Most maps, and most branches on all of them."""


def write_report(plan: Plan) -> None:
    """Write the report of a batch from its summary.

    Args:
        plan: the batch; its summary must be there.

    Raises:
        ResultError: if the summary can't be read or the report can't be written.
    """
    folder = plan.summary("report.html").parent
    try:
        # Another process draws meanwhile; to start to draw takes longer than all that is drawn.
        with ProcessPoolExecutor(1) as draughtsman:
            library = draughtsman.submit(drawing_library)
            limits = Limits(plan.config.loading_limit_percent, plan.config.voltage_band_pu)
            summary = read_summary(folder, limits)
            status = json.loads(plan.status.read_text(encoding="utf-8"))
            first: dict[str, Scenario] = {}
            for scenario in plan.batch.scenarios:
                first.setdefault(plan.grid_name(scenario), scenario)
            hashes = {grid: plan.grid(scenario).content_hash() for grid, scenario in first.items()}
            sections, drawn = [], {}
            for section in sections_of(summary, status, _maps(plan, first), hashes):
                sections.append(section)
                for figure in section.figures:
                    drawn[figure.name] = draughtsman.submit(svg, figure.whole())
            plots = folder / "plots"
            shutil.rmtree(plots, ignore_errors=True)
            plots.mkdir()
            for name, image in drawn.items():
                _replace(plots / f"{name}.svg", image.result())
            _replace(folder / "report.html", page(summary, status, sections, library.result()))
    except OSError as error:
        raise ResultError(
            f"the report can't be made: {error.strerror or error}",
            file=error.filename or folder,
            hint="the results are untouched; free the space or permit reading, then run again",
        ) from error


def _maps(plan: Plan, first: dict[str, Scenario]) -> dict[str, OneLineDiagram]:
    """Return the maps of the grids that aren't too large to look at; the report omits others."""
    maps: dict[str, OneLineDiagram] = {}
    left = MOST_BRANCHES_DRAWN
    for grid, scenario in list(first.items())[:MOST_MAPS]:
        try:
            # They aren't kept if the results come from elsewhere, a batch that was moved say.
            wiring = read_connections(plan.connections(scenario)) or connections_of(
                read_grid(plan.grid(scenario))
            )
        except GatBatchError:
            continue  # every scenario on it failed for the same reason, which the report says
        if len(wiring.branches) <= left:
            left -= len(wiring.branches)
            maps[grid] = one_line_diagram(wiring)
    return maps


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
