"""AC power flow by plain pandapower."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandapower
from pandapower.auxiliary import LoadflowNotConverged

from .lending import ENGINE, lent
from .options import rungs
from .readout import read_out
from .solution import Solution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pandapower.auxiliary import pandapowerNet

    from ..model import Model

COMPILE_SECS = 2.3
SAVED_SECS = 4e-3
SAVED_SECS_PER_BUS = 6e-6
"""What numba costs a process once, and saves in each power flow: measured with pandapower 3.5.3
and numba 0.68 on 118, 1,354 and 2,869 buses. Results agree to rounding either way."""


def solve_ac(
    model: Model, options: Mapping[str, Any], *, ladder: Sequence[str] = (), solves: int = 1
) -> Solution:
    """Solve the model's network as it stands.

    Args:
        model: the model, with a state laid over its network.
        options: keyword arguments of ``pandapower.runpp``.
        ladder: what to try where that doesn't converge, names of :data:`options.RUNGS`.
        solves: how many states of the same scenario are solved in all.

    Returns:
        The first solution found, its rung in the engine's name after a colon; ``not_converged``,
        with the reason of the first attempt, if none was.

    Raises:
        SolverError: if the study can't be posed.
    """
    numba = compiling_pays(len(model.net.bus), solves)
    first: Solution | None = None
    for rung, way in rungs(options, ladder):
        solution = _attempt(model, way, numba=numba)
        if solution.status != "not_converged":
            return replace(solution, engine=f"{ENGINE}:{rung}") if rung else solution
        first = first or solution
    assert first is not None  # noqa: S101 - there is always the way as asked
    return first


def _attempt(model: Model, options: Mapping[str, Any], *, numba: bool) -> Solution:
    net = model.net
    try:
        with lent(net):
            # lightsim2grid would be used wherever it happens to be installed: results must not
            # depend on that.
            _run(net, numba=numba, lightsim2grid=False, **options)
    except LoadflowNotConverged as error:
        reason = " ".join(str(error).split())
        return Solution("not_converged", ENGINE, _iterations(net), detail=reason)
    solution = read_out(model, dc=False)
    return replace(solution, iterations=_iterations(net))


def compiling_pays(buses: int, solves: int) -> bool:
    """Whether numba saves more time than it takes to compile.

    Only what is known of a scenario decides, never what was solved before in the same process, so
    that a result doesn't depend on its neighbours.

    Args:
        buses: number of buses.
        solves: number of power flows.

    Returns:
        Whether it pays: from about 490 power flows with 118 buses, 110 with 2,869.
    """
    return solves * (SAVED_SECS + SAVED_SECS_PER_BUS * buses) > COMPILE_SECS


def _run(net: pandapowerNet, **options: Any) -> None:
    try:
        pandapower.runpp(net, **options)
    except RuntimeError as error:
        # The decoupled methods factorise by SuperLU, which raises where Newton gives up.
        if "singular" in str(error):
            raise LoadflowNotConverged(str(error)) from error
        raise


def _iterations(net: pandapowerNet) -> int | None:
    iterations = net["_ppc"].get("iterations")
    return None if iterations is None else int(iterations)
