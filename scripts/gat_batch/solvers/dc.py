"""DC power flow by plain pandapower."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandapower

from .solution import Solution, read_out

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model import Model


def solve_dc(model: Model, options: Mapping[str, Any], *, many: bool) -> Solution:  # noqa: ARG001
    """Solve the model's network as it stands.

    Args:
        model: the model, with a state laid over its network.
        options: keyword arguments of ``pandapower.rundcpp``.
        many: whether hundreds of states of the same scenario follow; of no concern here.

    Returns:
        The solution.
    """
    pandapower.rundcpp(model.net, **options)
    return read_out(model, dc=True)
