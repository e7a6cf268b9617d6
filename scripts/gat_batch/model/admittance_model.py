"""The equations of a grid as pandapower poses them, kept as matrices for many states.

They are taken from a power flow that pandapower has just run, so its own code decides about
switches, taps, equivalent circuits and per-unit values. Rows count buses as pandapower's arrays
do: those in service first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from ..grids.tap_controllers import TABLE
from ..upstream.pandapower import array_rows, branch_columns, bus_columns, solved_arrays
from .circuits import circuits_of
from .nodal_power import AC_ONLY, SIGN, given_power
from .voltage_units import voltage_units_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from .circuits import Circuits
    from .voltage_units import VoltageUnits

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]

br = branch_columns()
bi = bus_columns()

AT_BUSES = ("bus", "gen", "ext_grid", "shunt", *SIGN)
KNOWN = {*AT_BUSES, "line", "trafo", "trafo3w", "impedance", "switch", "dcline", TABLE}
"""Elements whose results these equations give; whatever else a grid has, pandapower solves."""

DISPATCHED = {
    "bus", "gen", "ext_grid", "shunt", "load", "sgen",
    "line", "trafo", "trafo3w", "impedance", "switch", "storage", "motor", "ward", "dcline",
    "asymmetric_load", "asymmetric_sgen", TABLE,
}  # fmt: skip
"""Elements that the programs of an optimal power flow hold."""

EXPLAINED_MW = 1e-6
"""By how much the demand of a bus may differ from what its elements draw."""


@dataclass(frozen=True)
class AdmittanceModel:
    """The equations of one topology.

    Attributes:
        dc: whether the equations are those of a DC power flow.
        base_mva: system base in MVA.
        buses: number of buses that are supplied; their rows come first.
        kv: nominal voltage of each row in kV.
        start: complex voltage that solvers start from, p.u., shape (buses,).
        row: element -> row of each one's bus; ``dcline_from`` and ``dcline_to`` for DC lines.
        units: what holds voltages.
        ref, pv, pq: rows by what is given there.
        ends: row at either end of each branch, shape (branches, 2).
        live: branches that the equations have, among all.
        open: branches among the live ones that a state takes out, shape (live,).
        dead: rows that it cuts off, shape (buses,).
        hanging: lines that it leaves at one bus, as branch and side, shape (lines, 2).
        span: kind of branch -> its first branch and the one after its last.
        bus: square; admittance for AC, susceptance for DC, p.u.
        at_from, at_to: the same at either end, one row a live branch.
        bus_shift, branch_shift: injections of phase shifters in p.u., for DC.
        circuits: what live branches are made of.
        shared: what solvers keep for every topology of the grid.
    """

    dc: bool
    base_mva: float
    buses: int
    kv: Reals
    start: NDArray[np.complex128]
    row: dict[str, Rows]
    units: VoltageUnits
    ref: Rows
    pv: Rows
    pq: Rows
    ends: NDArray[np.int64]
    live: Rows
    open: NDArray[np.bool_]
    dead: NDArray[np.bool_]
    hanging: NDArray[np.int64]
    span: dict[str, tuple[int, int]]
    bus: Any
    at_from: Any
    at_to: Any
    bus_shift: Reals
    branch_shift: Reals
    circuits: Circuits
    shared: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def solvers(self) -> dict[str, Any]:
        """What solvers keep with these equations: factorisations."""
        return {}

    @cached_property
    def held(self) -> Rows:
        """Rows whose voltage is held."""
        return np.concatenate([self.ref, self.pv])

    @cached_property
    def free(self) -> Rows:
        """Rows whose angle follows from the equations."""
        return np.concatenate([self.pv, self.pq])

    @cached_property
    def supplied(self) -> NDArray[np.bool_]:
        """Which rows the equations supply, those of isolated buses included, shape (rows,)."""
        return np.append(~self.dead, np.zeros(len(self.kv) - self.buses, bool))


def obstacle(net: pandapowerNet, *, dc: bool, dispatched: bool = False) -> str:
    """Tell why these equations can't stand for a grid; empty if they can.

    Args:
        net: the network, just solved by pandapower.
        dc: whether the equations are those of a DC power flow.
        dispatched: whether powers and voltages of generators are chosen and not given.
    """
    return next(_obstacles(net, dc=dc, dispatched=dispatched), "")


def _obstacles(net: pandapowerNet, *, dc: bool, dispatched: bool) -> Iterator[str]:
    for element in _tables(net):
        if element not in (DISPATCHED if dispatched else KNOWN) and len(net[element]):
            yield f"it has elements of type {element}"
    const = [name for name in net.load if str(name).startswith("const_")]
    if not dc and (net.load[const].to_numpy(float) != 0).any():
        if dispatched:
            yield "it has loads that depend on the voltage"
        elif _loads_of_joined_buses(net):
            yield "loads that depend on the voltage are at buses that switches join"
    if dispatched and net.shunt.get("step_dependency_table", np.zeros(1)).any():
        yield "it has shunts with a table of steps"
    if dc and (solved_arrays(net)["branch"][:, [br.BR_R_ASYM, br.BR_X_ASYM]] != 0).any():
        yield "it has impedances that differ by direction"
    if not dispatched:
        if not dc and _mixed_slacks(voltage_units_of(net)):
            yield "slacks of different kinds or weights share a bus"
        if np.abs(_unexplained(net, dc=dc)).max(initial=0.0) > EXPLAINED_MW:
            yield "its buses draw more than their elements do"


def _loads_of_joined_buses(net: pandapowerNet) -> bool:
    """Tell whether loads of several buses are at one row: which one's shares count is in doubt."""
    buses = np.unique(_bus_of(net, "load"))
    return len(np.unique(array_rows(net)["bus"][buses])) < len(buses)


