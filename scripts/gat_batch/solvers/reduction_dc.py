"""Solutions of DC contingencies reduced to what remains of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from .contingency_dc import live_ends, shifts, slopes
from .findings import Findings, Reduction, Violations
from .mapping import branch_quantities
from .readout import REACTIVE

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
        raised: whether to find the highest loading that each contingency raises.
    """

    def __init__(self, *arguments: Any, angle: Reals, raised: bool) -> None:
        super().__init__(*arguments)
        arrays = self._arrays
        shunt = arrays.bus_shift.copy()
        ends = arrays.ends[arrays.live]
        np.subtract.at(shunt, ends[:, 0], arrays.branch_shift)
        np.add.at(shunt, ends[:, 1], arrays.branch_shift)
        self._need = self._need + shunt * arrays.base_mva
        ends, slope = live_ends(arrays), slopes(arrays) * arrays.base_mva
        cells = np.repeat(np.arange(len(ends)), 2), ends.ravel()
        driven = np.outer(slope, (1.0, -1.0)).ravel()
        self._driven = sparse.csr_matrix((driven, cells), (len(ends), arrays.buses))
        self._shift = shifts(arrays) * arrays.base_mva
        self._kiloampere, self._rise = self._per_mw(self._demand.vm)
        self._unrated = np.flatnonzero(np.isinf(self._rise))
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
        flow: Reals = (self._driven @ angle.T).T
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
        loading[:, self._unrated] = np.inf
        loading[void] = np.nan

        def described(element: str, number: Rows, position: Rows) -> Violations:
            places = self._places[element][position]
            through = flow[number[:, None], places]
            current = self._kiloampere[places]
            for n, (kiloampere, _) in own.items():
                mine = slice(*np.searchsorted(number, (n, n + 1)))
                current[mine] = kiloampere[places[mine]]
            current *= np.abs(through)[..., None]
            rating = loading[number[:, None], places]
            if element != "trafo3w":
                ampere = current[:, 0].max(axis=1) if element == "line" else current[:, 0, 0]
                quantities = {
                    "p_from_mw": through[:, 0],
                    "i_ka": ampere,
                    "loading_percent": rating[:, 0],
                }
                return Violations(number, position, quantities, lossless=True)
            both = np.stack([through, -through], axis=-1)
            quantities = branch_quantities(element, both, current, rating)
            real = {name: v for name, v in quantities.items() if name not in REACTIVE}
            return Violations(number, position, real)

        figures, over = self._branch_figures(loading)
        if self._above is not None:
            raised = np.where(loading > self._above, loading, np.nan)
            figures["max_raised_percent"] = np.fmax.reduce(raised, axis=1)
        loss = flow[:, self._lossy] @ self._lost_share
        sums = self._sums(block, lost, loss, 0.0)
        found = {element: described(element, *rows) for element, rows in over.items()}
        return Findings({**sums, **figures}, found)

    def _assumed(self, one: Contingent) -> Reals:
        """Voltages that the power flow assumes, in p.u.: setpoints where there are any."""
        vm = self._demand.vm.copy()
        vm[list(one.cut.holders)] = 1.0
        return vm
