"""Solutions of AC contingencies reduced to what remains of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.violations import HAIR_PU
from ..powerflow.branch_flows import branch_quantities, loading_of
from ..powerflow.outages import branch_admittances, stub_admittances
from .block_results import BlockResults, Violations
from .reduction import Reduction, highest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .outage_effect import OutageEffect
    from .reduction import Reals, Rows

    Complexes = NDArray[np.complex128]


class AcReduction(Reduction):
    """Reduces AC contingencies of one state.

    Args:
        arguments: those of :class:`Reduction`, the criteria the fourth.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        bands = arguments[3].bands
        admittances = self._admittances
        # Branches that aren't live carry nothing between rows of no consequence.
        self._ends = np.zeros((len(admittances.ends), 2), np.int64)
        self._ends[admittances.live] = admittances.ends[admittances.live]
        self._own = np.zeros((len(admittances.ends), 2, 2), complex)
        self._own[admittances.live] = branch_admittances(admittances)
        shunt = admittances.bus.diagonal()
        for side in range(2):
            own = self._own[admittances.live, side, side]
            np.subtract.at(shunt, self._ends[admittances.live, side], own)
        self._shunt_mw = shunt.real * admittances.base_mva
        rows = admittances.row["bus"]
        self._seen = np.flatnonzero(admittances.supplied[rows])
        self._seen_rows = rows[self._seen]
        self._low, self._high = (band[self._seen] for band in bands)
        self._held = admittances.held

    def of(self, block: Sequence[OutageEffect], voltage: Complexes) -> BlockResults:
        """Reduce a block of contingencies.

        Args:
            block: the contingencies.
            voltage: complex voltages in p.u., shape (contingencies, buses); changed.
        """
        mva = self._admittances.base_mva
        lost = self._lost(block)
        voltage[lost] = 0.0
        still, void = self._out(block, lost)
        ends = [np.take(voltage, self._ends[:, side], axis=1) for side in range(2)]
        current = [self._own[:, side, 0] * ends[0] for side in range(2)]
        for side in range(2):
            current[side] += self._own[:, side, 1] * ends[1]
            current[side][still] = 0.0
        self._hang(block, voltage, current)
        vm = np.abs(voltage)
        loading = self._loading(current, vm)
        loading[void] = np.nan
        power = [
            (there.real * flowing.real + there.imag * flowing.imag) * mva
            for there, flowing in zip(ends, current, strict=True)
        ]

        def described(element: str, number: Rows, position: Rows, percent: Reals) -> Violations:
            places = self._places[element][position]
            own = number[:, None], places
            amperes = np.stack([flowing[own] for flowing in current], axis=-1)
            there = np.stack([at_end[own] for at_end in ends], axis=-1)
            flow = there * np.conj(amperes) * mva
            kiloampere = np.abs(amperes) * mva * self._ampere[places]
            quantities = branch_quantities(element, flow, kiloampere, percent[:, None])
            return Violations(number, position, quantities)

        peak = np.fmax.reduce(loading, axis=0)
        figures, over = self._branch_figures(len(block), peak, lambda places: loading[:, places])
        loss = power[0] @ self._counted[:, 0] + power[1] @ self._counted[:, 1]
        square = vm**2
        drawn = power[0].sum(axis=1) + power[1].sum(axis=1) + square @ self._shunt_mw
        wards = slice(*self._admittances.span.get("xward", (0, 0)))
        load = square @ self._shunt_load + power[0][:, wards].sum(axis=1)
        figures |= self._sums(block, lost, loss, (drawn, load))
        found = {element: described(element, *rows) for element, rows in over.items()}
        seen = self._seen_voltages(block, lost, vm)
        figures |= self._extremes(seen)
        with np.errstate(invalid="ignore"):
            outside = (seen < self._low - HAIR_PU) | (seen > self._high + HAIR_PU)
        which, place = np.nonzero(outside)
        if len(which):
            angle = np.degrees(np.angle(voltage[which, self._seen_rows[place]]))
            values = {"vm_pu": seen[which, place], "va_degree": angle}
            found = {"bus": Violations(which, self._seen[place], values), **found}
        return BlockResults(figures, found)

    def _hang(
        self, block: Sequence[OutageEffect], voltage: Complexes, current: list[Complexes]
    ) -> None:
        """Let flow what lines draw that hang on one end."""
        admittances = self._admittances
        for number, one in enumerate(block):
            if not one.cut.hanging:
                continue
            lines, sides = np.array(one.cut.hanging, np.int64).T
            drawn = stub_admittances(admittances, lines, sides)
            for line, side, own in zip(admittances.live[lines], sides, drawn, strict=True):
                current[side][number, line] = own * voltage[number, self._ends[line, side]]

    def _loading(self, current: list[Complexes], vm: Reals) -> Reals:
        mva = self._admittances.base_mva
        strength = []
        for side, flowing in enumerate(current):
            values = np.abs(flowing)
            values *= self._ampere[:, side] * mva
            if self._by_power.any():
                places = np.flatnonzero(self._by_power)
                there = vm[:, self._ends[places, side]]
                values[:, places] = np.abs(flowing[:, places]) * there * mva
            strength.append(values)
        return loading_of(np.stack(strength, axis=-1), self._percent)

    def _seen_voltages(
        self, block: Sequence[OutageEffect], lost: tuple[Rows, Rows], vm: Reals
    ) -> Reals:
        """Voltages of buses in p.u., exactly as set where they are held, NaN where cut off."""
        setpoint = self._demand.vm
        for number, one in enumerate(block):
            held = self._held
            if one.cut.holders:
                held = np.setdiff1d(held, one.cut.holders)
            vm[number, held] = setpoint[held]
        vm[lost] = np.nan
        seen: Reals = vm[:, self._seen_rows]
        return seen

    def _extremes(self, seen: Reals) -> dict[str, Any]:
        buses = self._model.ids["bus"][self._seen]
        low, lowest, _ = highest(-seen)
        high, top, _ = highest(seen)
        return {
            "min_vm_pu": -lowest,
            "min_vm_bus": buses[low],
            "max_vm_pu": top,
            "max_vm_bus": buses[high],
        }
