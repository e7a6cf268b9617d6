"""The report's figures from Python: drawn by a notebook, or saved."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import vl_convert

from ..errors import ResultError
from ..files.words import nearest
from ..vega.svg import fixed, svg
from .maps.difference_map import difference_map, extreme_values, state_values
from .maps.grid_map import grid_map
from .maps.packed import outages
from .maps.state_map import failing, read_state, read_state_of_batch, state_elements
from .material import read_material

if TYPE_CHECKING:
    import pandas as pd

    from ..plan.plan import Plan
    from .maps.differences import Difference
    from .maps.one_line_diagram import OneLineDiagram
    from .material import Material

__all__ = ["Drawing"]

MAP = "map"


@dataclass(frozen=True)
class Drawing:
    """A figure. A notebook shows it as the value of a cell.

    Attributes:
        spec: its Vega-Lite specification, with its data.
    """

    spec: dict[str, Any]

    def svg(self) -> str:
        """Return it as the text of an SVG file."""
        return svg(self.spec)

    def save(self, path: str | Path) -> None:
        """Save it to a file.

        Args:
            path: where; its suffix says as what: ``.svg``, ``.png`` or ``.json`` for the
                specification.

        Raises:
            ValueError: if the suffix is another one.
        """
        path = Path(path)
        match path.suffix:
            case ".svg":
                path.write_text(self.svg(), encoding="utf-8")
            case ".png":
                path.write_bytes(vl_convert.vegalite_to_png(fixed(self.spec), scale=2))
            case ".json":
                path.write_text(json.dumps(self.spec), encoding="utf-8")
            case other:
                raise ValueError(f"a figure is saved as .svg, .png or .json, not as {other!r}")

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {
            "application/vnd.vegalite.v6+json": fixed(self.spec),
            "image/svg+xml": self.svg(),
            "text/plain": repr(self),
        }

    def __repr__(self) -> str:
        return f"<figure of {len(json.dumps(self.spec)):,} characters; .save('figure.svg')>"


def draw(
    plan: Plan,
    figure: str = MAP,
    scenario: str | None = None,
    snapshot: str | None = None,
    contingency: str | None = None,
    *,
    difference: str | None = None,
) -> Drawing:
    """Draw a figure of the report of a batch, or a state or a difference on the map of its grid.

    Args:
        plan: the batch; its summary must be there.
        figure: name of the figure, as of its file in ``summary/plots``; ``map`` is the first map.
        scenario: for a map, the scenario whose state is shown; None for the worst of all.
        snapshot: which snapshot, if the scenario has any.
        contingency: name of a contingency as in the results; None for the base case.
        difference: name of the group that is held against the first one, or ``this batch`` that is
            held against another one; None for no difference.

    Raises:
        ResultError: if there is no summary, no such figure, state or difference.
    """
    try:
        material = read_material(plan)
    except FileNotFoundError as error:
        raise ResultError("no such file", file=error.filename, hint="run the batch first") from None
    if difference is not None:
        asked = _named(material, difference)
        return _difference(material, figure, asked, scenario, snapshot, contingency)
    if scenario is not None:
        return _state(material, figure, scenario, snapshot, contingency)
    names = []
    for section in material.sections():
        for one in section.figures:
            if one.name == figure or (figure == MAP and one.datasets):
                return Drawing(one.whole())
            names.append(one.name)
    hint = nearest(figure, names) or f"there are {', '.join(names)}"
    raise ResultError(f"has no figure {figure!r}", file=plan.folder, hint=hint)


def _state(
    material: Material,
    figure: str,
    scenario: str,
    snapshot: str | None,
    contingency: str | None,
) -> Drawing:
    plan, summary = material.plan, material.summary
    one, grid = _map_of(material, figure, scenario)
    rows = read_state(plan.result(scenario), scenario, snapshot, contingency)
    known = summary.elements[summary.elements["grid"] == grid]
    elements = state_elements(known, rows, scenario, contingency)
    made = grid_map(one, elements, summary.limits)
    return Drawing({**made.spec, "datasets": made.datasets})


def _map_of(material: Material, figure: str, scenario: str | None) -> tuple[OneLineDiagram, str]:
    """Return the map of a scenario's grid, or the one that a figure names, and its grid."""
    plan, summary = material.plan, material.summary
    maps = material.maps()
    if not figure.startswith(MAP):
        raise ResultError(f"{figure!r} shows no single state: the map does", file=plan.folder)
    if scenario is None:
        named = {f"{MAP}_{number}": grid for number, grid in enumerate(maps, 1)}
        grid = named.get(f"{MAP}_1" if figure == MAP else figure, "")
        if not grid:
            raise ResultError(f"has no figure {figure!r}", file=plan.folder, hint=str([*named]))
        return maps[grid], grid
    if scenario not in summary.scenarios.index:
        hint = nearest(scenario, summary.scenarios.index.tolist())
        raise ResultError(f"has no scenario {scenario!r}", file=plan.folder, hint=hint)
    grid = str(summary.scenarios["grid"][scenario])
    if grid not in maps:
        raise ResultError(f"its grid {grid} is too large for a map", file=plan.folder)
    return maps[grid], grid


def _named(material: Material, difference: str) -> Difference:
    """Return a difference by its name."""
    found = {one.name: one for one in material.differences()}
    if difference not in found:
        other = "compare groups or another batch first"
        hint = nearest(difference, list(found)) if found else other
        what = f"has no difference {difference!r}"
        raise ResultError(what, file=material.plan.folder, hint=hint)
    return found[difference]


def _difference(  # noqa: PLR0917 - as of a state
    material: Material,
    figure: str,
    one: Difference,
    scenario: str | None,
    snapshot: str | None,
    contingency: str | None,
) -> Drawing:
    drawn, grid = _map_of(material, figure, scenario)
    out = set(failing(contingency))
    if scenario is not None:
        values = _of_states(material, one, scenario, snapshot, contingency)
        elements = material.summary.elements
        given = outages([scenario], elements[elements["grid"] == grid], material.summary)
        out.update(*given.values())
    elif contingency is not None:
        values = _of_contingency(material, one, contingency)
    else:
        values = extreme_values(one)
    spec = difference_map(drawn, values, out, kept=contingency is None)
    where = [part for part in (scenario, snapshot, contingency and f"after {contingency}") if part]
    title = ", ".join([f"{one.name} against {one.reference}", *where])
    return Drawing({**spec, "title": title})


def _of_states(
    material: Material,
    one: Difference,
    scenario: str,
    snapshot: str | None,
    contingency: str | None,
) -> pd.DataFrame:
    """Return what elements have in a state and in the one that it is held against."""
    plan, other = material.plan, material.summary.other
    now = read_state(plan.result(scenario), scenario, snapshot, contingency)
    if one.other_batch and other is not None:
        before = read_state_of_batch(other.aggregated, scenario, snapshot, contingency)
    elif scenario in one.counterparts:
        counterpart = one.counterparts[scenario]
        before = read_state(plan.result(counterpart), counterpart, snapshot, contingency)
    else:
        what = f"{scenario!r} has no counterpart in {one.reference}"
        hint = "without a scenario the worst of each group is shown"
        raise ResultError(what, file=plan.folder, hint=hint)
    return state_values(before, now)


def _of_contingency(material: Material, one: Difference, contingency: str) -> pd.DataFrame:
    """Return the worst limits that a contingency breaks in either group."""
    worst = one.contingencies[0].of(contingency)
    if worst.empty:
        what = f"no limit is broken after {contingency!r} in {one.name} or {one.reference}"
        raise ResultError(what, file=material.plan.folder)
    return worst
