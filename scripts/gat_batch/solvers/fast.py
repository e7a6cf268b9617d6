"""Power flows on kept equations: no tables are turned into arrays and back for each state.

AC: Newton's method with KLU, as lightsim2grid has it, on pandapower's own admittances. DC: one
factorisation a topology. A state that the equations can't represent is left to pandapower.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import linalg

from .mapping import solution_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ..model import Model
    from ..state import State
    from .arrays import Arrays
    from .solution import Solution

MOST_ITERATIONS = 10
"""As pandapower has it for Newton's method."""

SAFETY = 10.0
"""How far over the tolerance a solution may be when it is checked once more."""


@dataclass(frozen=True)
class Demand:
    """What a state asks of the equations.

    Attributes:
        load: demand of each load in MVA, 0 where it has none, shape (loads,).
        sgen: generation of each static generator in MVA, shape (sgens,).
        gen: active power of each generator in MW, shape (gens,).
        running: generators that take part, shape (gens,).
        bus: demand of each row in MVA, generators left out, shape (buses,).
        vm: setpoint of each row's voltage in p.u., 1 where there is none.
    """

    load: NDArray[np.complex128]
    sgen: NDArray[np.complex128]
    gen: NDArray[np.float64]
    running: NDArray[np.bool_]
    bus: NDArray[np.complex128]
    vm: NDArray[np.float64]


def solve_fast(
    model: Model, state: State, arrays: Arrays, options: Mapping[str, Any], *, dc: bool
) -> Solution | None:
    """Solve one state on kept equations.

    Args:
        model: the model; its network isn't touched.
        state: what differs from the grid as given.
        arrays: the equations of the grid as given.
        options: solver options, all of them as :func:`equations.kept_equations` takes them.
        dc: whether the equations are those of a DC power flow.

    Returns:
        The solution, or None if pandapower has to solve this state.
    """
    changed = {(change.element, change.column): change.values for change in state.changes}

    def column(element: str, name: str) -> NDArray[Any]:
        values = changed.get((element, name))
        return model.net[element][name].to_numpy() if values is None else values

    own = _topology(arrays, model.net, changed)
    if own is None:
        return None
    demand = _demand(own, column)
    solved = _angles(own, demand) if dc else _newton(own, demand, options)
    if solved is None:
        return None
    voltage, iterations = solved
    loading = str(options.get("trafo_loading", "current"))
    return solution_of(
        model, own, demand, voltage, dc=dc, iterations=iterations, trafo_loading=loading
    )


def _topology(
    arrays: Arrays, net: pandapowerNet, changed: Mapping[tuple[str, str], NDArray[Any]]
) -> Arrays | None:
    """The equations of the state's topology, or None if its islands differ."""
    branches: list[int] = []
    holders: list[int] = []
    for (element, column), values in changed.items():
        if column != "in_service" or element in ("load", "sgen"):
            continue
        out = np.flatnonzero(net[element]["in_service"].to_numpy(bool) & ~values)
        if element == "gen":
            rows = arrays.row["gen"][out]
            holders += rows[rows < arrays.buses].tolist()
        elif element in ("line", "trafo"):
            branches += (arrays.span[element][0] + out).tolist()
        else:
            return None
    if not branches and not holders:
        return arrays
    # Snapshots of a scenario share their outages.
    outages = (tuple(branches), tuple(holders))
    if arrays.solvers.get("outages") != outages:
        arrays.solvers["outages"] = outages
        arrays.solvers["own"] = arrays.without(
            np.array(branches, np.int64), np.array(holders, np.int64)
        )
    own: Arrays | None = arrays.solvers["own"]
    return own


def _demand(arrays: Arrays, column: Any) -> Demand:
    power = {}
    bus = arrays.rest.copy()
    for element, sign in (("load", 1.0), ("sgen", -1.0)):
        rows = arrays.row[element]
        live = column(element, "in_service").astype(bool) & (rows < arrays.buses)
        values = column(element, "p_mw").astype(float) + 1j * column(element, "q_mvar")
        power[element] = np.where(live, values * column(element, "scaling"), 0.0)
        np.add.at(bus, rows[live], sign * power[element][live])
    rows = arrays.row["gen"]
    running = column("gen", "in_service").astype(bool) & (rows < arrays.buses)
    gen = np.where(running, column("gen", "p_mw").astype(float) * column("gen", "scaling"), 0.0)
    vm = np.ones(len(arrays.kv))
    vm[rows[running]] = column("gen", "vm_pu")[running]
    grids = arrays.row["ext_grid"]
    fed = column("ext_grid", "in_service").astype(bool) & (grids < arrays.buses)
    vm[grids[fed]] = column("ext_grid", "vm_pu")[fed]
    return Demand(power["load"], power["sgen"], gen, running, bus, vm)


def _injection(arrays: Arrays, demand: Demand) -> NDArray[np.complex128]:
    """Power that is injected at each supplied bus, in p.u."""
    power = -demand.bus
    np.add.at(power, arrays.row["gen"][demand.running], demand.gen[demand.running])
    return power / arrays.base_mva


def _angles(arrays: Arrays, demand: Demand) -> tuple[NDArray[np.complex128], None] | None:
    free = np.concatenate([arrays.pv, arrays.pq])
    angle = np.angle(arrays.start)
    kept = arrays.solvers
    if "lu" not in kept:
        try:
            kept["lu"] = linalg.splu(arrays.bus[free][:, free].tocsc())
        except RuntimeError:  # singular: pandapower says how it takes that
            return None
        kept["fixed"] = arrays.bus[free][:, arrays.ref] @ angle[arrays.ref]
    power = _injection(arrays, demand).real - arrays.bus_shift
    angle[free] = kept["lu"].solve(power[free] - kept["fixed"])
    if not np.isfinite(angle).all():
        return None
    # An angle may turn more than once: magnitudes carry the setpoints, angles stay as they are.
    return angle.astype(complex), None


def _newton(
    arrays: Arrays, demand: Demand, options: Mapping[str, Any]
) -> tuple[NDArray[np.complex128], int] | None:
    from lightsim2grid.solver import KLUSolverSingleSlack

    kept = arrays.solvers
    if "newton" not in kept:
        kept["newton"] = KLUSolverSingleSlack()
        kept["rows"] = [rows.astype(np.int32) for rows in (arrays.ref, arrays.pv, arrays.pq)]
    solver, (ref, pv, pq) = kept["newton"], kept["rows"]
    tolerance = float(options.get("tolerance_mva", 1e-8)) / arrays.base_mva
    power = _injection(arrays, demand)
    start = arrays.start.copy()
    held = np.concatenate([arrays.ref, arrays.pv])
    start[held] *= demand.vm[held] / np.abs(start[held])
    iterations = options.get("max_iteration", "auto")
    most = MOST_ITERATIONS if iterations == "auto" else int(iterations)
    if not solver.solve(arrays.bus, start, power, ref, np.ones(1), pv, pq, most, tolerance):
        del kept["newton"]
        return None
    voltage = solver.get_V()
    mismatch = voltage * np.conj(arrays.bus @ voltage) - power
    worst = max(
        np.abs(mismatch[pv].real).max(initial=0.0),
        np.abs(mismatch[pq].real).max(initial=0.0),
        np.abs(mismatch[pq].imag).max(initial=0.0),
    )
    if not worst <= SAFETY * tolerance:
        return None
    return voltage, int(solver.get_nb_iter())
