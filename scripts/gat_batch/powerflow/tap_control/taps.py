"""The admittance model with transformers at other taps, by pandapower's own admittances of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ...model.state import Change, State, applied
from ..admittances import SHAPING, admittances_of, cached_admittances
from ..branch_flows import branches_of
from ..outages import branch_admittances

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ...model.admittance_model import AdmittanceModel
    from ...model.grid_model import GridModel

    Taps = Mapping[tuple[str, int], float]

MOST_KEPT = 64
"""Sets of taps whose equations are kept with those of their topology."""

LITTLE = {"init": "flat", "max_iteration": 1}
"""Options by which pandapower poses its equations, and hardly tries to solve them."""


class TapModel:
    """Admittances of a grid's transformers at any tap.

    Args:
        model: the model, with no state laid over its network.
        given: the equations of the grid as given.
        options: solver options.

    Attributes:
        model: the model.
    """

    def __init__(
        self, model: GridModel, given: AdmittanceModel, options: Mapping[str, Any]
    ) -> None:
        self.model, self._given = model, given
        self._options = {name: value for name, value in options.items() if name in SHAPING}
        self._known: dict[tuple[str, int, float], NDArray[np.complex128]] = {}
        self._places = {
            element: _among_live(given, branches_of(given, element))
            for element in ("trafo", "trafo3w")
        }

    def at(self, own: AdmittanceModel, taps: Taps) -> AdmittanceModel:
        """Return equations with transformers at other taps than given.

        Args:
            own: the equations of a state's topology.
            taps: element and position of transformers -> position of the tap.
        """
        if not taps:
            return own
        kept = own.solvers.setdefault("taps", {})
        key = tuple(sorted(taps.items()))
        if key not in kept:
            if len(kept) >= MOST_KEPT:
                kept.clear()
            kept[key] = self._changed(own, taps)
        found: AdmittanceModel = kept[key]
        return found

    def _changed(self, own: AdmittanceModel, taps: Taps) -> AdmittanceModel:
        self._learn(taps)
        place = np.concatenate([self._places[element][position] for element, position in taps])
        new = np.concatenate([self._known[*which, tap] for which, tap in taps.items()])
        # Branches out of service are none of the live ones.
        place, new = place[place >= 0], new[place >= 0]
        ends = own.ends[own.live[place]]
        added = new - branch_admittances(self._given)[place]
        added[own.open[place]] = 0.0
        count = own.buses
        both = [
            sparse.csr_matrix(
                (
                    np.ravel(added[:, side]),
                    (np.repeat(place, 2), np.ravel(ends)),
                ),
                own.at_from.shape,
            )
            for side in range(2)
        ]
        rows = np.repeat(ends, 2, axis=1), np.tile(ends, 2)
        bus = own.bus + sparse.csc_matrix(
            (added.reshape(len(place), 4).ravel(), (rows[0].ravel(), rows[1].ravel())),
            (count, count),
        )
        return replace(
            own, bus=bus.tocsc(), at_from=own.at_from + both[0], at_to=own.at_to + both[1]
        )

    def _learn(self, taps: Taps) -> None:
        """Have pandapower pose the equations at taps that aren't known yet."""
        missing = {which: tap for which, tap in taps.items() if (*which, tap) not in self._known}
        if not missing:
            return
        columns = {
            element: self.model.net[element]["tap_pos"].to_numpy(float, copy=True)
            for element, _ in missing
        }
        for (element, position), tap in missing.items():
            columns[element][position] = tap
        changes = tuple(Change(element, "tap_pos", column) for element, column in columns.items())
        with applied(self.model.net, State(None, changes)):
            posed = admittances_of(self.model.net, "ac", {**self._options, **LITTLE})
        if isinstance(posed, str) or not np.array_equal(posed.live, self._given.live):
            raise ArithmeticError("taps change which branches there are")
        blocks = branch_admittances(posed)
        for (element, position), tap in missing.items():
            self._known[element, position, tap] = blocks[self._places[element][position]]


def tap_model_of(model: GridModel, options: Mapping[str, Any]) -> TapModel:
    """Return the tap model of a grid, kept with its equations.

    Raises:
        TypeError: if the equations can't represent the grid.
    """
    given = cached_admittances(model, "ac", options)
    if isinstance(given, str):
        raise TypeError(given)
    kept: TapModel | None = given.shared.get("tap model")
    if kept is None or kept.model is not model:
        kept = given.shared["tap model"] = TapModel(model, given, options)
    return kept


def _among_live(given: AdmittanceModel, branches: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return positions of branches among the live ones, -1 of those that aren't."""
    place = np.full(len(given.ends), -1)
    place[given.live] = np.arange(len(given.live))
    return place[branches]
