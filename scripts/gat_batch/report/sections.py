"""What the report has to say: its sections, each with figures and tables."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..files.words import first_of
from ..study.scenario import OPTIMAL
from . import figures
from .contingency_sections import categories, contingencies
from .histogram import spread_of
from .maps.differences import difference_legend
from .maps.grid_map import grid_map, legend
from .optimum_sections import costs
from .over_time.time_section import over_time
from .section import Figure, Section
from .tables import (
    CONGESTION,
    MOST_ELEMENTS,
    all_scenarios,
    elements,
    listing,
    powers,
    troubles,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .maps.one_line_diagram import OneLineDiagram
    from .summary_tables import Summary


def sections_of(
    summary: Summary,
    status: Mapping[str, Any],
    maps: Mapping[str, OneLineDiagram],
    grids: Mapping[str, str],
    first: Sequence[Section | None] = (),
) -> Iterator[Section]:
    """Yield the sections that have something to say, each made when it is asked for.

    Args:
        summary: the summary.
        status: the content of ``batch_manifest.json``.
        maps: grid -> its map.
        grids: grid -> hash of its content.
        first: what comes first: what the manifest asks, answered, and how the batch differs from
            another one, or None.
    """
    for section in chain(first, _made(summary, status, maps, grids)):
        if section is not None and (
            section.figures or section.tables or section.facts or section.verdicts
        ):
            yield section


def _made(
    summary: Summary,
    status: Mapping[str, Any],
    maps: Mapping[str, OneLineDiagram],
    grids: Mapping[str, str],
) -> Iterator[Section | None]:
    yield categories(summary)
    # Maps come next, as they take longest to draw, and need no rows, which are read meanwhile.
    yield _grids(summary, maps)
    course = _course(summary)
    yield course if course.tables else None  # trouble is told at once, the rest last
    optimal = summary.scenarios["solver"].isin(OPTIMAL).all()
    yield costs(summary) if optimal else None  # what they are solved for
    yield over_time(summary)
    yield contingencies(summary)
    yield _loadings(summary)
    yield _voltages(summary)
    yield _powers(summary)
    yield _congestion(summary)
    yield None if optimal else costs(summary)
    yield Section("scenarios", "Scenarios", tables=(all_scenarios(summary.scenarios),))
    yield None if course.tables else course
    yield _origin(status, grids)


FEW = 10
"""Fewer scenarios have no histogram of their times."""


def _grids(summary: Summary, maps: Mapping[str, OneLineDiagram]) -> Section:
    several = len(maps) > 1
    drawn = []
    for number, (grid, one) in enumerate(maps.items(), 1):
        own = summary.elements[summary.elements["grid"] == grid]
        made = grid_map(one, own, summary.limits)
        voltages = bool(own["max"][own["element"] == "bus"].notna().any())
        drawn.append(
            Figure(
                f"map_{number}",
                made.spec,
                "Highest loading of each branch over all states, until a state is chosen. "
                "Large dots are buses with generation. "
                + ("Coordinates are the grid's." if one.given else "Laid out from the topology."),
                grid if several else "",
                legend(one, summary.limits, voltages=voltages),
                difference_legend(voltages=voltages) if summary.other or summary.groups else (),
                made.datasets,
                made.content | {"grid": grid},
            )
        )
    return Section("grid", "Grids" if several else "Grid", figures=tuple(drawn))


def _course(summary: Summary) -> Section:
    table = summary.scenarios
    bad = table[~table["status"].isin(["ok"])].copy()
    counts = ", ".join(
        f"{count:,} {str(status).replace('_', ' ')}"
        for status, count in table["status"].value_counts().items()
    )
    bad.loc[(bad["status"] == "not_converged"), "error"] = [
        f"{row.not_converged} of {row.snapshots} snapshots without convergence"
        for row in bad[bad["status"] == "not_converged"].itertuples()
    ]
    bad.loc[bad["status"] == "islanded", "error"] = "an outage cuts buses off; the rest was solved"
    made = (troubles(bad),) if len(bad) else ()
    drawn = []
    if table["duration_secs"].notna().sum() >= FEW:
        found = spread_of(table["duration_secs"])
        drawn.append(
            Figure(
                "durations",
                figures.spread(found, "time of a scenario (s)"),
                "Reading, solving and writing a scenario, its last attempt.",
                "Times",
            )
        )
    return Section("course", "How it went", f"{counts}.", tuple(drawn), made, short="Course")


def _loadings(summary: Summary) -> Section | None:
    found, limits = summary.found.loading, summary.limits
    most = figures.most_points(summary.scenarios)
    if found is None:
        return None
    drawn = (
        Figure(
            "loadings",
            figures.histogram(found, "loading (%)", [limits.loading_percent]),
            "Loadings of all branches in all states, contingencies left out. "
            f"Dashed, where in sight: the limit of {limits.loading_percent:g} %.",
        ),
        Figure(
            "worst_branches",
            figures.worst_elements(summary.elements, limits),
            "Bar: lowest to highest loading over all states; dot: mean; diamond: 95 % quantile; "
            "triangle: highest. A click shows that state on the map.",
            "Highest loaded branches",
        ),
        Figure(
            "load_and_loading",
            figures.load_and_loading(summary.scenarios, limits),
            "Each point is a scenario and leads to its worst state on the map."
            + (
                f" Of {len(summary.scenarios):,} the {most // 2:,} with the highest "
                "loading and an even choice of the others."
                if len(summary.scenarios) > most
                else ""
            ),
            "Load and worst loading",
        ),
    )[: 3 if len(summary.scenarios) > 1 else 2]
    table = summary.elements[summary.elements["quantity"] == "loading_percent"]
    return Section(
        "loadings", "Loadings", "", drawn, (elements("branches", table, "max", "Branches"),)
    )


def _voltages(summary: Summary) -> Section | None:
    found = summary.found.voltage
    if found is None:
        return None
    low, high = summary.limits.voltage_band_pu
    drawn = Figure(
        "voltages",
        figures.histogram(found, "voltage (p.u.)", [low, high]),
        "Voltages of all buses in all states, contingencies left out. "
        f"Dashed, where in sight: the band of {low:g} to {high:g} p.u.",
    )
    table = summary.elements[summary.elements["element"] == "bus"]
    table = table.assign(off=(table["worst"] - 1).abs())
    return Section(
        "voltages", "Voltages", "", (drawn,), (elements("buses", table, "off", "Buses"),)
    )


def _powers(summary: Summary) -> Section | None:
    table = powers(summary.elements)
    return Section("powers", "Powers", "", (), (table,)) if table.content["rows"] else None


def _congestion(summary: Summary) -> Section | None:
    found = summary.found.congestion
    if found.empty or summary.scenarios["snapshots"].sum() < 2:
        return None  # of a single state the loadings say it all
    scenario = summary.elements.set_index(["grid", "element", "id"])["worst_scenario"]
    top = found.head(figures.MOST_BARS)
    rows = [
        {"branch": label, "probability": figures.rounded(row.probability), "scenario": worst}
        for label, row, worst in zip(
            figures.labels(top),
            top.itertuples(),
            scenario.reindex(pd.MultiIndex.from_frame(top[["grid", "element", "id"]])),
            strict=True,
        )
    ]
    drawn = Figure(
        "congestion",
        figures.bars(rows, "branch", "probability", "probability of being at the limit"),
        "Weight of the states with a branch at its limit or above it, over that of all states.",
    )
    table = listing("congested", found.head(MOST_ELEMENTS), CONGESTION)
    return Section("congestion", "Congestion", "", (drawn,), (table,))


def _origin(status: Mapping[str, Any], grids: Mapping[str, str]) -> Section:
    versions = ", ".join(f"{name} {number}" for name, number in status["versions"].items())
    settings = ", ".join(f"{key}: {value}" for key, value in status["settings"].items())
    facts = {
        "manifest": status["manifest"],
        "its SHA-256": status["manifest_sha256"],
        **{f"grid {name}": f"content {digits}" for name, digits in grids.items()},
        **{
            f"approximated in {name}": first_of(sentences, "sentence")
            for name, sentences in status.get("approximations", {}).items()
        },
        "git commit": status["git_commit"] or "not in a repository",
        "versions": versions,
        "batch begun": status["created"],
        "settings": settings,
    }
    text = "The fingerprint of each result is in the table of scenarios and in the result itself."
    return Section("origin", "Where it comes from", text, facts=facts, short="Origin")
