"""DC power flow by plain pandapower."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...model.unharmed import run_dc
from .results import results_of_network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...model.grid_model import GridModel
    from ...model.solution import Solution


def solve_dc(model: GridModel, options: Mapping[str, Any]) -> Solution:
    """Solve the model's network as it stands.

    Args:
        model: the model, with a state laid over its network.
        options: keyword arguments of ``pandapower.rundcpp``.

    Returns:
        The solution; ``not_converged`` if the equations are singular.

    Raises:
        SolverError: if the study can't be posed.
    """
    run_dc(model.net, options)
    return results_of_network(model, dc=True)
