"""Solvers: a model and a state in, a solution out. Nothing here knows about files.

Importing this package is cheap: a manifest's options are checked long before anything is solved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import SolverError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model import Model
    from ..state import State
    from .solution import Solution


def solve(
    model: Model,
    state: State,
    solver: str,
    options: Mapping[str, Any],
    *,
    ladder: Sequence[str] = (),
    solves: int = 1,
) -> Solution:
    """Solve one state of a grid.

    Args:
        model: the prepared grid; its element tables are afterwards as before.
        state: what differs from the grid as given.
        solver: kind of study: ``dc`` or ``ac``.
        options: solver options by pandapower's names, as :func:`options.check_options` passes
            them.
        ladder: what an AC power flow tries where it doesn't converge, names of
            :data:`options.RUNGS`.
        solves: how many states of the same scenario are solved in all; decides whether it pays
            to compile.

    Returns:
        The solution. Without any slack left there is nothing to solve: the status is then
        ``islanded``, with all load unserved and no element in it.

    Raises:
        SolverError: if the solver is unknown or the study can't be posed: bad data, not bad
            convergence.
    """
    from ..grids.sanity import has_slack
    from ..state import applied
    from .ac import solve_ac
    from .dc import solve_dc
    from .readout import blackout

    if solver not in ("dc", "ac"):
        raise SolverError(f"there is no solver {solver!r}", hint="known are dc, ac")
    with applied(model.net, state):
        if not has_slack(model.net):
            return blackout(model)
        if solver == "dc":
            return solve_dc(model, options)
        return solve_ac(model, options, ladder=ladder, solves=solves)
