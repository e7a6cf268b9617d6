"""The non-linear program that an AC optimal power flow is, in casadi's symbols.

Voltages are in polar form. Power flows from bus f into a branch with admittances y by
``v_f**2 conj(y_ff) + v_f v_t conj(y_ft) exp(j (a_f - a_t))``, and as much at its other end with f
and t exchanged (MATPOWER User's Manual, sections 3.2 and 6.1). Demands, admittances, limits and
costs are parameters, so that a grid's program is built once and outages need no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import casadi
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .dispatch import Dispatch

    Reals = NDArray[np.float64]
    Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Form:
    """What the program of a snapshot consists of.

    Variables are angles, voltages, active injections, reactive ones where they don't follow, and
    costs of injections by straight lines. Rows are the balance of active and of reactive power,
    squares of the flow into either end of rated branches, angle differences and straight lines.

    Attributes:
        buses, units: numbers of rows and units.
        ends: rows at either end of each live branch, shape (live, 2).
        row: row of each unit, shape (units,).
        free: units whose q doesn't follow, shape (free,).
        rated, spread: live branches with a rating, or a limit of the angle across them.
        lined: injection of each straight line, active ones first, shape (lines,).
        by_current: whether ratings are for the current.
    """

    buses: int
    units: int
    ends: NDArray[np.int64]
    row: Rows
    free: Rows
    rated: Rows
    spread: Rows
    lined: Rows
    by_current: bool

    @property
    def priced(self) -> Rows:
        """Injections that cost by straight lines."""
        return np.unique(self.lined)

    @property
    def columns(self) -> Rows:
        """First variable of each kind, and their number."""
        sizes = (self.buses, self.buses, self.units, len(self.free), len(self.priced))
        return np.cumsum([0, *sizes])

    @property
    def rows(self) -> Rows:
        """First row of each kind, and their number."""
        rated, spread = len(self.rated), len(self.spread)
        return np.cumsum([0, self.buses, self.buses, rated, rated, spread, len(self.lined)])

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for equal forms."""
        parts = (self.ends, self.row, self.free, self.rated, self.spread, self.lined)
        return (self.buses, self.by_current, *(part.tobytes() for part in parts))


def form_of(dispatch: Dispatch) -> Form:
    """The form that the program of a snapshot has."""
    return Form(
        buses=dispatch.buses,
        units=len(dispatch.units.row),
        ends=dispatch.ends,
        row=dispatch.units.row,
        free=np.flatnonzero(~dispatch.units.follows),
        rated=np.flatnonzero(np.isfinite(dispatch.rating)),
        spread=np.flatnonzero(np.isfinite(dispatch.angle).any(axis=1)),
        lined=dispatch.prices.unit,
        by_current=dispatch.by_current,
    )


def _incidence(rows: Rows, count: int) -> casadi.DM:
    """Sums what lies at buses: ones at (row, position)."""
    width = len(rows)
    places = casadi.Sparsity.triplet(count, width, rows.tolist(), list(range(width)))
    return casadi.DM(places, np.ones(width))


def _taken(vector: Any, places: Rows) -> Any:
    """Parts of a vector, in a column even where indexing would make a row of them."""
    return _incidence(places, vector.numel()).T @ vector


def expressions(form: Form) -> dict[str, Any]:
    """The program in casadi's symbols.

    Args:
        form: what it consists of.

    Returns:
        Variables ``x``, parameters ``p``, objective ``f`` and rows ``g``, as casadi's solvers
        take them. The parameters are those of :func:`parameters`.
    """
    first = form.columns
    x = casadi.SX.sym("x", int(first[-1]))
    angle, vm, p, free, cost = casadi.vertsplit(x, first.tolist())
    live = len(form.ends)
    follow = np.setdiff1d(np.arange(form.units), form.free)
    sizes = {
        "demand_p": form.buses, "demand_q": form.buses, "shunt_g": form.buses,
        "shunt_b": form.buses, "ratio": len(follow), "admittance": 8 * live,
        "linear": 2 * form.units, "quadratic": 2 * form.units,
        "slope": len(form.lined), "offset": len(form.lined),
    }  # fmt: skip
    given = {name: casadi.SX.sym(name, size) for name, size in sizes.items()}
    q = _incidence(form.free, form.units) @ free
    q += _incidence(follow, form.units) @ (given["ratio"] * _taken(p, follow))
    flows, squares = _flows(form, angle, vm, given["admittance"])
    at_from, at_to = (_incidence(form.ends[:, side], form.buses) for side in (0, 1))
    at_bus = _incidence(form.row, form.buses)
    squared = vm**2
    balance_p = at_from @ flows[0] + at_to @ flows[2] + given["shunt_g"] * squared
    balance_q = at_from @ flows[1] + at_to @ flows[3] - given["shunt_b"] * squared
    injected = casadi.vertcat(p, q)
    priced = np.searchsorted(form.priced, form.lined)
    spread = form.ends[form.spread]
    rows = casadi.vertcat(
        balance_p + given["demand_p"] - at_bus @ p,
        balance_q + given["demand_q"] - at_bus @ q,
        *squares,
        _taken(angle, spread[:, 0]) - _taken(angle, spread[:, 1]),
        given["slope"] * _taken(injected, form.lined) + given["offset"] - _taken(cost, priced),
    )
    objective = (
        casadi.dot(given["linear"], injected)
        + casadi.dot(given["quadratic"], injected**2)
        + casadi.sum1(cost)
    )
    return {"x": x, "p": casadi.vertcat(*given.values()), "f": objective, "g": rows}


