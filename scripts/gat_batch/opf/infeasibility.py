"""Why an optimal power flow has no solution: the least violations with which it would have one.

Every bus may lack power or have too much of it, and ratings, voltages and angles may leave their
limits. What that takes is minimised: MW, MVAr and MVA count alike, 0.01 p.u. of voltage and 0.01
radians as much as 1 MVA on a system base of 100 MVA. A sum of amounts has few parts at its minimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import casadi
import numpy as np

from .ac import program as opf_ac_program
from .ac import solve as opf_ac
from .ac.flows import program_of
from .ac.start import start_of
from .dc import program as opf_dc_program
from .dc import solve as opf_dc
from .ties.dc_lines import dc_line_ties

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..model.grid_model import GridModel
    from .ac.program import Form
    from .dispatch import Dispatch
    from .ties.ties import Ties

    Reals = NDArray[np.float64]
    Rows = NDArray[np.int64]

LEAST = 1e-5
"""Violations below this, in p.u. or radians, are none."""

MOST_NAMED = 6

LOCAL = "no dispatch was found that keeps all limits (a local verdict)"
"""What an AC program says: it isn't convex, so that nothing is proved."""


@dataclass(frozen=True)
class Violations:
    """What would have to give way, in p.u. and radians.

    Attributes:
        lack_p, lack_q: power that each bus lacks, negative where it has too much, shape (buses,).
        flow: by how much live branches exceed their rating, shape (live,).
        vm: by how much voltages exceed their limits, negative below a lower one, shape (buses,).
        angle: the same for angles across live branches, shape (live,).
        point: variables of the AC program with these violations, or None.
    """

    lack_p: Reals
    lack_q: Reals
    flow: Reals
    vm: Reals
    angle: Reals
    point: Any = None

    @property
    def any(self) -> bool:
        """Whether there are any."""
        parts = (self.lack_p, self.lack_q, self.flow, self.vm, self.angle)
        return any(bool((np.abs(part) > LEAST).any()) for part in parts)


def least_violations(dispatch: Dispatch, *, dc: bool) -> Violations | None:
    """Return the least violations of a snapshot; None if they couldn't be found either.

    Args:
        dispatch: the snapshot.
        dc: whether it is a DC optimal power flow.

    Returns:
        The violations: those of an AC one are a local minimum.
    """
    return _dc_violations(dispatch) if dc else _ac_violations(dispatch)


def _dc_violations(dispatch: Dispatch) -> Violations | None:
    layout = opf_dc_program.layout_of(dispatch)
    program = opf_dc_program.program_of(dispatch, layout)
    program = opf_dc_program.with_ties(program, dc_line_ties([dispatch]), [layout])
    first, columns = layout.blocks, program.matrix.shape[1]
    value = opf_dc.linear_optimum(opf_dc_program.elastic(program, 0, int(first[3])))
    if value is None:
        return None
    more, less = np.split(value[columns:], 2)
    # A row counts what leaves a bus: what is added there, the bus has too much.
    lack, flow, angle = np.split(less - more, first[1:3])
    violations = np.zeros((2, len(dispatch.rating)))
    violations[0, layout.rated] = np.abs(flow)
    violations[1, layout.spread] = angle
    nothing = np.zeros(dispatch.buses)
    return Violations(lack, nothing, violations[0], nothing, violations[1])


def _ac_violations(dispatch: Dispatch) -> Violations | None:
    form = opf_ac_program.form_of(dispatch)
    lines = dc_line_ties([dispatch])
    kept = dispatch.admittances.shared
    if kept.get("elastic_key") != (form.key, lines.key):
        kept["elastic_key"] = form.key, lines.key
        kept["elastic"] = _elastic_solver(form, lines)
    x_low, x_high, low, high = opf_ac_program.bounds(dispatch, form)
    sizes = _sizes(form)
    slacks = sum(sizes.values())
    vm = slice(form.buses, 2 * form.buses)
    limits = np.clip(dispatch.vm, 0.0, 2.0)
    x_low[vm], x_high[vm] = LOWEST_PU, HIGHEST_PU
    rating = dispatch.rating[form.rated]
    start = start_of(dispatch, form)
    found = kept["elastic"](
        x0=np.concatenate([start, np.zeros(slacks)]),
        p=np.concatenate([opf_ac_program.parameters(dispatch, form), rating]),
        lbx=np.concatenate([x_low, np.zeros(slacks)]),
        ubx=np.concatenate([x_high, np.full(slacks, np.inf)]),
        lbg=np.concatenate([low, limits[:, 0], lines.row_low]),
        ubg=np.concatenate([high, limits[:, 1], lines.row_high]),
    )
    if not kept["elastic"].stats()["success"]:
        return None
    value = np.array(found["x"]).ravel()
    count = len(start)
    parts = np.split(value[count:], np.cumsum(list(sizes.values()))[:-1])
    slack = dict(zip(sizes, parts, strict=True))
    flow, angle = np.zeros((2, len(dispatch.rating)))
    flow[form.rated] = slack["flow"]
    angle[form.spread] = slack["wide"] - slack["narrow"]
    return Violations(
        slack["lack_p"] - slack["spare_p"],
        slack["lack_q"] - slack["spare_q"],
        flow,
        slack["high"] - slack["low"],
        angle,
        value[:count],
    )


LOWEST_PU, HIGHEST_PU = 0.3, 2.0
"""How far voltages may leave their limits."""


