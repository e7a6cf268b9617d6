"""Solvers: a model and a state in, a solution out. Nothing here knows about files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GatBatchError, SolverError
from ..state import applied
from .ac import solve_ac
from .dc import solve_dc
from .solution import Solution, unserved_mw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model import Model
    from ..state import State

ENGINES = {"dc": solve_dc, "ac": solve_ac}


def solve(
    model: Model, state: State, solver: str, options: Mapping[str, Any], *, many: bool = False
) -> Solution:
    """Solve one state of a grid.

    Args:
        model: the prepared grid; unchanged afterwards.
        state: what differs from the grid as given.
        solver: kind of study: ``dc`` or ``ac``.
        options: solver options by pandapower's names.
        many: whether hundreds of states of the same scenario are solved one after another.

    Returns:
        The solution. Without any slack left nothing can be solved: the status is then
        ``islanded``, with all load unserved and no quantities.

    Raises:
        SolverError: if the study can't be posed: bad data, not bad convergence.
    """
    with applied(model.net, state):
        if not _has_slack(model):
            nowhere = np.zeros(len(model.net.bus), dtype=bool)
            unserved = unserved_mw(model, nowhere)
            return Solution("islanded", "pandapower", system={"unserved_mw": unserved})
        try:
            return ENGINES[solver](model, options, many=many)
        except (GatBatchError, MemoryError, OSError):
            raise
        except Exception as error:  # pandapower raises whatever numpy or it itself comes upon
            reason = " ".join(str(error).split()) or "no reason given"
            raise SolverError(
                f"pandapower can't solve this grid: {type(error).__name__}: {reason}",
                hint="pandapower.diagnostic(net) may tell more",
            ) from error


def _has_slack(model: Model) -> bool:
    net = model.net
    live = net.bus.index[net.bus["in_service"].to_numpy(bool)]
    grids = net.ext_grid["in_service"] & net.ext_grid["bus"].isin(live)
    gens = net.gen["in_service"] & net.gen["slack"].astype(bool) & net.gen["bus"].isin(live)
    return bool(grids.any() or gens.any())
