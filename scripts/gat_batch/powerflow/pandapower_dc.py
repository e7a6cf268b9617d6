"""DC power flow by plain pandapower."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandapower

from ..model.unharmed import lent
from .pandapower_results import read_out

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.grid_model import Model
    from ..model.solution import Solution


def solve_dc(model: Model, options: Mapping[str, Any]) -> Solution:
    """Solve the model's network as it stands.

    Args:
        model: the model, with a state laid over its network.
        options: keyword arguments of ``pandapower.rundcpp``.

    Returns:
        The solution; ``not_converged`` if the equations are singular.

    Raises:
        SolverError: if the study can't be posed.
    """
    with lent(model.net):
        pandapower.rundcpp(model.net, **options)
    return read_out(model, dc=True)
