"""AC power flow by plain pandapower."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandapower
from pandapower.auxiliary import (
    ControllerNotConverged,
    LoadflowNotConverged,
    NetCalculationNotConverged,
)

from ...grids.tap_controllers import TABLE
from ...model.solution import Solution
from ...model.unharmed import ENGINE, unharmed
from ...study.solver_options import rungs
from ...upstream.pandapower import solved_arrays, usual_start
from .results import results_of_network
from .tap_control import controllers_in, final_taps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pandapower.auxiliary import pandapowerNet

    from ...model.grid_model import GridModel


def solve_ac(
    model: GridModel, options: Mapping[str, Any], *, ladder: Sequence[str] = ()
) -> Solution:
    """Solve the model's network as it stands.

    Args:
        model: the model, with a state laid over its network.
        options: keyword arguments of ``pandapower.runpp``.
        ladder: what to try where that doesn't converge, names of :data:`.solver_options.RUNGS`.

    Returns:
        The first solution found, its rung in the engine's name after a colon; ``not_converged``,
        with the reason of the first attempt, if none was.

    Raises:
        SolverError: if the study can't be posed.
    """
    first: Solution | None = None
    tried: list[str] = []
    for rung, way in rungs(options, ladder):
        solution = _attempt(model, way)
        if solution.status != "not_converged":
            return replace(solution, engine=f"{ENGINE}:{rung}") if rung else solution
        first = first or solution
        tried += [rung] if rung else []
    assert first is not None  # noqa: S101 - there is always the way as asked
    if not tried:
        return first
    return replace(first, detail=f"{first.detail} Nor did it by {', '.join(tried)}.")


def _attempt(model: GridModel, options: Mapping[str, Any]) -> Solution:
    net = model.net
    controlled = bool(options.get("tap_control")) and TABLE in net
    plain = {name: value for name, value in options.items() if name != "tap_control"}
    with controllers_in(net) if controlled else nullcontext():
        try:
            with unharmed(net):
                # Compiling costs a process seconds and saves a tenth of a power flow.
                _run(net, numba=False, lightsim2grid=False, run_control=controlled, **plain)
        except LoadflowNotConverged as error:
            reason = " ".join(str(error).split())
            return Solution("not_converged", ENGINE, _iterations(net), detail=reason)
        solution = results_of_network(model, dc=False)
        if controlled and solution.elements:
            for element, taps in final_taps(net).items():
                solution.elements[element]["tap_pos"] = taps
    return replace(solution, iterations=_iterations(net))


def _run(net: pandapowerNet, **options: Any) -> None:
    try:
        pandapower.runpp(net, **usual_start(net, options), **options)
    except (ControllerNotConverged, NetCalculationNotConverged) as error:
        raise LoadflowNotConverged(str(error)) from error
    except FloatingPointError:
        # As for a branch without reactance, by which the DC power flow at the start divides.
        if options.get("init") == "flat":
            raise
        given = {name: value for name, value in options.items() if not name.startswith("init_")}
        _run(net, **given | {"init": "flat"})
    except RuntimeError as error:
        # The decoupled methods factorise by SuperLU, which raises where Newton gives up.
        if "singular" in str(error):
            raise LoadflowNotConverged(str(error)) from error
        raise


def _iterations(net: pandapowerNet) -> int | None:
    iterations = solved_arrays(net).get("iterations")
    return None if iterations is None else int(iterations)
