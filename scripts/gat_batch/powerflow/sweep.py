"""Power flows on kept equations: no tables are turned into arrays and back for each state.

AC: Newton's method on pandapower's own admittances. DC: one factorisation a topology. A state that
the equations can't represent is left to pandapower.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import linalg

from .element_results import solution_of
from .islands import Topology
from .newton import newton
from .outages import without

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..model.admittances import Arrays
    from ..model.grid_model import Model
    from ..model.solution import Solution
    from ..model.state import State


class Columns:
    """Columns of a grid's tables as a state has them; not to be written to.

    Args:
        model: the model, which keeps the columns of the grid as given once they were needed.
        state: the state.
    """

    def __init__(self, model: Model, state: State) -> None:
        self.net = model.net
        self.changed = {(change.element, change.column): change.values for change in state.changes}
        self._given = model.columns

    def __call__(self, element: str, name: str) -> NDArray[Any]:
        """A column that every network has."""
        values = self.changed.get((element, name))
        if values is None:
            values = self._given.get((element, name))
        if values is None:
            values = self._given[element, name] = self.net[element][name].to_numpy()
        return values

    def numbers(self, element: str, name: str) -> NDArray[np.float64]:
        """A column of numbers, NaN where there are none."""
        if (element, name) in self.changed:
            return self.changed[element, name].astype(np.float64)
        if (element, name, "numbers") not in self._given:
            table = self.net[element]
            known = name in table
            values = table[name].to_numpy(np.float64) if known else np.full(len(table), np.nan)
            self._given[element, name, "numbers"] = values
        return self._given[element, name, "numbers"]

    def flags(self, element: str, name: str, *, default: bool) -> NDArray[np.bool_]:
        """A column of switches, at its default where there are none."""
        if (element, name) in self.changed:
            return self.changed[element, name].astype(bool)
        if (element, name, default) not in self._given:
            values = np.full(len(self.net[element]), default)
            if name in self.net[element]:
                column = self.net[element][name]
                values = np.where(column.isna(), default, column.to_numpy(object)).astype(bool)
            self._given[element, name, default] = values
        return self._given[element, name, default]


@dataclass(frozen=True)
class Demand:
    """What a state asks of the equations.

    Attributes:
        load: demand of each load in MVA, 0 where it has none, shape (loads,).
        sgen: generation of each static generator in MVA, shape (sgens,).
        gen: active power of each generator in MW, shape (gens,).
        running: generators that take part, shape (gens,).
        fed: external grids that take part, shape (external grids,).
        bus: demand of each row in MVA, generators left out, shape (buses,).
        vm: setpoint of each row's voltage in p.u., 1 where there is none.
        bus_in: buses that are in service, shape (table of buses,).
        unserved_mw: load that the state cuts off, in MW.
        lost_generation_mw: generation that it cuts off, in MW.
    """

    load: NDArray[np.complex128]
    sgen: NDArray[np.complex128]
    gen: NDArray[np.float64]
    running: NDArray[np.bool_]
    fed: NDArray[np.bool_]
    bus: NDArray[np.complex128]
    vm: NDArray[np.float64]
    bus_in: NDArray[np.bool_]
    unserved_mw: float
    lost_generation_mw: float


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
    column = Columns(model, state)
    own = topology_of(arrays, column)
    if own is None:
        return None
    demand = demand_of(model, own, column)
    power = injection_of(own, demand)
    solved = _angles(own, power) if dc else newton(own, power, demand.vm, options)
    if solved is None:
        return None
    voltage, iterations = solved
    loading = str(options.get("trafo_loading", "current"))
    return solution_of(
        model,
        own,
        demand,
        voltage,
        dc=dc,
        engine="scipy" if dc else "lightsim2grid",
        iterations=iterations,
        trafo_loading=loading,
    )


def topology_of(arrays: Arrays, columns: Columns, *, held: bool = True) -> Arrays | None:
    """The equations of a state's topology.

    Args:
        arrays: the equations of the grid as given.
        columns: the state.
        held: whether generators hold voltages. Where they don't, equations with buses cut off are
            of no use.

    Returns:
        The equations, or None if the state loses a reference or, where nothing is held, if it is
        more than lines and transformers that leave the islands as they are.
    """
    outages = _outages_of(columns)
    if not held:
        rows = arrays.row["gen"][list(outages.pop("gen", ()))]
        if np.isin(rows, arrays.ref).any():
            return None
    if not any(outages.values()):
        return arrays
    kept = arrays.solvers
    # Snapshots of a scenario share their outages.
    if kept.get("outages") != outages:
        if "topology" not in kept:
            kept["topology"] = Topology(arrays, columns.net)
        cut = kept["topology"].cut(outages)
        whole = cut is not None and not len(cut.dead) and not len(cut.hanging)
        plain = outages.keys() <= {"line", "trafo"}
        kept["outages"] = outages
        kept["own"] = (
            None if cut is None or not (held or (whole and plain)) else without(arrays, cut)
        )
    own: Arrays | None = kept["own"]
    return own


def _outages_of(columns: Columns) -> dict[str, tuple[int, ...]]:
    """Element -> positions of what a state takes out of service, injections left out."""
    return {
        element: tuple(
            np.flatnonzero(
                columns.net[element]["in_service"].to_numpy(bool) & ~values.astype(bool)
            ).tolist()
        )
        for (element, column), values in columns.changed.items()
        if column == "in_service" and element not in ("load", "sgen")
    }


def demand_of(model: Model, arrays: Arrays, column: Columns) -> Demand:
    """What a state asks of some equations.

    Args:
        model: the model.
        arrays: the equations of the state's topology.
        column: the state.
    """
    supplied = arrays.supplied
    power, lost = {}, {}
    bus = arrays.rest.copy()
    for element, sign in (("load", 1.0), ("sgen", -1.0)):
        rows = arrays.row[element]
        live = column(element, "in_service").astype(bool)
        values = column(element, "p_mw").astype(float) + 1j * column(element, "q_mvar")
        values = np.where(live, values * column(element, "scaling"), 0.0)
        power[element] = np.where(supplied[rows], values, 0.0)
        lost[element] = values.real[~supplied[rows] & ~model.cut_off[model.position[element]]]
        met = rows < arrays.buses
        np.add.at(bus, rows[met], sign * power[element][met])
    bus[arrays.dead] = 0.0
    rows = arrays.row["gen"]
    given = column("gen", "in_service").astype(bool)
    output = column("gen", "p_mw").astype(float) * column("gen", "scaling")
    running = given & supplied[rows]
    lost["gen"] = output[given & ~running & ~model.cut_off[model.position["gen"]]]
    gen = np.where(running, output, 0.0)
    vm = np.ones(len(arrays.kv))
    vm[rows[running]] = column("gen", "vm_pu")[running]
    grids = arrays.row["ext_grid"]
    fed = column("ext_grid", "in_service").astype(bool) & supplied[grids]
    vm[grids[fed]] = column("ext_grid", "vm_pu")[fed]
    return Demand(
        load=power["load"],
        sgen=power["sgen"],
        gen=gen,
        running=running,
        fed=fed,
        bus=bus,
        vm=vm,
        bus_in=column("bus", "in_service").astype(bool),
        unserved_mw=float(lost["load"].sum()),
        lost_generation_mw=float(lost["sgen"].sum() + lost["gen"].sum()),
    )


def injection_of(arrays: Arrays, demand: Demand) -> NDArray[np.complex128]:
    """Power that is injected at each supplied bus, in p.u."""
    power = -demand.bus
    np.add.at(power, arrays.row["gen"][demand.running], demand.gen[demand.running])
    return power / arrays.base_mva


def _angles(
    arrays: Arrays, injection: NDArray[np.complex128]
) -> tuple[NDArray[np.complex128], None] | None:
    free = np.concatenate([arrays.pv, arrays.pq])
    angle = np.angle(arrays.start)
    kept = arrays.solvers
    if "lu" not in kept:
        try:
            kept["lu"] = linalg.splu(arrays.bus[free][:, free].tocsc())
        except RuntimeError:  # singular: pandapower says how it takes that
            return None
        kept["fixed"] = arrays.bus[free][:, arrays.ref] @ angle[arrays.ref]
    power = injection.real - arrays.bus_shift
    angle[free] = kept["lu"].solve(power[free] - kept["fixed"])
    if not np.isfinite(angle).all():
        return None
    # An angle may turn more than once: magnitudes carry the setpoints, angles stay as they are.
    return angle.astype(complex), None
