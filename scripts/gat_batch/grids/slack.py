"""Where the angles of a grid are counted from: slacks, and references without a generator."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pandapower.auxiliary import pandapowerNet

REFERENCE = "reference_degree"
"""Column of buses: the angle in degrees of those that are a reference but have no generator."""


def has_slack(net: pandapowerNet) -> bool:
    """Return whether any bus in service has a slack in service."""
    live = net.bus.index[net.bus["in_service"].to_numpy(bool)]
    holders = (
        (net.ext_grid, True),
        (net.gen, net.gen["slack"].to_numpy(bool)),
        (net.vsc, (net.vsc["control_mode_ac"] == "slack").to_numpy(bool)),
    )
    return any(
        bool((table["in_service"].to_numpy(bool) & table["bus"].isin(live) & slack).any())
        for table, slack in holders
    )


def references(net: pandapowerNet) -> dict[int, float]:
    """Return the buses, beside the slacks, from which an optimal power flow counts angles.

    Returns:
        Bus -> its angle in degrees: the references that the file names; if it names none and there
        is no slack, the bus with the most generation; empty if there is neither.
    """
    live = net.bus.index[net.bus["in_service"].to_numpy(bool)]
    if REFERENCE in net.bus:
        named = net.bus[REFERENCE].reindex(live).dropna()
        if len(named):
            return {int(bus): float(angle) for bus, angle in named.items()}
    if has_slack(net):
        return {}
    size: dict[int, float] = {}
    for table in (net.gen, net.sgen):
        own = table[table["in_service"].to_numpy(bool) & table["bus"].isin(live).to_numpy()]
        most = own.get("max_p_mw", own["p_mw"]).fillna(own["p_mw"])
        for bus, power in zip(own["bus"], most, strict=True):
            size[int(bus)] = size.get(int(bus), 0.0) + float(power)
    return {max(size, key=size.__getitem__): 0.0} if size else {}


@contextmanager
def referenced(net: pandapowerNet) -> Iterator[None]:
    """Show pandapower the references without a generator as external grids, within a ``with``.

    They come last in the table of external grids, which is the same object afterwards as before.
    """
    table, buses = net.ext_grid, references(net)
    if buses:
        first = int(table.index.max()) + 1 if len(table) else 0
        added = pd.DataFrame(
            {"bus": list(buses), "vm_pu": 1.0, "va_degree": list(buses.values())},
            index=np.arange(first, first + len(buses)),
        )
        added["in_service"], added["slack_weight"] = True, 1.0
        columns = added.astype({"bus": table["bus"].dtype}).reindex(columns=table.columns)
        net.ext_grid = pd.concat([table, columns]) if len(table) else columns
        net.ext_grid = net.ext_grid.astype(
            {name: table[name].dtype for name in ("bus", "vm_pu", "va_degree", "in_service")}
        )
    try:
        yield
    finally:
        net.ext_grid = table