def _sizes(form: Form) -> dict[str, int]:
    """Return the number of slacks of each kind."""
    buses = ("lack_p", "spare_p", "lack_q", "spare_q", "high", "low")
    spread = len(form.spread)
    return {
        **dict.fromkeys(buses, form.buses),
        "flow": len(form.rated),
        "wide": spread,
        "narrow": spread,
    }


def _elastic_solver(form: Form, lines: Ties) -> Any:
    rest = opf_ac_program.rest_of(form)
    slack = {name: casadi.SX.sym(name, size) for name, size in _sizes(form).items()}
    rating = casadi.SX.sym("rating", len(form.rated))
    more = 2 * rating * slack["flow"] + slack["flow"] ** 2
    relief = casadi.vertcat(
        slack["spare_p"] - slack["lack_p"],
        slack["spare_q"] - slack["lack_q"],
        -more,
        -more,
        slack["narrow"] - slack["wide"],
        casadi.SX.zeros(len(form.lined)),
    )
    voltage = rest["x"][form.buses : 2 * form.buses] - slack["high"] + slack["low"]
    first = form.columns
    along = casadi.DM(lines.units) @ rest["x"][int(first[2]) : int(first[3])]
    elastic = {
        "x": casadi.vertcat(rest["x"], *slack.values()),
        "p": casadi.vertcat(rest["p"], rating),
        "f": casadi.sum1(casadi.vertcat(*slack.values())),
        "g": casadi.vertcat(rest["g"] + relief, voltage, along),
    }
    places = opf_ac_program.places_of(form)
    return program_of(elastic, places, by_current=form.by_current, options=opf_ac.OPTIONS).solver


def description(model: GridModel, dispatch: Dispatch, violations: Violations, *, dc: bool) -> str:
    """Return the violations for people, the largest first.

    Args:
        model: the model.
        dispatch: the snapshot.
        violations: its least violations.
        dc: whether the program is linear, so that they prove that there is no dispatch; those of
            an AC one are a local verdict.

    Returns:
        A sentence.
    """
    admittances = dispatch.admittances
    base = admittances.base_mva
    found: list[tuple[float, str]] = []

    def bus(row: int) -> str:
        buses = np.flatnonzero(admittances.row["bus"] == row)
        return f"bus {model.ids['bus'][buses[0]]}" if len(buses) else "a star point"

    for values, unit in ((violations.lack_p, "MW"), (violations.lack_q, "MVAr")):
        for row in np.flatnonzero(np.abs(values) > LEAST):
            amount = values[row] * base
            verb = "lacks" if amount > 0 else "has"
            end = "" if amount > 0 else " too much"
            text = f"{bus(row)} {verb} {abs(amount):.4g} {unit}{end}"
            found.append((abs(values[row]), text))
    for row in np.flatnonzero(np.abs(violations.vm) > LEAST):
        amount = violations.vm[row]
        side = "above" if amount > 0 else "below"
        text = f"the voltage of {bus(row)} is {abs(amount):.4g} p.u. {side} its limit"
        found.append((abs(amount), text))
    for branch in np.flatnonzero(violations.flow > LEAST):
        amount = violations.flow[branch]
        text = f"{branch_name(model, dispatch, branch)} is {amount * base:.4g} MVA above its rating"
        found.append((amount, text))
    for branch in np.flatnonzero(np.abs(violations.angle) > LEAST):
        amount = violations.angle[branch]
        degrees = np.degrees(abs(amount))
        text = f"the angle across {branch_name(model, dispatch, branch)} is {degrees:.4g} degrees"
        found.append((abs(amount), f"{text} {'above' if amount > 0 else 'below'} its limit"))
    found.sort(key=lambda one: -one[0])
    texts = [text for _, text in found[:MOST_NAMED]]
    if len(found) > MOST_NAMED:
        texts.append(f"and {len(found) - MOST_NAMED} more")
    verdict = "no dispatch keeps all limits" if dc else LOCAL
    return f"{verdict}; at the least: {', '.join(texts)}"


def branch_name(model: GridModel, dispatch: Dispatch, live: int) -> str:
    """Return the element that a live branch belongs to, for people.

    Args:
        model: the model.
        dispatch: the snapshot.
        live: position among the live branches.
    """
    admittances = dispatch.admittances
    branch = int(admittances.live[live])
    element, (first, _) = next(
        (name, span) for name, span in admittances.span.items() if span[0] <= branch < span[1]
    )
    ids = model.ids[element]
    return f"{element} {ids[(branch - first) % len(ids)]}"


def crossed(model: GridModel, dispatch: Dispatch) -> str:
    """Return limits that contradict each other, for people; empty if there are none."""
    units = dispatch.units
    texts = []
    for limits, power in ((units.p, "active"), (units.q, "reactive")):
        for unit in np.flatnonzero(limits[:, 0] > limits[:, 1]):
            element = str(units.element[unit]).partition("_from")[0].partition("_to")[0]
            name = f"{element} {model.ids[element][units.position[unit]]}"
            texts.append(f"the lowest {power} power of {name} is above the highest")
    for row in np.flatnonzero(dispatch.vm[:, 0] > dispatch.vm[:, 1]):
        buses = np.flatnonzero(dispatch.admittances.row["bus"] == row)
        texts.append(f"the lowest voltage of bus {model.ids['bus'][buses[0]]} is above the highest")
    stores = dispatch.stores
    crossing = (stores.low > stores.high) | (stores.last > stores.high)
    for unit in stores.unit[crossing | (stores.first > stores.size)]:
        name = model.ids["storage"][units.position[unit]]
        texts.append(f"what storage {name} is to hold is more than it can")
    return ", ".join(texts)
