"""The non-linear program that an AC optimal power flow is, in casadi's symbols.

Demands, admittances, limits and costs are parameters, so that a grid's program is built once and
outages need no other. Formulation: MATPOWER User's Manual, section 6.1; what flows into branches
is added by :mod:`.flows`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import casadi
import numpy as np

from .flows import ENTRIES, NOWHERE, Places, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..dispatch import Dispatch

    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]
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
    """Return the form that the program of a snapshot has."""
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


def _taken(vector: Any, places: Rows) -> Any:
    """Return parts of a vector, in a column even where indexing would make a row of them."""
    return spread(places, vector.numel()).T @ vector


def _sizes(form: Form) -> dict[str, int]:
    """Return the number of parameters of each kind, in their order."""
    return {
        "demand_p": form.buses, "demand_q": form.buses, "shunt_g": form.buses,
        "shunt_b": form.buses, "ratio": form.units - len(form.free),
        "admittance": ENTRIES * len(form.ends),
        "linear": 2 * form.units, "quadratic": 2 * form.units,
        "slope": len(form.lined), "offset": len(form.lined),
    }  # fmt: skip


def rest_of(form: Form) -> dict[str, Any]:
    """Return the program without what flows into branches.

    Args:
        form: what it consists of.

    Returns:
        Variables ``x``, parameters ``p``, objective ``f`` and rows ``g``, as casadi's solvers
        take them. The parameters are those of :func:`parameters`.
    """
    first = form.columns
    x = casadi.SX.sym("x", int(first[-1]))
    angle, vm, p, free, cost = casadi.vertsplit(x, first.tolist())
    follow = np.setdiff1d(np.arange(form.units), form.free)
    given = {name: casadi.SX.sym(name, size) for name, size in _sizes(form).items()}
    q = spread(form.free, form.units) @ free
    q += spread(follow, form.units) @ (given["ratio"] * _taken(p, follow))
    at_bus = spread(form.row, form.buses)
    squared = vm**2
    injected = casadi.vertcat(p, q)
    priced = np.searchsorted(form.priced, form.lined)
    ends = form.ends[form.spread]
    rows = casadi.vertcat(
        given["shunt_g"] * squared + given["demand_p"] - at_bus @ p,
        -given["shunt_b"] * squared + given["demand_q"] - at_bus @ q,
        casadi.SX(2 * len(form.rated), 1),
        _taken(angle, ends[:, 0]) - _taken(angle, ends[:, 1]),
        given["slope"] * _taken(injected, form.lined) + given["offset"] - _taken(cost, priced),
    )
    objective = (
        casadi.dot(given["linear"], injected)
        + casadi.dot(given["quadratic"], injected**2)
        + casadi.sum1(cost)
    )
    return {"x": x, "p": casadi.vertcat(*given.values()), "f": objective, "g": rows}


def places_of(form: Form) -> Places:
    """Tell where what flows into branches lies in the program."""
    live = len(form.ends)
    balance = np.stack([form.ends, form.buses + form.ends], axis=2).reshape(live, -1)
    squares = np.full((live, 2), NOWHERE)
    squares[form.rated] = form.rows[2:4] + np.arange(len(form.rated))[:, None]
    sizes = _sizes(form)
    first = sum(list(sizes.values())[: list(sizes).index("admittance")])
    return Places(
        variables=np.concatenate([form.ends, form.buses + form.ends], axis=1),
        rows=np.concatenate([balance, squares], axis=1),
        entries=first + np.arange(ENTRIES * live).reshape(live, -1),
    )


def branch_parameters(dispatch: Dispatch) -> tuple[Complexes, Complexes]:
    """Return admittances of a snapshot in p.u.

    Args:
        dispatch: the snapshot.

    Returns:
        Of each live branch with ends f and t: ff, ft, tf and tt, shape (live, 4); and shunts at
        buses, shape (buses,).
    """
    admittances = dispatch.admittances
    live = np.arange(len(dispatch.ends))
    own, other = dispatch.ends.T
    entries = [
        np.asarray(matrix[live, rows]).ravel()
        for matrix in (admittances.at_from, admittances.at_to)
        for rows in (own, other)
    ]
    entries = [np.where(admittances.open, 0.0, entry) for entry in entries]
    # Both ends at one bus: its entries are sums already.
    for side in (1, 2):
        entries[side] = np.where(own == other, 0.0, entries[side])
    shunt = admittances.bus.diagonal()
    np.subtract.at(shunt, own, entries[0])
    np.subtract.at(shunt, other, entries[3])
    return np.stack(entries, axis=1), shunt


def parameters(dispatch: Dispatch, form: Form) -> Reals:
    """Return the numbers of a snapshot, as :func:`rest_of` takes them."""
    prices = dispatch.prices
    entries, shunt = branch_parameters(dispatch)
    follow = np.setdiff1d(np.arange(form.units), form.free)
    return np.concatenate(
        [
            dispatch.demand.real,
            dispatch.demand.imag,
            shunt.real,
            shunt.imag,
            dispatch.units.ratio[follow],
            entries.view(np.float64).ravel(),
            prices.linear,
            prices.quadratic,
            prices.slope,
            prices.offset,
        ]
    )


def bounds(dispatch: Dispatch, form: Form) -> tuple[Reals, Reals, Reals, Reals]:
    """Lower and upper bounds of the variables, then of the rows."""
    admittances, units = dispatch.admittances, dispatch.units
    free = np.array([-np.inf, np.inf])
    angle = np.tile(free, (form.buses, 1))
    angle[dispatch.ref] = np.angle(admittances.start[dispatch.ref])[:, None]
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
