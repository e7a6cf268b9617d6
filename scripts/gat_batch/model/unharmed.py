"""A network lent to pandapower, and given back unharmed."""

from __future__ import annotations

import warnings
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

import numpy as np
import pandapower
from pandapower.auxiliary import LoadflowNotConverged, OPFNotConverged

from ..errors import SolverError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from pandapower.auxiliary import pandapowerNet

ENGINE = "pandapower"

LEAST_REACTANCE_PU = 1e-6
"""Reactance on a base of 100 MVA that DC power flows take for lines without any: they divide by it,
and MW that flow through hardly turn the angle."""


@contextmanager
def unharmed(net: pandapowerNet) -> Iterator[None]:
    """Let pandapower solve a network; its element tables are afterwards the same objects as before.

    Args:
        net: the network.

    Raises:
        LoadflowNotConverged, OPFNotConverged: if it did not converge.
        SolverError: if pandapower fails in any other way, which means bad data. What may pass, as
            a lack of memory, stays what it is.
    """
    # While it solves, pandapower adds generators for DC lines and converters for stacked ones. It
    # leaves them behind when it fails, and a new table of generators when it doesn't.
    extended = ("gen", "vsc") if len(net.dcline) or len(net.vsc_stacked) else ()
    originals = {element: net[element] for element in extended}
    for element, table in originals.items():
        net[element] = table.copy()
    try:
        # What matters of its warnings and prints shows in the status.
        with warnings.catch_warnings(), redirect_stdout(None):
            warnings.simplefilter("ignore")
            yield
    except (LoadflowNotConverged, OPFNotConverged, MemoryError, OSError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or "no reason given"
        raise SolverError(
            f"pandapower can't solve this grid: {type(error).__name__}: {reason}",
            hint="pandapower.diagnostic(net) may tell more",
        ) from error
    finally:
        for element, table in originals.items():
            net[element] = table


def run_dc(net: pandapowerNet, options: Mapping[str, Any]) -> None:
    """Have pandapower solve a DC power flow; lines without reactance have next to none in it.

    Args:
        net: the network.
        options: keyword arguments of ``pandapower.rundcpp``.

    Raises:
        SolverError: as :func:`unharmed`.
    """
    line = net.line
    bare = (line["x_ohm_per_km"] == 0).to_numpy()
    if bare.any():
        kv = net.bus["vn_kv"].loc[line["from_bus"]].to_numpy(float)
        units = line["parallel"].to_numpy(float) / line["length_km"].to_numpy(float)
        least = LEAST_REACTANCE_PU * kv**2 / 100 * units
        net.line = line.assign(x_ohm_per_km=np.where(bare, least, line["x_ohm_per_km"]))
    try:
        with unharmed(net):
            pandapower.rundcpp(net, **options)
    finally:
        net.line = line
