"""Solutions of DC contingencies reduced to what remains of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .contingency_dc import live_ends, shifts, slopes
from .findings import Findings, Reduction
from .mapping import branch_quantities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .contingent import Contingent
    from .findings import Reals, Rows


RAISED = 0.01
"""A loading that a contingency raises by less than this share of the limit counts as the base
case's."""


class DcReduction(Reduction):
    """Reduces DC contingencies of one state.

    Args:
        arguments: those of :class:`Reduction`.
        angle: angles in the state itself, in radians.
    """

    def __init__(self, *arguments: Any, angle: Reals) -> None:
        super().__init__(*arguments)
        arrays = self._arrays
        shunt = arrays.bus_shift.copy()
        ends = arrays.ends[arrays.live]
        np.subtract.at(shunt, ends[:, 0], arrays.branch_shift)
        np.add.at(shunt, ends[:, 1], arrays.branch_shift)
        self._need = self._need + shunt * arrays.base_mva
        self._first, self._second = live_ends(arrays).T.copy()
        self._slope = slopes(arrays) * arrays.base_mva
        self._shift = shifts(arrays) * arrays.base_mva
        self._kiloampere, self._rise = self._per_mw(self._demand.vm)
        with np.errstate(invalid="ignore"):
            self._base = np.abs(self._flow(angle[None])[0]) * self._rise

    def _per_mw(self, vm: Reals) -> tuple[Reals, Reals]:
        """What a MW means in each branch by the voltages that are assumed.

        Returns:
            Current at either end in kA, loading in percent.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            current: Reals = self._ampere / vm[self._arrays.ends]
            counted = np.where(self._by_power[:, None], 1.0, current)
            rise: Reals = (counted * self._percent).max(axis=1)
        return current, rise

    def _flow(self, angle: Reals) -> Reals:
        """Power into the first end of each branch in MW, shape (contingencies, branches)."""
        # All indices are good; to say so saves numpy a copy.
        flow: Reals = np.take(angle, self._first, axis=1, mode="clip")
        flow -= np.take(angle, self._second, axis=1, mode="clip")
        flow *= self._slope
        if self._shift.any():
            flow += self._shift
        return flow

    def of(self, block: Sequence[Contingent], angle: Reals) -> Findings:
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
        loading = np.abs(flow)
        with np.errstate(invalid="ignore"):
            loading *= self._rise
            for number, (_, rise) in own.items():
                loading[number] = np.abs(flow[number]) * rise
        loading[:, np.isinf(self._rise)] = np.inf
        loading[void] = np.nan

        def describe(element: str, number: Rows, places: Rows) -> dict[str, Reals]:
            through = flow[number[:, None], places]
            current = self._kiloampere[places]
            for n, (kiloampere, _) in own.items():
                mine = slice(*np.searchsorted(number, (n, n + 1)))
                current[mine] = kiloampere[places[mine]]
            current *= np.abs(through)[..., None]
            both = np.stack([through, -through], axis=-1)
            return branch_quantities(element, both, current, loading[number[:, None], places])

        figures, over = self._branch_figures(loading)
        raised = np.where(loading > self._base + RAISED * self._limit, loading, np.nan)
        figures["max_raised_percent"] = np.fmax.reduce(raised, axis=1)
        loss = flow @ (self._counted[:, 0] - self._counted[:, 1])
        sums = self._sums(block, lost, loss, 0.0)
        return Findings({**sums, **figures}, self._described(over, describe, dc=True))

    def _assumed(self, one: Contingent) -> Reals:
        """Voltages that the power flow assumes, in p.u.: setpoints where there are any."""
        vm = self._demand.vm.copy()
        vm[list(one.cut.holders)] = 1.0
        return vm
