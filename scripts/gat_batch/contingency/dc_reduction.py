"""Solutions of DC contingencies reduced to what remains of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ..model.quantities import REACTIVE
from ..powerflow.branch_flows import branch_quantities, strongest
from .block_results import BlockResults, Violations
from .dc import live_ends, shifts, slopes
from .reduction import Reduction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .outage_effect import OutageEffect
    from .reduction import Reals, Rows


RAISED = 0.01
"""A loading that a contingency raises by less than this share of the limit counts as the base
case's."""


class DcReduction(Reduction):
    """Reduces DC contingencies of one state.

    Args:
        arguments: those of :class:`Reduction`.
        angle: angles in the state itself, in radians.
        raised: whether to find the highest loading that each contingency raises.
    """

    def __init__(self, *arguments: Any, angle: Reals, raised: bool) -> None:
        super().__init__(*arguments)
        admittances = self._admittances
        shunt = admittances.bus_shift.copy()
        ends = admittances.ends[admittances.live]
        np.subtract.at(shunt, ends[:, 0], admittances.branch_shift)
        np.add.at(shunt, ends[:, 1], admittances.branch_shift)
        self._need = self._need + shunt * admittances.base_mva
        ends, slope = live_ends(admittances), slopes(admittances) * admittances.base_mva
        cells = np.repeat(np.arange(len(ends)), 2), ends.ravel()
        driven = np.outer(slope, (1.0, -1.0)).ravel()
        self._driven = sparse.csr_matrix((driven, cells), (len(ends), admittances.buses))
        self._shift = shifts(admittances) * admittances.base_mva
        self._shifted = np.flatnonzero(self._shift)
        self._kiloampere, self._rise = self._per_mw(self._demand.vm)
        self._per_mw_of = {
            element: {
                "i_ka": strongest(element, self._kiloampere[places]),
                "loading_percent": self._rise[places[:, 0]],
            }
            for element, places in self._places.items()
            if places.shape[1] == 1
        }
        # Flow into a branch that counts as loss: both ends of most cancel out.
        counted = self._counted[:, 0] - self._counted[:, 1]
        self._lossy = np.flatnonzero(counted)
        self._lost_share = counted[self._lossy]
        self._above: Reals | None = None
        if raised:
            with np.errstate(invalid="ignore"):
                base = np.abs(self._flow(angle[None])[0]) * self._rise
            self._above = base + RAISED * self._limit

    def _per_mw(self, vm: Reals) -> tuple[Reals, Reals]:
        """Tell what a MW means in each branch by the voltages that are assumed.

        Returns:
            Current at either end in kA, loading in percent.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            current: Reals = self._ampere / vm[self._admittances.ends]
            counted = np.where(self._by_power[:, None], 1.0, current)
            rise: Reals = (counted * self._percent).max(axis=1)
        return current, rise

    def _flow(self, angle: Reals) -> Reals:
        """Return power into the first end of each branch in MW, shape (contingencies, branches)."""
        flow: Reals = (self._driven @ angle.T).T
        flow[:, self._shifted] += self._shift[self._shifted]
        return flow

    def of(self, block: Sequence[OutageEffect], angle: Reals) -> BlockResults:
        """Reduce a block of contingencies.

        Args:
            block: the contingencies.
            angle: angles in radians, shape (contingencies, buses).
        """
        flow = self._flow(angle)
        lost = self._lost(block)
        still, void = self._out(block, lost)
        flow[still] = 0.0
        own = {
            n: self._per_mw(self._assumed(one)) for n, one in enumerate(block) if one.cut.holders
        }

        def described(element: str, number: Rows, position: Rows, percent: Reals) -> Violations:
            places = self._places[element][position]
            through = flow[number[:, None], places]
            if element in self._per_mw_of and not own:
                power = {"p_from_mw": through[:, 0]}
                return Violations(number, position, power, self._per_mw_of[element])
            current = self._kiloampere[places]
            for n, (kiloampere, _) in own.items():
                mine = slice(*np.searchsorted(number, (n, n + 1)))
                current[mine] = kiloampere[places[mine]]
            current *= np.abs(through)[..., None]
            both = np.stack([through, -through], axis=-1)
            quantities = branch_quantities(element, both, current, percent[:, None])
            real = {name: v for name, v in quantities.items() if name not in REACTIVE}
            return Violations(number, position, real)

        rises = {n: rise for n, (_, rise) in own.items()}
        peak = self._peak(flow, rises)
        loss = flow[:, self._lossy] @ self._lost_share
        flow[void] = np.nan
        figures, over = self._branch_figures(
            len(block), peak, lambda places: self._loading(flow, places, rises)
        )
        if self._above is not None:
            loading = self._loading(flow, np.arange(len(peak)), rises)
            raised = np.where(loading > self._above, loading, np.nan)
            figures["max_raised_percent"] = np.fmax.reduce(raised, axis=1)
        sums = self._sums(block, lost, loss, (0.0, self._shunts(block, lost)))
        found = {element: described(element, *rows) for element, rows in over.items()}
        return BlockResults({**sums, **figures}, found)

    def _shunts(self, block: Sequence[OutageEffect], lost: tuple[Rows, Rows]) -> Reals:
        """Return what shunts draw by the voltages that are assumed, in MW."""
        drawn = self._shunt_load * self._demand.vm[: len(self._shunt_load)] ** 2
        total: Reals = drawn.sum() - np.bincount(lost[0], drawn[lost[1]], minlength=len(block))
        for number, one in enumerate(block):
            freed = list(one.cut.holders)
            total[number] += (self._shunt_load[freed] - drawn[freed]).sum()
        return total

    def _loading(self, flow: Reals, places: Rows, rises: Mapping[int, Reals]) -> Reals:
        """Return the loading of some branches in percent, shape (contingencies, branches).

        Args:
            flow: power into branches in MW, NaN where they aren't supplied.
            places: which branches.
            rises: contingency -> what a MW means in each branch, where that is changed.
        """
        through = np.abs(np.take(flow.T, places, axis=0)).T
        with np.errstate(invalid="ignore"):
            loading: Reals = through * self._rise[places]
            for number, rise in rises.items():
                loading[number] = through[number] * rise[places]
        unrated = np.isinf(self._rise[places])
        loading[:, unrated] = np.where(np.isnan(through[:, unrated]), np.nan, np.inf)
        return loading

    def _peak(self, flow: Reals, rises: Mapping[int, Reals]) -> Reals:
        """Return the highest loading of each branch in percent.

        Arguments as of :meth:`_loading`.
        """
        # Twice as fast as max(axis=0).
        starts = np.arange(flow.shape[1]) * len(flow)
        most = np.maximum.reduceat(np.abs(flow.T).ravel(), starts)
        with np.errstate(invalid="ignore"):
            peak: Reals = most * self._rise
            for number, rise in rises.items():
                peak = np.fmax(peak, np.abs(flow[number]) * rise)
        peak[np.isinf(self._rise)] = np.inf
        return peak

    def _assumed(self, one: OutageEffect) -> Reals:
        """Return voltages that the power flow assumes, in p.u.: setpoints where there are any."""
        vm = self._demand.vm.copy()
        vm[list(one.cut.holders)] = 1.0
        return vm
