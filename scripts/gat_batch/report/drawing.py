"""The report's figures from Python: drawn by a notebook, or saved."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import vl_convert

from ..errors import ResultError
from ..files.words import nearest
from .maps.grid_map import grid_map
from .maps.state_map import read_state, state_elements
from .material import read_material
from .page import fixed, svg

if TYPE_CHECKING:
    from ..plan.plan import Plan
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
) -> Drawing:
    """Draw a figure of the report of a batch, or a state on the map of its grid.

    Args:
        plan: the batch; its summary must be there.
        figure: name of the figure, as of its file in ``summary/plots``; ``map`` is the first map.
        scenario: for a map, the scenario whose state is shown; None for the worst of all.
        snapshot: which snapshot, if the scenario has any.
        contingency: name of a contingency as in the results; None for the base case.

    Raises:
        ResultError: if there is no summary, no such figure, or no such state.
    """
    try:
        material = read_material(plan)
    except FileNotFoundError as error:
        raise ResultError("no such file", file=error.filename, hint="run the batch first") from None
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
    if not figure.startswith(MAP):
        raise ResultError(f"{figure!r} shows no single state: the map does", file=plan.folder)
    if scenario not in summary.scenarios.index:
        hint = nearest(scenario, summary.scenarios.index.tolist())
        raise ResultError(f"has no scenario {scenario!r}", file=plan.folder, hint=hint)
    rows = read_state(plan.result(scenario), scenario, snapshot, contingency)
    grid = summary.scenarios["grid"][scenario]
    maps = material.maps()
    if grid not in maps:
        raise ResultError(f"its grid {grid} is too large for a map", file=plan.folder)
    known = summary.elements[summary.elements["grid"] == grid]
    elements = state_elements(known, rows, scenario, contingency)
    made = grid_map(maps[grid], elements, summary.limits)
    return Drawing({**made.spec, "datasets": made.datasets})
