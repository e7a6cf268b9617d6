"""Steps taps until every controlled voltage is within its band, as ``runpp(run_control=True)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .controllers import controllers_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ...model.admittance_model import AdmittanceModel
    from ..injections.state_columns import Columns
    from ..settled import Settled
    from .controllers import TapControllers
    from .taps import TapModel

    Reals = NDArray[np.float64]

MOST_ROUNDS = 30
"""Rounds of steps after which controllers count as hunting, as in pandapower."""

MOST_NAMED = 3
"""Hunting controllers that are named."""


@dataclass(frozen=True)
class Held:
    """A state with its taps settled.

    Attributes:
        settled: the solution.
        taps: ``trafo`` and ``trafo3w`` -> position of the tap of each, shape (transformers,).
        hunting: which controllers don't settle, for people; empty if all do.
    """

    settled: Settled
    taps: dict[str, Reals]
    hunting: str = ""


def held(
    own: AdmittanceModel,
    column: Columns,
    tap_model: TapModel,
    solve: Callable[[AdmittanceModel], Settled | None],
) -> Held | None:
    """Solve a state, stepping taps until their controllers are content.

    Args:
        own: the equations of the state's topology.
        column: the state.
        tap_model: admittances of transformers at any tap.
        solve: solves the state on some equations.

    Returns:
        The solution; None if pandapower has to solve it.
    """
    controllers = controllers_of(own, column)
    if isinstance(controllers, str):
        return None
    tap = controllers.tap.copy()
    solved = solve(own)
    if solved is None:
        return None
    for level in np.unique(controllers.level):
        mine = controllers.level == level
        for _ in range(MOST_ROUNDS + 1):
            step = np.where(mine, controllers.steps(tap, _voltages(controllers, solved)), 0.0)
            if not step.any():
                break
            tap += step
            moved = tap != controllers.tap
            which = zip(
                controllers.element[moved].tolist(),
                controllers.position[moved].tolist(),
                strict=True,
            )
            try:
                equations = tap_model.at(own, dict(zip(which, tap[moved].tolist(), strict=True)))
            except ArithmeticError:
                return None
            solved = solve(equations)
            if solved is None:
                return None
        else:
            return Held(solved, {}, _hunting(controllers, step, tap, column))
    return Held(solved, _all_taps(controllers, tap, column))


def _voltages(controllers: TapControllers, solved: Settled) -> Reals:
    """Return the voltages that controllers hold, in p.u., NaN where nothing is supplied."""
    admittances = solved.admittances
    vm = np.full(len(admittances.kv), np.nan)
    vm[: admittances.buses] = np.abs(solved.voltage)
    fixed = admittances.held
    vm[fixed] = solved.demand.vm[fixed]
    vm[~admittances.supplied] = np.nan
    voltages: Reals = vm[controllers.row]
    return voltages


def _all_taps(controllers: TapControllers, tap: Reals, column: Columns) -> dict[str, Reals]:
    taps = {
        element: column.numbers(element, "tap_pos").copy()
        for element in ("trafo", "trafo3w")
        if len(column.net[element])
    }
    for element, position, value in zip(
        controllers.element, controllers.position, tap, strict=True
    ):
        taps[str(element)][position] = value
    return taps


def _hunting(controllers: TapControllers, step: Reals, tap: Reals, column: Columns) -> str:
    """Return which controllers still step, the first of them by name."""
    names = []
    for n in np.flatnonzero(step)[:MOST_NAMED]:
        element = str(controllers.element[n])
        index = column.net[element].index[controllers.position[n]]
        low, high = sorted((tap[n], tap[n] - step[n]))
        names.append(f"{element} {index} between taps {low:g} and {high:g}")
    more = np.count_nonzero(step) - len(names)
    others = f" and {more} more" if more else ""
    return f"tap control doesn't settle in {MOST_ROUNDS} rounds: {', '.join(names)}{others}"
