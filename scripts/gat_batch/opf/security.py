"""Preventive security in a DC optimal power flow: ratings hold after every contingency, too.

Flows after an outage are linear in the dispatch: what a lost branch carried is shared among the
others (line outage distribution factors; Wood, Wollenberg, Sheble, Power Generation, Operation and
Control, 3rd ed., ch. 7), what a lost unit gave the slack takes over. Of the millions of ratings
only those are added that the optimum so far would break, until it breaks none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from ..powerflow.branch_flows import branches_of
from .units import DRAWING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..model.contingencies.contingency import Contingency
    from .dispatch import Dispatch

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]

GUARDED = ("line", "trafo", "trafo3w", "gen", "sgen", "load", "storage")
"""Elements whose outages a dispatch can be secured against."""

WHOLE = 1e-6
"""Below this share of a branch's flow that others could carry, its outage parts the grid."""

OVER = 1e-7
"""How far over a rating a flow is before it counts, in p.u."""

MOST_PER_CONTINGENCY = 4
"""Ratings of one contingency that are added at a time, those broken most first."""


@dataclass(frozen=True)
class Guard:
    """The rating of a branch after a contingency, as a row of the program.

    Attributes:
        contingency: number of the contingency.
        branch: position among the live branches.
        row: coefficients of angles and injections, shape (1, buses + units).
        shift: flow in p.u. that doesn't depend on them.
        rating: most flow in p.u., in either direction.
    """

    contingency: int
    branch: int
    row: sparse.csr_matrix
    shift: float
    rating: float


