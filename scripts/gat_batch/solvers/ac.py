"""AC power flow by plain pandapower."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandapower
from pandapower.auxiliary import LoadflowNotConverged

from .solution import Solution, read_out

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model import Model


def solve_ac(model: Model, options: Mapping[str, Any], *, many: bool) -> Solution:
    """Solve the model's network as it stands.

    Args:
        model: the model, with a state laid over its network.
        options: keyword arguments of ``pandapower.runpp``.
        many: whether hundreds of states of the same scenario follow. Only then does it pay to
            have numba compile pandapower's loops, which takes seconds in every process.

    Returns:
        The solution; ``not_converged`` if the solver found none.
    """
    net = model.net
    try:
        # lightsim2grid would be used wherever it happens to be installed: results must not
        # depend on that.
        pandapower.runpp(net, numba=many, lightsim2grid=False, **options)
    except LoadflowNotConverged:
        return Solution("not_converged", "pandapower", _iterations(model))
    return replace(read_out(model, dc=False), iterations=_iterations(model))


def _iterations(model: Model) -> int | None:
    ppc = model.net.get("_ppc")
    iterations = None if ppc is None else ppc.get("iterations")
    return None if iterations is None else int(iterations)