def _flows(form: Form, angle: Any, vm: Any, admittance: Any) -> tuple[list[Any], list[Any]]:
    """Active and reactive power into either end, and its square at rated branches."""
    places = [n * len(form.ends) for n in range(9)]
    g_ff, b_ff, g_ft, b_ft, g_tf, b_tf, g_tt, b_tt = casadi.vertsplit(admittance, places)
    f, t = form.ends.T
    across = _taken(angle, f) - _taken(angle, t)
    cosine, sine = casadi.cos(across), casadi.sin(across)
    v_f, v_t = _taken(vm, f), _taken(vm, t)
    flows = [
        v_f * (g_ff * v_f + v_t * (g_ft * cosine + b_ft * sine)),
        v_f * (-b_ff * v_f + v_t * (g_ft * sine - b_ft * cosine)),
        v_t * (g_tt * v_t + v_f * (g_tf * cosine - b_tf * sine)),
        v_t * (-b_tt * v_t - v_f * (g_tf * sine + b_tf * cosine)),
    ]
    squares = [
        _taken(flows[n], form.rated) ** 2 + _taken(flows[n + 1], form.rated) ** 2 for n in (0, 2)
    ]
    if form.by_current:
        squares = [
            square / _taken(end, form.rated) ** 2
            for square, end in zip(squares, (v_f, v_t), strict=True)
        ]
    return flows, squares


def parameters(dispatch: Dispatch, form: Form) -> Reals:
    """The numbers of a snapshot, as :func:`expressions` takes them."""
    arrays, prices = dispatch.arrays, dispatch.prices
    live = np.arange(len(form.ends))
    own, other = form.ends.T
    entries = [
        np.asarray(matrix[live, rows]).ravel()
        for matrix in (arrays.at_from, arrays.at_to)
        for rows in (own, other)
    ]
    entries = [np.where(arrays.open, 0.0, entry) for entry in entries]
    # Both ends at one bus: its entries are sums already.
    for side in (1, 2):
        entries[side] = np.where(own == other, 0.0, entries[side])
    shunt = arrays.bus.diagonal()
    np.subtract.at(shunt, own, entries[0])
    np.subtract.at(shunt, other, entries[3])
    follow = np.setdiff1d(np.arange(form.units), form.free)
    return np.concatenate(
        [
            dispatch.demand.real,
            dispatch.demand.imag,
            shunt.real,
            shunt.imag,
            dispatch.units.ratio[follow],
            *(part for entry in entries for part in (entry.real, entry.imag)),
            prices.linear,
            prices.quadratic,
            prices.slope,
            prices.offset,
        ]
    )


def bounds(dispatch: Dispatch, form: Form) -> tuple[Reals, Reals, Reals, Reals]:
    """Lower and upper bounds of the variables, then of the rows."""
    arrays, units = dispatch.arrays, dispatch.units
    free = np.array([-np.inf, np.inf])
    angle = np.tile(free, (form.buses, 1))
    angle[arrays.ref] = np.angle(arrays.start[arrays.ref])[:, None]
    columns = [
        angle,
        dispatch.vm,
        units.p,
        units.q[form.free],
        np.tile(free, (len(form.priced), 1)),
    ]
    rating = dispatch.rating[form.rated] ** 2
    most = np.stack([np.full(len(rating), -np.inf), rating], axis=1)
    rows = [
        np.zeros((2 * form.buses, 2)),
        most,
        most,
        dispatch.angle[form.spread],
        np.tile([-np.inf, 0.0], (len(form.lined), 1)),
    ]
    variables, constraints = np.concatenate(columns), np.concatenate(rows)
    return variables[:, 0], variables[:, 1], constraints[:, 0], constraints[:, 1]


def start_of(dispatch: Dispatch, form: Form) -> Reals:
    """A point to start from: all angles the reference's, all else in the middle of its limits."""
    arrays, units, prices = dispatch.arrays, dispatch.units, dispatch.prices
    injected = np.concatenate([_middle(units.p), _middle(units.q)])
    lines = prices.slope * injected[prices.unit] + prices.offset
    cost = np.full(len(form.priced), -np.inf)
    np.maximum.at(cost, np.searchsorted(form.priced, prices.unit), lines)
    free = injected[form.units + form.free]
    angle = np.full(form.buses, np.angle(arrays.start[arrays.ref[0]]))
    return np.concatenate([angle, dispatch.vm.mean(axis=1), injected[: form.units], free, cost])


def _middle(limits: Reals) -> Reals:
    """The middle of limits, or what is nearest to zero where there is none."""
    low, high = limits.T
    bounded = np.isfinite(low) & np.isfinite(high)
    middle = np.where(bounded, low, 0.0) / 2 + np.where(bounded, high, 0.0) / 2
    return np.where(bounded, middle, np.clip(0.0, low, high))
