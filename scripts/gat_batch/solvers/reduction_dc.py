"""Solutions of DC contingencies reduced to what remains of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .findings import Findings, Reduction
from .mapping import branch_quantities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .contingent import Contingent
    from .findings import Reals, Rows


RAISED_PERCENT = 1.0
"""A loading that a contingency raises by less than this counts as the base case's."""


class DcReduction(Reduction):
    """Reduces DC contingencies of one state.

    Args:
        arguments: those of :class:`Reduction`.
        flow: power into the first end of each branch in the state itself, in MW.
    """

    def __init__(self, *arguments: Any, flow: Reals) -> None:
        super().__init__(*arguments)
        arrays = self._arrays
        shunt = arrays.bus_shift.copy()
        ends = arrays.ends[arrays.live]
        np.subtract.at(shunt, ends[:, 0], arrays.branch_shift)
        np.add.at(shunt, ends[:, 1], arrays.branch_shift)
        self._need = self._need + shunt * arrays.base_mva
        self._slope = self._slopes(self._demand.vm)
        with np.errstate(invalid="ignore"):
            self._base = np.abs(flow) * self._slope

    def _slopes(self, vm: Reals) -> Reals:
        """Loading in percent that a MW means in each branch, by the voltages that are assumed."""
        with np.errstate(invalid="ignore", divide="ignore"):
            unit = self._ampere / vm[self._arrays.ends]
            unit = np.where(self._by_power[:, None], 1.0, unit)
            slopes: Reals = (unit * self._percent).max(axis=1)
        return slopes

    def of(self, block: Sequence[Contingent], flow: Reals) -> Findings:
        """Reduce a block of contingencies.

        Args:
            block: the contingencies.
            flow: power into the first end of each branch in MW, shape (contingencies, branches);
                changed.
        """
        still, void = self._out(block)
        flow[still] = 0.0
        loading = np.abs(flow)
        with np.errstate(invalid="ignore"):
            loading *= self._slope
        for number, one in enumerate(block):
            if one.cut.holders:
                loading[number] = np.abs(flow[number]) * self._slopes(self._assumed(one))
        loading[:, np.isinf(self._slope)] = np.inf
        loading[void] = np.nan

        ends = self._arrays.ends

        def describe(element: str, number: Rows, places: Rows) -> dict[str, Reals]:
            own = flow[number[:, None], places]
            held = self._demand.vm[ends[places]]
            for n, one in enumerate(block):
                if one.cut.holders:
                    mine = slice(*np.searchsorted(number, (n, n + 1)))
                    held[mine] = self._assumed(one)[ends[places[mine]]]
            current = np.abs(own)[..., None] * self._ampere[places] / held
            both = np.stack([own, -own], axis=-1)
            return branch_quantities(element, both, current, loading[number[:, None], places])

        figures, over = self._branch_figures(loading)
        raised = np.where(loading > self._base + RAISED_PERCENT, loading, np.nan)
        figures["max_raised_percent"] = np.fmax.reduce(raised, axis=1)
        loss = flow @ (self._counted[:, 0] - self._counted[:, 1])
        return Findings(
            {**self._sums(block, loss, 0.0), **figures}, self._described(over, describe, dc=True)
        )

    def _assumed(self, one: Contingent) -> Reals:
        """Voltages that the power flow assumes, in p.u.: setpoints where there are any."""
        if not one.cut.holders:
            return self._demand.vm
        vm = self._demand.vm.copy()
        vm[list(one.cut.holders)] = 1.0
        return vm
