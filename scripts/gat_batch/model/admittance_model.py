"""The equations of a grid as pandapower poses them, kept as matrices for many states.

They are taken from a power flow that pandapower has just run, so its own code decides about
switches, taps, equivalent circuits and per-unit values. Rows count buses as pandapower's arrays
do: those in service first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from ..upstream.pandapower import array_rows, branch_columns, bus_columns, solved_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]

br = branch_columns()
bi = bus_columns()

AT_BUSES = ("bus", "load", "sgen", "gen", "ext_grid", "shunt")
KNOWN = {*AT_BUSES, "line", "trafo", "trafo3w", "impedance", "switch"}
"""Elements whose results these equations give; whatever else a grid has, pandapower solves."""


@dataclass(frozen=True)
class AdmittanceModel:
    """The equations of one topology.

    Attributes:
        base_mva: system base in MVA.
        buses: number of buses that are supplied; their rows come first.
        kv: nominal voltage of each row in kV.
        start: complex voltage that solvers start from, p.u., shape (buses,).
        row: element -> row of each one's bus.
        rest: demand of each row beyond loads and static generators in MVA, shape (buses,).
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
        shared: what solvers keep for every topology of the grid.
    """

    base_mva: float
    buses: int
    kv: Reals
    start: NDArray[np.complex128]
    row: dict[str, Rows]
    rest: NDArray[np.complex128]
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
    shared: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def solvers(self) -> dict[str, Any]:
        """What solvers keep with these equations: factorisations."""
        return {}

    @cached_property
    def supplied(self) -> NDArray[np.bool_]:
        """Which rows the equations supply, those of isolated buses included, shape (rows,)."""
        supplied = np.arange(len(self.kv)) < self.buses
        supplied[: self.buses] &= ~self.dead
        return supplied


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
        if element not in KNOWN and len(net[element]):
            yield f"it has elements of type {element}"
    rows = array_rows(net)["bus"]
    held = np.concatenate(
        [
            rows[table["bus"].to_numpy(np.int64)][table["in_service"].to_numpy(bool)]
            for table in (net.gen, net.ext_grid)
        ]
    )
    if not dispatched and len(np.unique(held)) < len(held):
        yield "several generators hold the voltage of one bus"
    const = [name for name in net.load if str(name).startswith("const_")]
    if not dc and (net.load[const].to_numpy(float) != 0).any():
        yield "it has loads that depend on the voltage"
    if "step_dependency_table" in net.shunt and net.shunt["step_dependency_table"].any():
        yield "it has shunts with a table of steps"
    if dc and (solved_arrays(net)["branch"][:, [br.BR_R_ASYM, br.BR_X_ASYM]] != 0).any():
        yield "it has impedances that differ by direction"


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
    row = {name: lookups["bus"][_bus_of(net, name)].astype(np.int64) for name in AT_BUSES}
    rest = bus[:, bi.PD] + 1j * bus[:, bi.QD]
    for element, sign in (("load", 1.0), ("sgen", -1.0)):
        table = net[element]
        power = table["p_mw"].to_numpy(float) + 1j * table["q_mvar"].to_numpy(float)
        power = power * table["scaling"].to_numpy(float) * sign
        live = table["in_service"].to_numpy(bool) & (row[element] < buses)
        np.subtract.at(rest, row[element][live], power[live])
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
        base_mva=float(ppc["baseMVA"]),
        buses=buses,
        kv=ppc["bus"][:, bi.BASE_KV].real.copy(),
        start=start.astype(complex),
        row=row,
        rest=rest,
        ref=internal["ref"].astype(np.int64),
        pv=internal["pv"].astype(np.int64),
        pq=internal["pq"].astype(np.int64),
        ends=ppc["branch"][:, [br.F_BUS, br.T_BUS]].real.astype(np.int64),
        live=live,
        open=np.zeros(len(live), bool),
        dead=np.zeros(buses, bool),
        hanging=np.empty((0, 2), np.int64),
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
