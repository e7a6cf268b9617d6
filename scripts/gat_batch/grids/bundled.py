"""Grids that ship with pandapower."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import numpy as np
from pandapower import networks
from pandapower.auxiliary import pandapowerNet as Network

from ..errors import GridError
from ..files.words import meant
from ..upstream.pandapower import reading_lean

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

UNRATED_MVA = 99.999


def read_bundled(name: str) -> pandapowerNet:
    """Read a bundled grid.

    Args:
        name: the name of a function of ``pandapower.networks`` that needs no arguments.

    Returns:
        The network.

    Raises:
        GridError: if there is no such grid, or it is several networks.
    """
    builder = getattr(networks, name, None) if name.isidentifier() else None
    if not (name in _names() and callable(builder)):
        hint = meant(name, _names()) or "see pandapower.networks for the names"
        raise GridError(f"pandapower has no grid {name!r}", file=f"pandapower:{name}", hint=hint)
    with reading_lean():
        net = builder()
    if not isinstance(net, Network):
        raise GridError("is not one network", file=f"pandapower:{name}")
    _forget_ratings(net)
    return net


def _forget_ratings(net: pandapowerNet) -> None:
    """Remove the limit of transformers that have none in the published cases.

    The PEGASE and RTE cases were made with 99,999 kVA where MATPOWER's data have a rating of 0,
    which means none. No power flow depends on it; optimal power flows would be infeasible.
    """
    if "max_loading_percent" in net.trafo:
        unrated = np.isclose(net.trafo["sn_mva"], UNRATED_MVA, rtol=1e-9)
        net.trafo.loc[unrated, "max_loading_percent"] = np.nan


def _names() -> list[str]:
    """Return the functions of ``pandapower.networks`` that can be called without arguments."""
    return [
        name
        for name, function in vars(networks).items()
        if inspect.isfunction(function)
        and function.__module__.startswith("pandapower.networks.")
        and not name.startswith("_")
        and all(
            parameter.default is not parameter.empty
            or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            for parameter in inspect.signature(function).parameters.values()
        )
    ]