def _mixed_slacks(units: VoltageUnits) -> bool:
    """Tell whether slacks at one bus share their power by more than their number.

    pandapower then shares it by what a DC power flow before gave to each.
    """
    slack = np.flatnonzero(units.on & units.slack)
    external = np.arange(len(units.row)) < units.count["ext_grid"]
    alike = np.column_stack([units.row, external, np.where(external, units.weight, 0.0)])[slack]
    return len(np.unique(alike, axis=0)) > len(np.unique(units.row[slack]))


def _unexplained(net: pandapowerNet, *, dc: bool) -> NDArray[np.complex128]:
    """Return demand of supplied buses in MVA that no element accounts for, shape (buses,)."""
    bus = solved_arrays(net)["internal"]["bus"]
    rest: NDArray[np.complex128] = bus[:, bi.PD] + 1j * bus[:, bi.QD]
    for element, sign in SIGN.items():
        if len(net[element]) and not (dc and element in AC_ONLY):
            rows = array_rows(net)["bus"][_bus_of(net, element)]
            power = given_power(element, partial(_column, net), {})
            live = rows < len(bus)
            np.subtract.at(rest, rows[live], sign * power[live])
    return rest


def _column(net: pandapowerNet, element: str, name: str) -> Reals:
    values: Reals = net[element][name].to_numpy(np.float64)
    return values


def _tables(net: pandapowerNet) -> list[str]:
    """Return tables of elements: those that say what is in service."""
    return [
        name
        for name, table in net.items()
        if not name.startswith(("_", "res_")) and "in_service" in getattr(table, "columns", ())
    ]


def admittance_model_of(net: pandapowerNet, *, dc: bool) -> AdmittanceModel:
    """Take the equations from a network that pandapower has just solved, converged or not.

    Args:
        net: the network, without any :func:`obstacle`.
        dc: whether that was a DC power flow.

    Returns:
        The equations.
    """
    ppc, lookups = solved_arrays(net), array_rows(net)
    internal = ppc["internal"]
    bus = internal["bus"]
    buses = len(bus)
    row = {
        name: lookups["bus"][_bus_of(net, name)].astype(np.int64)
        for name in AT_BUSES
        if len(net[name]) or name in ("load", "sgen", "gen", "ext_grid", "shunt")
    }
    for end in ("from", "to"):
        ends = lookups["bus"][net.dcline[f"{end}_bus"].to_numpy(np.int64)]
        row[f"dcline_{end}"] = ends.astype(np.int64)
    live = np.flatnonzero(internal["branch_is"])
    if dc:
        matrices = {
            "bus": internal["Bbus"].tocsc(),
            "at_from": internal["Bf"].tocsr(),
            "at_to": -internal["Bf"].tocsr(),
            "bus_shift": internal["Pbusinj"] + bus[:, bi.GS] / ppc["baseMVA"],
            "branch_shift": internal["Pfinj"],
        }
        start = np.exp(1j * np.radians(bus[:, bi.VA]))
    else:
        matrices = {
            "bus": internal["Ybus"].tocsc(),
            "at_from": internal["Yf"].tocsr(),
            "at_to": internal["Yt"].tocsr(),
            "bus_shift": np.zeros(buses),
            "branch_shift": np.zeros(len(live)),
        }
        # Where Newton's method failed, its last iterate is as far off as anything can be.
        start = internal["V"] if ppc["success"] else _no_load(internal)
    return AdmittanceModel(
        dc=dc,
        base_mva=float(ppc["baseMVA"]),
        buses=buses,
        kv=ppc["bus"][:, bi.BASE_KV].real.copy(),
        start=start.astype(complex),
        row=row,
        units=voltage_units_of(net),
        ref=internal["ref"].astype(np.int64),
        pv=internal["pv"].astype(np.int64),
        pq=internal["pq"].astype(np.int64),
        ends=ppc["branch"][:, [br.F_BUS, br.T_BUS]].real.astype(np.int64),
        live=live,
        open=np.zeros(len(live), bool),
        dead=np.zeros(buses, bool),
        hanging=np.empty((0, 2), np.int64),
        circuits=circuits_of(internal["branch"]),
        span=dict(lookups["branch"]),
        **matrices,
    )


def _no_load(internal: dict[str, Any]) -> NDArray[np.complex128]:
    """Return voltages of 1 p.u. whose angles differ by the phase shifts of branches alone.

    Args:
        internal: pandapower's arrays of supplied buses and live branches.

    Returns:
        Complex voltages in p.u., shape (buses,): where phase shifts contradict each other around a
        loop, those with the least squares of deviations from them.
    """
    bus, branch, ref = internal["bus"], internal["branch"].real, internal["ref"]
    ends = branch[:, [br.F_BUS, br.T_BUS]].astype(np.int64)
    every = np.repeat(np.arange(len(ends)), 2)
    sides = (np.tile([1.0, -1.0], len(ends)), (every, ends.ravel()))
    across = sparse.csr_matrix(sides, (len(ends), len(bus)))
    free = np.setdiff1d(np.arange(len(bus)), ref)
    angle = np.zeros(len(bus))
    angle[ref] = np.radians(bus[ref, bi.VA])
    left = np.radians(branch[:, br.SHIFT]) - across @ angle
    own = across[:, free]
    angle[free] = linalg.spsolve((own.T @ own).tocsc(), own.T @ left)
    voltage: NDArray[np.complex128] = np.exp(1j * angle)
    return voltage


def _bus_of(net: pandapowerNet, element: str) -> Rows:
    table = net[element]
    buses: Rows = (table.index if element == "bus" else table["bus"]).to_numpy(np.int64)
    return buses
