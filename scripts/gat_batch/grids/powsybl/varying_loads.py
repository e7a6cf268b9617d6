"""Loads that depend on the voltage, where others feed in or draw at the same bus.

pandapower takes the mean shares of the loads at a bus, and applies them to all that is fed in and
drawn there. So loads at one bus get the same shares, those with which their sum is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .source import NAME_OF_SHARES
from .units import place

if TYPE_CHECKING:
    import pandas as pd

    from .source import Source

SIGNS = {"load": 1.0, "storage": 1.0, "sgen": -1.0}
"""What draws (1) or feeds in (-1) a given power at a bus."""

ROUNDING = 1e-9
"""Percent by which shares may exceed the whole."""

POWERS = {"p": "p_mw", "q": "q_mvar"}


def share_out(source: Source) -> None:
    """Correct the shares of loads that have company at their bus, or whose shares can't stay."""
    load = source.net.load
    if not len(load):
        return
    given = load[list(NAME_OF_SHARES.values())].fillna(0.0)
    if not given.to_numpy().any():
        return
    nodes = {element: _nodes(source, source.net[element]) for element in SIGNS}
    live = load["in_service"].to_numpy(bool)
    varies = given.any(axis=1).to_numpy() & live
    for node in dict.fromkeys(nodes["load"][varies]):
        mine = (nodes["load"] == node) & live
        if not _agree(source, node, nodes, mine):
            _split(source, mine & varies)


def _nodes(source: Source, table: pd.DataFrame) -> np.ndarray:
    return np.array([place(source, int(bus)) for bus in table["bus"]], dtype=object)


def _agree(source: Source, node: str, nodes: dict[str, np.ndarray], mine: np.ndarray) -> bool:
    """Give the loads of a bus the same shares; return whether there are any that are right."""
    load = source.net.load
    wanted: dict[str, float] = {}
    for axis, column in POWERS.items():
        total = 0.0
        for element, sign in SIGNS.items():
            table = source.net[element]
            here = (nodes[element] == node) & table["in_service"].to_numpy(bool)
            total += sign * float(table.loc[here, column].sum())
        for kind in ("z", "i"):
            name = NAME_OF_SHARES[kind, axis]
            part = float((load.loc[mine, name] * load.loc[mine, column]).sum())
            if part and not total:
                return False
            wanted[name] = part / total if part else 0.0
        shares = [wanted[NAME_OF_SHARES[kind, axis]] for kind in ("z", "i")]
        # Beyond, pandapower refuses them, or a changed load would change what others draw.
        if min(shares) < 0 or sum(shares) > 100 + ROUNDING:
            return False
    before = load.loc[mine, list(wanted)].to_numpy()
    if not np.allclose(before, list(wanted.values()), rtol=1e-12, atol=1e-9):
        names = ", ".join(load.loc[mine, "name"])
        source.note(
            f"loads {names} have common shares of constant impedance and current, with which all"
            " that their bus draws is right: pandapower has none of its own for each"
        )
        load.loc[mine, list(wanted)] = list(wanted.values())
    return True


def _split(source: Source, those: np.ndarray) -> None:
    """Make constant power and a shunt of loads; a constant current counts half as each."""
    load = source.net.load
    for index in load.index[those]:
        bus = int(load.loc[index, "bus"])
        drawn = []
        for axis, column in POWERS.items():
            z, i = (float(load.loc[index, NAME_OF_SHARES[kind, axis]]) / 100 for kind in ("z", "i"))
            power = float(load.loc[index, column])
            drawn.append(power * (z + i / 2))
            load.loc[index, column] = power * (1 - z - i / 2)
        load.loc[index, list(NAME_OF_SHARES.values())] = 0.0
        name = load.loc[index, "name"]
        siemens = complex(drawn[0], -drawn[1]) / source.kv[bus] ** 2
        source.add_shunt(f"impedance of {name}", bus, siemens, in_service=True)
        source.note(
            f"load {name} is one of constant power and a shunt, with the same slope at 1 p.u., as"
            " its shares can't be told from what else is at its bus"
        )