class Security:
    """Flows after contingencies, as they follow from a dispatch.

    Args:
        dispatch: the optimal power flow in numbers.
        contingencies: what it is to be secured against.
        ratings: category -> ratings of the live branches in p.u. after its contingencies; ``""``
            for those of no category that is known.

    Attributes:
        parting: numbers of contingencies that part the grid, which no rating can guard against.
        unguarded: numbers of those of other elements, or of references.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        contingencies: Sequence[Contingency],
        ratings: Mapping[str, Reals],
    ) -> None:
        self._dispatch = dispatch
        self._ratings = [ratings.get(one.category, ratings[""]) for one in contingencies]
        admittances = dispatch.admittances
        live = np.arange(len(dispatch.ends))
        self._slope = np.asarray(admittances.at_from[live, dispatch.ends[:, 0]]).ravel()
        self._slope[admittances.open] = 0.0
        self._place = np.full(len(admittances.ends), -1)
        self._place[admittances.live] = live
        self._free = np.setdiff1d(np.arange(dispatch.buses), admittances.ref)
        self._inverse = splu(admittances.bus[self._free][:, self._free].tocsc())
        self._angle_turned: dict[tuple[str, int], Reals] = {}
        self.parting: list[int] = []
        self.unguarded: list[int] = []
        self._lost = [self._laid(number, one) for number, one in enumerate(contingencies)]

    def _laid(self, number: int, contingency: Contingency) -> tuple[Rows, list[_Loss]] | None:
        """Return the live branches and the injections that a contingency takes out."""
        branches: list[int] = []
        losses: list[_Loss] = []
        for element, position in contingency.outages:
            if element == "shunt":
                continue  # the charging of a branch that fails draws no active power
            if element not in GUARDED:
                self.unguarded.append(number)
                return None
            if element in ("line", "trafo", "trafo3w"):
                own = self._place[branches_of(self._dispatch.admittances, element)[position]]
                branches += [int(place) for place in own if place >= 0]
            else:
                loss = self._loss(element, position)
                if loss is None:
                    self.unguarded.append(number)
                    return None
                losses.append(loss)
        return np.array(sorted(set(branches)), np.int64), losses

    def _loss(self, element: str, position: int) -> _Loss | None:
        """Return what an injection's outage takes out; None for one at a reference."""
        dispatch = self._dispatch
        row = int(dispatch.admittances.row[element][position])
        if row >= dispatch.buses or row in dispatch.admittances.ref:
            return None
        units = dispatch.units
        mine = np.flatnonzero((units.element == element) & (units.position == position))
        if len(mine):
            return _Loss(row, int(mine[0]), 0.0)
        power = dispatch.asked.power[element][position].real / dispatch.admittances.base_mva
        return _Loss(row, None, power if element in DRAWING else -power)

    def _turned(self, kind: str, place: int) -> Reals:
        """Return how far 1 p.u. turns the angles, into a row or through a branch, in radians."""
        key = (kind, place)
        if key not in self._angle_turned:
            power = np.zeros(self._dispatch.buses)
            if kind == "row":
                power[place] = 1.0
            else:
                first, second = self._dispatch.ends[place]
                power[first] += 1.0
                power[second] -= 1.0
            angle = np.zeros(self._dispatch.buses)
            angle[self._free] = self._inverse.solve(power[self._free])
            self._angle_turned[key] = angle
        return self._angle_turned[key]

    def _flows(self, angle: Reals) -> Reals:
        """Return what angles drive through the live branches, in p.u."""
        first, second = self._dispatch.ends.T
        flow: Reals = self._slope * (angle[first] - angle[second])
        return flow

    def broken(self, angle: Reals, power: Reals) -> list[Guard]:
        """Return ratings that a dispatch breaks after contingencies, the worst of each.

        Args:
            angle: angles in radians, shape (buses,).
            power: injections of the units in p.u., shape (units,).
        """
        base = self._flows(angle) + self._dispatch.admittances.branch_shift
        guards: list[Guard] = []
        for number, lost in enumerate(self._lost):
            if lost is None:
                continue
            branches, losses = lost
            flow = base.copy()
            for loss in losses:
                change = loss.constant - (0.0 if loss.unit is None else power[loss.unit])
                flow += change * self._flows(self._turned("row", loss.row))
            shares = self._shares(number, branches)
            if shares is None:
                continue
            flow = flow + shares @ flow[branches]
            flow[branches] = 0.0
            over = np.abs(flow) - self._ratings[number]
            worst = np.argsort(-over)[:MOST_PER_CONTINGENCY]
            guards += [
                self._guard(number, int(branch), branches, shares, losses)
                for branch in worst[over[worst] > OVER].tolist()
            ]
        return guards

    def _shares(self, number: int, branches: Rows) -> Reals | None:
        """Return the share of each lost branch's flow that others take, None if the grid parts."""
        if not len(branches):
            return np.zeros((len(self._dispatch.ends), 0))
        response = np.column_stack([self._flows(self._turned("branch", b)) for b in branches])
        system = np.eye(len(branches)) - response[branches]
        if np.abs(np.linalg.det(system)) < WHOLE:
            if number not in self.parting:
                self.parting.append(number)
            return None
        shares: Reals = response @ np.linalg.inv(system)
        return shares

    def _guard(
        self, number: int, branch: int, branches: Rows, shares: Reals, losses: list[_Loss]
    ) -> Guard:
        dispatch = self._dispatch
        admittances = dispatch.admittances
        weights = np.concatenate([[1.0], shares[branch]])
        places = np.concatenate([[branch], branches]).astype(np.int64)
        angles = sparse.csr_matrix(weights) @ admittances.at_from[places]
        shift = float(weights @ admittances.branch_shift[places])
        units = np.zeros(len(dispatch.units.row))
        for loss in losses:
            effect = float(weights @ self._flows(self._turned("row", loss.row))[places])
            shift += effect * loss.constant
            if loss.unit is not None:
                units[loss.unit] -= effect
        row = sparse.hstack([angles, sparse.csr_matrix(units)], format="csr")
        return Guard(number, branch, row, shift, float(self._ratings[number][branch]))


@dataclass(frozen=True)
class _Loss:
    """An injection that a contingency takes out.

    Attributes:
        row: row of its bus.
        unit: the unit whose power goes, or None.
        constant: what is injected in addition in p.u., where it is given.
    """

    row: int
    unit: int | None
    constant: float
