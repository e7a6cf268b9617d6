"""pandapower by itself with elements switched off: what contingencies are held against."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pandapower

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


@contextmanager
def switched_off(net: Any, outages: Collection[tuple[str, int]]) -> Iterator[None]:
    """Have elements out of service for a while.

    Args:
        net: the network.
        outages: element and index of each.
    """
    before = {element: net[element]["in_service"].copy() for element, _ in outages}
    try:
        for element, number in outages:
            net[element].loc[number, "in_service"] = False
        yield
    finally:
        for element, values in before.items():
            net[element]["in_service"] = values


def solved_without(
    net: Any, solver: str, outages: Collection[tuple[str, int]], **options: Any
) -> Any:
    """Solve a network without some elements.

    Args:
        net: the network.
        solver: ``dc`` or ``ac``, to 1e-9 MVA.
        outages: element and index of each.
        options: pandapower's own.

    Returns:
        The network with its solution, or None if pandapower finds none.
    """
    with switched_off(net, outages):
        try:
            if solver == "dc":
                pandapower.rundcpp(net, **options)
            else:
                tight = {"numba": False, "lightsim2grid": False, "tolerance_mva": 1e-9}
                pandapower.runpp(net, **tight, **options)
        except (pandapower.LoadflowNotConverged, UserWarning):
            return None
    return net
