"""Contingencies laid over the admittance model."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from ..powerflow.injections.demand import Demand
    from ..powerflow.topology import Cut, Topology


class OutageEffect(NamedTuple):
    """One contingency laid over some equations.

    Attributes:
        cut: what it takes out of them.
        branches: branches that no longer carry anything through, positions among the live ones.
        lost_rows: rows that are cut off.
        failing: element -> positions of what fails.
        injected: rows that are still supplied, and what is injected there in addition, in p.u.
    """

    cut: Cut
    branches: tuple[int, ...]
    lost_rows: frozenset[int]
    failing: Mapping[str, Sequence[int]]
    injected: Sequence[tuple[int, complex]]


def failing_power(
    admittances: AdmittanceModel, demand: Demand
) -> dict[str, NDArray[np.complex128]]:
    """Return the power in MVA of elements at a bus that may fail, in their table's sign."""
    generators = demand.unit_mw[admittances.units.span["gen"]].astype(np.complex128)
    return {"load": demand.power["load"], "sgen": demand.power["sgen"], "gen": generators}


def effect_of(
    outages: Iterable[tuple[str, int]],
    topology: Topology,
    admittances: AdmittanceModel,
    demand: Demand,
) -> OutageEffect | None:
    """Lay a contingency over the equations of a state.

    Args:
        outages: element and position in its table of what fails.
        topology: the graph of the equations.
        admittances: the equations.
        demand: what the state asks of them.

    Returns:
        The contingency, or None if the equations can't represent it; they know nothing of what
        isn't supplied before.
    """
    failing: dict[str, list[int]] = defaultdict(list)
    for element, position in outages:
        failing[element].append(position)
    if "dcline" in failing:
        return None
    cut = topology.cut(failing)
    if cut is None:
        return None
    lost = frozenset(cut.dead.tolist())
    power = failing_power(admittances, demand)
    injected = []
    for element in failing.keys() & power.keys():
        sign = 1.0 if element == "load" else -1.0
        for position in failing[element]:
            row = int(admittances.row[element][position])
            if row >= admittances.buses:
                return None
            if row not in lost:
                injected.append(
                    (row, sign * complex(power[element][position]) / admittances.base_mva)
                )
    branches = (*cut.gone, *(place for place, _ in cut.hanging))
    return OutageEffect(cut, branches, lost, failing, injected)
