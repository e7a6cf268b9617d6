"""A grid as the rows of a dataset: buses, branches and generators, with a branch's parameters.

The parameters are those that pandapower's power flow solves with. A branch has one charging
susceptance in a dataset, half of it at either end; whatever else it has at its ends becomes part of
the shunts there.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandapower
from pandapower.auxiliary import LoadflowNotConverged

from ...errors import GridError
from ...files.words import numbered
from ...grids.slack import referenced
from ...powerflow.admittances import SHAPING
from ...upstream.pandapower import array_rows, branch_columns, bus_columns, solved_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]

br, bi = branch_columns(), bus_columns()

UNSUPPORTED = ("xward", "svc", "tcsc", "ssc", "vsc", "b2b_vsc")
"""Elements with voltages or controls of their own, which no row of a dataset can hold."""

WINDINGS = ("hv", "mv", "lv")


@dataclass(frozen=True)
class Branches:
    """Parameters of branches at the taps of a state.

    Attributes:
        impedance: series impedance in p.u., shape (branches,).
        charging: susceptance of both ends together in p.u., shape (branches,).
        tap: ratio, shape (branches,).
        shift: phase shift in degrees, shape (branches,).
        beyond: admittance at either end that isn't charging, in p.u., shape (branches, 2).
    """

    impedance: Complexes
    charging: Reals
    tap: Reals
    shift: Reals
    beyond: Complexes


@dataclass(frozen=True)
class GridArrays:
    """The rows of a grid, and what they are in pandapower's tables.

    Attributes:
        base_mva: the system base in MVA.
        kv: nominal voltage of each row in kV, shape (rows,).
        bus: position of the first pandapower bus of each row, -1 for inner buses, shape (rows,).
        row: row of each pandapower bus, -1 where it has none, shape (buses,).
        reference: whether angles are counted from a row, shape (rows,).
        ends: rows of either end of each branch, shape (branches, 2).
        kind: table that each branch is from, shape (branches,).
        position: its position in that table, shape (branches,).
        winding: winding of a three-winding transformer, else empty, shape (branches,).
        live: whether the grid as given has it in service, shape (branches,).
        branches: parameters at the grid's own taps.
    """

    base_mva: float
    kv: Reals
    bus: Rows
    row: Rows
    reference: NDArray[np.bool_]
    ends: Rows
    kind: NDArray[np.str_]
    position: Rows
    winding: NDArray[np.str_]
    live: NDArray[np.bool_]
    branches: Branches

    @property
    def inner(self) -> Rows:
        """Rows of star points and open ends of lines, which have no pandapower bus."""
        return np.flatnonzero(self.bus < 0)


def grid_arrays(net: pandapowerNet, options: Mapping[str, Any], *, dispatched: bool) -> GridArrays:
    """Make the rows of a grid.

    Buses follow in the order of pandapower's table, those that closed switches join as one; star
    points and open ends of lines come last. What the grid as given leaves without supply has no
    row, nor have the branches there.

    Args:
        net: the grid; it isn't changed.
        options: solver options of the states.
        dispatched: whether they are optimal power flows.

    Raises:
        GridError: if a dataset can't hold the grid.
    """
    for element in UNSUPPORTED:
        if len(net.get(element, ())):
            have = numbered(len(net[element]), element)
            raise GridError(f"has {have}, which no dataset can hold")
    shape = {name: value for name, value in options.items() if name in SHAPING}
    solved = _solved(net, shape, dispatched=dispatched)
    arrays, lookups = solved_arrays(solved), array_rows(solved)
    bus, branch = arrays["bus"], arrays["branch"]
    if branch[:, [br.BR_R_ASYM, br.BR_X_ASYM]].any():
        raise GridError("has impedances that differ by direction, which no dataset can hold")
    at = lookups["bus"][net.bus.index.to_numpy(np.int64)].astype(np.int64)
    supplied = bus[:, bi.BUS_TYPE].real != bi.NONE
    first = np.full(len(bus), len(net.bus))
    np.minimum.at(first, at, np.arange(len(at)))
    order = np.argsort(first, kind="stable")
    order = order[supplied[order]]
    row = np.full(len(bus), -1)
    row[order] = np.arange(len(order))
    ends = row[branch[:, [br.F_BUS, br.T_BUS]].real.astype(np.int64)]
    kept = np.flatnonzero((ends >= 0).all(axis=1))
    kind, position, winding = _owners(lookups["branch"], len(branch))
    return GridArrays(
        base_mva=float(arrays["baseMVA"]),
        kv=bus[order, bi.BASE_KV].real,
        bus=np.where(first[order] < len(net.bus), first[order], -1),
        row=row[at],
        reference=bus[order, bi.BUS_TYPE].real == bi.REF,
        ends=ends[kept],
        kind=kind[kept],
        position=position[kept],
        winding=winding[kept],
        live=branch[kept, br.BR_STATUS].real.astype(bool),
        branches=_branches(branch[kept].real),
    )


def _solved(net: pandapowerNet, shape: Mapping[str, Any], *, dispatched: bool) -> pandapowerNet:
    """Return a copy with the arrays that its power flow starts from."""
    copy = deepcopy(net)
    copy["user_pf_options"] = {}
    plain = {"numba": False, "lightsim2grid": False, **shape}
    try:
        if dispatched:
            with referenced(copy):
                pandapower.runpp(copy, init="flat", max_iteration=1, **plain)
        else:
            pandapower.runpp(copy, init="flat", max_iteration=1, **plain)
    except LoadflowNotConverged:
        pass  # the arrays are there before the first iteration
    return copy


def _owners(
    spans: Mapping[str, tuple[int, int]], count: int
) -> tuple[NDArray[np.str_], Rows, NDArray[np.str_]]:
    """Return table, position and winding of each branch."""
    kind, winding = np.full(count, "", "<U12"), np.full(count, "", "<U2")
    position = np.zeros(count, np.int64)
    for name, (start, end) in spans.items():
        kind[start:end], position[start:end] = name, np.arange(end - start)
        if name == "trafo3w":
            each = (end - start) // len(WINDINGS)
            position[start:end] %= each
            winding[start:end] = np.repeat(WINDINGS, each)
    return kind, position, winding


def _branches(branch: Reals) -> Branches:
    """Read parameters as ``pandapower.pypower.makeYbus.branch_vectors`` does."""
    tap = np.where(branch[:, br.TAP] == 0, 1.0, branch[:, br.TAP])
    more = branch[:, br.BR_G] + branch[:, br.BR_G_ASYM] + 1j * branch[:, br.BR_B_ASYM]
    return Branches(
        impedance=branch[:, br.BR_R] + 1j * branch[:, br.BR_X],
        charging=branch[:, br.BR_B],
        tap=tap,
        shift=branch[:, br.SHIFT],
        beyond=np.stack([branch[:, br.BR_G] / 2 / tap**2 + 0j, more / 2], axis=1),
    )
