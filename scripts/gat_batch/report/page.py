"""The page ``summary/report.html``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import markupsafe

from .. import __version__
from ..study.scenario import OPTIMAL
from .figures import SERIES, anchor
from .maps.packed import packed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .maps.differences import Difference
    from .section import Section
    from .summary_tables import Summary

HERE = Path(__file__).parent

SCRIPTS = (
    *("page.js", "page_keys.js", "page_states.js", "page_difference.js", "page_map.js"),
    *("page_own.js", "page_element.js", "page_scenario.js", "page_links.js"),
)
"""Parts of the page's script, in the order in which they build on each other."""

MOST_BYTES = 5_950_000
"""Largest size of a page; as many states are shown as there is room for."""

STATES = "<!--states-->"
"""Where the states go; no text of a batch can look so, as all are escaped."""

SIGNS = {
    "lower": "M-3.5,0A3.5,3.5 0 1,0 3.5,0A3.5,3.5 0 1,0 -3.5,0Z",
    "upper": "M-3.5,0A3.5,3.5 0 1,0 3.5,0A3.5,3.5 0 1,0 -3.5,0Z",
    "low": "M-5,-4H5L0,5Z",
    "high": "M-5,4H5L0,-5Z",
    "dead": "M-5,-1.6H-1.6V-5H1.6V-1.6H5V1.6H1.6V5H-1.6V1.6H-5Z",
    "diamond": "M0,-5L5,0L0,5L-5,0Z",
}
"""Shapes of a legend's points, as paths."""


def page(
    summary: Summary,
    status: Mapping[str, Any],
    sections: list[Section],
    library: str,
    differences: Sequence[Difference] = (),
) -> str:
    """Return the page as text.

    Args:
        summary: the summary of the batch.
        status: the content of ``batch_manifest.json``.
        sections: what the page shows, in order.
        library: the program that draws the figures, as from ``drawing_library``.
        differences: what the maps can show the difference of.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["json"] = _json
    text = environment.get_template("page.html").render(
        name=status["name"],
        lead=_lead(summary, status),
        tiles=_tiles(summary),
        sections=sections,
        version=__version__,
        css=(HERE / "page.css").read_text(encoding="utf-8"),
        script="\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS),
        vega=library,
        anchor=anchor,
        colours=SERIES,
        signs=SIGNS,
        states=markupsafe.Markup(STATES),  # noqa: S704 - ours
    )
    grids = _json(packed(summary, MOST_BYTES - len(text.encode()), differences))
    return text.replace(STATES, grids)


def _json(content: Any) -> markupsafe.Markup:
    """Return JSON that is safe in a page: no text in it can end the element that it is in."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return markupsafe.Markup(text.replace("<", "\\u003c"))  # noqa: S704 - escaped here


def _lead(summary: Summary, status: Mapping[str, Any]) -> str:
    names = {"dc": "DC power flow", "ac": "AC power flow", "dc_opf": "DC OPF", "ac_opf": "AC OPF"}
    solvers = [names[solver] for solver in names if (summary.scenarios["solver"] == solver).any()]
    grids = summary.scenarios["grid"].unique()
    where = grids[0] if len(grids) == 1 else f"{len(grids)} grids"
    when = str(status["updated"])[:16].replace("T", " ")
    count = len(summary.scenarios)
    return f"{count:,} scenario{'s' * (count != 1)} of {where}, {' and '.join(solvers)}, {when} UTC"


def _tiles(summary: Summary) -> list[dict[str, Any]]:
    table = summary.scenarios
    failed = int((table["status"] == "failed").sum())
    lost = int((table["status"].isin(["not_converged", "infeasible"])).sum())
    made: list[dict[str, Any]] = []

    def tile(
        label: str, value: str, unit: str = "", at: tuple[str, Any] | None = None, mood: str = ""
    ) -> None:
        scenario, snapshot = at or (None, None)
        where = [scenario] if scenario and (len(table) > 1 or not isinstance(snapshot, str)) else []
        where += [snapshot] if isinstance(snapshot, str) else []
        told = {"label": label, "value": value, "unit": unit, "mood": mood}
        told["where"] = " · ".join(where)
        made.append(told | {"scenario": scenario, "snapshot": snapshot})

    solved = len(table) - failed
    label = f"of {len(table):,} scenario{'s' * (len(table) != 1)} solved"
    tile(label, f"{solved:,}", mood="" if failed else "good")
    if lost:
        tile("without a solution", f"{lost:,}", mood="warn")
    if failed:
        tile("failed", f"{failed:,}", mood="bad")
    counted, first = summary.counted, " before contingencies" * bool(summary.counted.total)
    if counted.new is not None:
        label = f"of {counted.total:,} contingencies newly break a limit"
        tile(label, f"{counted.new:,}", mood="bad" if counted.new else "good")
    for label, column, least, unit, digits in (
        (f"worst loading{first}", "max_loading_percent", False, "%", 1),
        (f"lowest voltage{first}", "min_vm_pu", True, "p.u.", 4),
        (f"highest voltage{first}", "max_vm_pu", False, "p.u.", 4),
        ("most load unserved", "max_unserved_mw", False, "MW", 1),
        ("highest cost", "objective", False, "", 0),
    ):
        known = table[column].dropna()
        if known.empty or (column == "max_unserved_mw" and known.max() == 0):
            continue
        if column == "objective" and not table["solver"].isin(OPTIMAL).all():
            continue
        at = str(known.idxmin() if least else known.idxmax())
        limit = summary.limits.most_percent
        bad = column == "max_loading_percent" and known[at] > limit
        when = f"{column.rsplit('_', 1)[0]}_snapshot"
        snapshot = table.loc[at, when] if when in table else None
        tile(label, f"{known[at]:,.{digits}f}", unit, (at, snapshot), "bad" if bad else "")
    return made
