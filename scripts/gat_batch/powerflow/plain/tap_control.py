"""Tap controllers for plain pandapower, made anew from the network's table of them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ...grids.tap_controllers import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet


@contextmanager
def controllers_in(net: pandapowerNet) -> Iterator[None]:
    """Put the controllers of a network's table into it meanwhile, and the taps back afterwards."""
    table = net["controller"]
    taps = {element: net[element]["tap_pos"].copy() for element in ("trafo", "trafo3w")}
    net["controller"] = table.iloc[:0].copy()
    try:
        for _, own in net[TABLE].groupby("controller", sort=True):
            _add(net, own)
        yield
    finally:
        net["controller"] = table
        for element, column in taps.items():
            net[element]["tap_pos"] = column


def _add(net: pandapowerNet, own: pd.DataFrame) -> None:
    from pandapower.control import ContinuousTapControl, DiscreteTapControl

    first = own.iloc[0]
    common: dict[str, Any] = {
        "element_index": _one_or_all(own["index"].to_numpy()),
        "side": first["side"],
        "element": first["element"],
        "tol": first["tol"],
        "in_service": bool(first["in_service"]),
        "level": first["level"],
        "order": first["order"],
    }
    if first["kind"] == "continuous":
        ContinuousTapControl(
            net,
            vm_set_pu=first["vm_set_pu"],
            check_tap_bounds=bool(first["check_tap_bounds"]),
            **common,
        )
        return
    bands = (_one_or_all(own[name].to_numpy()) for name in ("vm_lower_pu", "vm_upper_pu"))
    low, high = bands
    DiscreteTapControl(net, vm_lower_pu=low, vm_upper_pu=high, **common)


def _one_or_all(values: NDArray[Any]) -> Any:
    return values[0].item() if len(values) == 1 else values


def final_taps(net: pandapowerNet) -> dict[str, NDArray[np.float64]]:
    """Return the position of the tap of each transformer, ``trafo`` and ``trafo3w``."""
    return {
        element: net[element]["tap_pos"].to_numpy(np.float64, copy=True)
        for element in ("trafo", "trafo3w")
        if len(net[element])
    }
