"""A fast solution held against pandapower's own, now and then, while a batch runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from ..errors import DeviationError
from ..model.unharmed import ENGINE
from ..study.scenario import OPTIMAL
from .study import solve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.grid_model import GridModel
    from ..model.solution import Solution
    from ..model.state import State

POWER = ("p_mw", "q_mvar", "p_from_mw", "q_from_mvar", "p_to_mw", "q_to_mvar")

LARGEST_MW = 1e-4
LARGEST_PU = 1e-7
"""Deviations beyond which a solution counts as wrong: far above what two convergent solutions
differ by, far below what anyone studies."""

TIGHT_MVA = 1e-9
"""Tolerance of the solution that the fast one is held against."""


@dataclass(frozen=True)
class Deviation:
    """Largest deviations from pandapower's solutions.

    Attributes:
        states: states that were solved twice.
        mw: deviation of a power in MW or MVAr.
        pu: deviation of a voltage in p.u.
    """

    states: int = 0
    mw: float = 0.0
    pu: float = 0.0

    def __or__(self, other: Deviation) -> Deviation:
        return Deviation(self.states + other.states, max(self.mw, other.mw), max(self.pu, other.pu))


def chosen(share: float, *names: str | None) -> bool:
    """Tell whether a state belongs to the share that is solved twice; the same in every run."""
    return share > 0 and crc32(repr(names).encode()) < share * 2**32


def verified(
    model: GridModel, state: State, solver: str, options: Mapping[str, Any], ours: Solution
) -> Deviation:
    """Solve a state by pandapower too.

    Args:
        model: the model.
        state: the state.
        solver: kind of study.
        options: solver options.
        ours: the solution to verify.

    Returns:
        How far it is from pandapower's; nothing if it is pandapower's, or an optimum.

    Raises:
        DeviationError: if the two differ by more than rounding.
    """
    # An optimum is verified by its own conditions; equally cheap ones may differ.
    if solver in OPTIMAL or ours.engine.startswith(ENGINE):
        return Deviation()
    tight = {"tolerance_mva": TIGHT_MVA} if solver == "ac" else {}
    plain = solve(model, state, solver, {**options, **tight}, engine="pandapower")
    if plain.status == "not_converged":
        return Deviation()
    found = Deviation(1, _largest(ours, plain, POWER), _largest(ours, plain, ("vm_pu",)))
    if ours.status != plain.status or found.mw > LARGEST_MW or found.pu > LARGEST_PU:
        raise DeviationError(
            f"{ours.engine} differs from pandapower by {found.mw:.3g} MW and {found.pu:.3g} p.u.",
            hint="please report this with the grid; engine: pandapower avoids it",
        )
    return found


def _largest(ours: Solution, plain: Solution, quantities: tuple[str, ...]) -> float:
    largest = 0.0
    for element, columns in plain.elements.items():
        for quantity in set(quantities) & columns.keys():
            difference = np.abs(ours.elements[element][quantity] - columns[quantity])
            # A value that only one of them has is the largest difference there is.
            one_sided = np.isnan(ours.elements[element][quantity]) != np.isnan(columns[quantity])
            difference = np.where(one_sided, np.inf, np.nan_to_num(difference))
            largest = max(largest, float(difference.max(initial=0.0)))
    return largest
