"""A network beside the arrays that pandapower's power flow makes of it.

The arrays hold every branch parameter as it is solved; the tables say which element it belongs to.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandapower
import pandas as pd
from pandapower.auxiliary import LoadflowNotConverged

from ...errors import GridError
from ...upstream.pandapower import array_rows, bus_columns, solved_arrays
from ..slack import referenced

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

bi = bus_columns()


class Source:
    """What a case is made of: a network, and the arrays of its power flow.

    Args:
        net: the network; it isn't changed.

    Attributes:
        net: the network.
        ppc: pandapower's arrays, one row a bus or branch.
        lookups: where an element's rows are in the arrays.
        row_of_bus: row of each pandapower bus.
        bus_id: id in the case of each row: that of its first pandapower bus, or a fresh one.
        g, b: what branches leave at each row for a shunt to take over, in MW and MVAr at 1 p.u.
        dropped: what the case can't hold, one sentence each.

    Raises:
        GridError: if pandapower can't model the grid.
    """

    def __init__(self, net: pandapowerNet) -> None:
        internal = _internal_model(net)
        self.net = net
        self.ppc = solved_arrays(internal)
        self.lookups = array_rows(internal)
        self.row_of_bus = pd.Series(self.lookups["bus"][net.bus.index], index=net.bus.index)
        self.dropped: list[str] = []
        first = self.row_of_bus.reset_index().groupby(0)["index"].min()
        known = dict(zip(first.index, first.to_numpy(), strict=True))
        fresh = iter(range(int(net.bus.index.max()) + 1, 2**62))
        self.bus_id = [
            int(known[row]) if row in known else next(fresh) for row in range(len(self.ppc["bus"]))
        ]
        self.g = np.zeros(len(self.bus_id))
        self.b = np.zeros(len(self.bus_id))

    @property
    def base_mva(self) -> float:
        """The system base in MVA."""
        return float(self.ppc["baseMVA"])

    @property
    def merged_buses(self) -> int:
        """Buses that closed switches join with others."""
        return len(self.net.bus) - self.row_of_bus.nunique()

    @cached_property
    def held(self) -> set[int]:
        """Ids of the buses whose voltage is held, also in islands without supply."""
        held = {
            self.at(bus)
            for table in (self.net.gen, self.net.ext_grid)
            for bus in table["bus"][table["in_service"].astype(bool)]
        }
        kinds = self.ppc["bus"][:, bi.BUS_TYPE].real
        return held | {self.bus_id[row] for row in np.flatnonzero(np.isin(kinds, (bi.PV, bi.REF)))}

    def at(self, bus: int) -> int:
        """Return the id of the bus that a pandapower bus became."""
        return self.bus_id[int(self.row_of_bus[bus])]


def _internal_model(net: pandapowerNet) -> pandapowerNet:
    """Return a copy of the network with the arrays that its power flow starts from."""
    copy = deepcopy(net)
    copy.user_pf_options = {}
    # Loads at constant impedance or current would be left out of the buses' power.
    for column in [name for name in copy.load if str(name).startswith("const_")]:
        copy.load[column] = 0.0
    try:
        with referenced(copy):
            pandapower.runpp(copy, init="flat", max_iteration=1, numba=False, lightsim2grid=False)
    except LoadflowNotConverged:
        pass  # the arrays are there before the first iteration, and nothing else is wanted
    except Exception as error:
        raise GridError(f"pandapower can't model this grid: {error}") from error
    return copy


def number(value: object, missing: float = float("nan")) -> float:
    """Return a cell as a number, or ``missing`` if it holds none."""
    try:
        number = float(value)  # type: ignore[arg-type] # anything may stand in a column
    except (TypeError, ValueError):
        return missing
    return missing if np.isnan(number) else number


def name_or(value: Any, missing: str) -> str:
    """Return a cell as a name, or ``missing`` if it is empty."""
    return missing if pd.isna(value) else str(value)
