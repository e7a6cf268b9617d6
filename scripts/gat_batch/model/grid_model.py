"""The prepared grid: what every scenario on it shares."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pandapower.topology import unsupplied_buses

from ..errors import SolverError
from ..grids.slack import referenced
from .costs import grid_costs
from .nodal_power import SIGN
from .quantities import COLUMNS
from .unharmed import run_dc

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from .admittance_model import AdmittanceModel
    from .costs import Costs

ELEMENTS = tuple(COLUMNS)
"""The elements that results tell of, in the order of their rows."""

ALWAYS = ("bus", "line", "trafo", "trafo3w", "gen", "sgen", "ext_grid", "load")
"""Those that every model has, if none of them; others only if the grid has any."""

STALE_OPTIONS = ("recycle", "lightsim2grid", "numba")


@dataclass(frozen=True)
class GridModel:
    """A grid with what its scenarios share.

    Attributes:
        net: the network; scenarios are laid over it and taken off again.
        ids: pandapower index of every element, shape (elements,), by element; of those beyond
            :data:`ALWAYS` only what the grid has.
        element: element of each row of a result, the ``system`` row first.
        id: index of each row, null for the ``system`` row.
        name: name of each row, null where it has none.
        cut_off: buses that the grid as given doesn't supply, shape (buses,).
        position: element -> position of each one's bus among the buses; ``dcline_from`` and
            ``dcline_to`` for DC lines.
        equations: admittance models, or why there are none; filled as they are needed.
        columns: columns of the grid's tables as given, likewise.
        given: the model of the grid given, of which this one differs in impedances alone; or None.
    """

    net: pandapowerNet
    ids: dict[str, NDArray[np.int64]]
    element: pa.StringArray
    id: pa.Int64Array
    name: pa.StringArray
    cut_off: NDArray[np.bool_]
    position: dict[str, NDArray[np.int64]]
    equations: dict[object, AdmittanceModel | str] = field(default_factory=dict)
    columns: dict[object, NDArray[Any]] = field(default_factory=dict)
    given: GridModel | None = None

    @cached_property
    def costs(self) -> Costs:
        """The grid's own cost curves."""
        return grid_costs(self.net)


def prepare(net: pandapowerNet) -> GridModel:
    """Prepare a grid for many scenarios.

    A DC power flow of the grid as given tells which buses it supplies.

    Args:
        net: the grid, which the model keeps.

    Returns:
        The model.
    """
    _forget_stale_options(net)
    cut_off = _cut_off(net)
    ids = {
        element: net[element].index.to_numpy(np.int64)
        for element in ELEMENTS
        if element in ALWAYS or len(net.get(element, ()))
    }
    sizes = [len(rows) for rows in ids.values()]
    names = chain.from_iterable(_names(net, element) for element in ids)
    return GridModel(
        net=net,
        ids=ids,
        element=pa.array(["system", *np.repeat(list(ids), sizes).tolist()], pa.string()),
        id=pa.array([None, *np.concatenate(list(ids.values())).tolist()], pa.int64()),
        name=pa.array([None, *names], pa.string()),
        cut_off=cut_off,
        position=_positions(net),
    )


def with_own_impedances(model: GridModel, net: pandapowerNet) -> GridModel:
    """Return the model of a grid that differs from a model's in impedances alone.

    Args:
        model: the model.
        net: the other grid.
    """
    return replace(model, net=net, equations={}, columns={}, given=model)


def _positions(net: pandapowerNet) -> dict[str, NDArray[np.int64]]:
    where = {element: net[element]["bus"] for element in ("gen", "ext_grid", "shunt", *SIGN)}
    where |= {f"dcline_{end}": net.dcline[f"{end}_bus"] for end in ("from", "to")}
    return {
        element: net.bus.index.get_indexer(buses).astype(np.int64)
        for element, buses in where.items()
    }


def _cut_off(net: pandapowerNet) -> NDArray[np.bool_]:
    """Return buses that a grid as given doesn't supply, shape (buses,)."""
    with referenced(net):
        try:
            run_dc(net, {})
        except SolverError:
            # As for a transformer without reactance, with which an AC power flow is fine.
            dark = net.bus.index.isin(unsupplied_buses(net))
            return np.asarray(dark | ~net.bus["in_service"].to_numpy(bool))
        return ~supplied_buses(net)


def _forget_stale_options(net: pandapowerNet) -> None:
    """Keep a grid's own options, but for those that let one scenario's result reach the next."""
    stored = net.get("user_pf_options") or {}
    net["user_pf_options"] = {
        name: value
        for name, value in stored.items()
        if name not in STALE_OPTIONS and not (isinstance(value, str) and value == "results")
    }


def _names(net: pandapowerNet, element: str) -> list[str | None]:
    table = net[element]
    if "name" not in table:
        return [None] * len(table)
    column = table["name"]
    return [
        None if missing else str(name) for name, missing in zip(column, column.isna(), strict=True)
    ]


def supplied_buses(net: pandapowerNet) -> NDArray[np.bool_]:
    """Return buses that the power flow just solved has connected to a slack, shape (buses,)."""
    # pandapower voids the voltage of exactly those that it leaves out, in DC power flows too;
    # angles are also void where equations are singular.
    supplied: NDArray[np.bool_] = np.isfinite(net.res_bus["vm_pu"].to_numpy(np.float64))
    return supplied
