"""The grid of a dataset, and the arrays of its samples."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GatBatchError, ResultError
from ..grids import read_grid
from ..grids.elements import ElementIndex
from ..model.grid_model import prepare
from ..model.nodal_power import SIGN
from ..model.scenario_tables import own_grid, read_states
from ..model.state import State
from ..powerflow.admittances import SHAPING
from ..powerflow.injections.state_columns import Columns
from .filled_arrays import arrays_of
from .result_values import PRICES, QUANTITIES, result_values
from .rows.asked import asked_of
from .rows.demand import demand_asked, demand_solved
from .rows.generators import approximated, generators_of
from .rows.grid_arrays import Branches, grid_arrays
from .rows.inner_rows import fill_angles
from .rows.prices import prices_of
from .sample import Sample
from .sample_arrays import DcArrays

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..model.costs import Costs
    from ..plan.plan import Plan
    from ..study.scenario import Scenario
    from .result_values import Values
    from .sample_arrays import Prices, SampleArrays
    from .samples import SampleSet

    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]
    _State = tuple[Columns, Costs]

MOST_PARAMETERS = 1000
"""Most sets of impedances and tap positions whose parameters are kept."""


class DatasetGrid:
    """The grid of a dataset.

    Args:
        plan: the batch.
        samples: the dataset.
        priced: whether its samples have the prices of optima.

    Attributes:
        net: pandapower's network.
        grid: its rows.
        generators: its generators.
        dispatched: whether its samples are optimal power flows.
        approximated: how many of its cost curves a row can't hold.

    Raises:
        GatBatchError: if the grid can't be read, or a dataset can't hold it.
    """

    def __init__(self, plan: Plan, samples: SampleSet, *, priced: bool = False) -> None:
        self.results: Path = plan.summary("aggregated_results.parquet")
        self.dispatched = samples.solver == "ac_opf"
        self.paired = samples.paired
        self.priced = priced and self.dispatched
        self.options = _shape(samples)
        self.net = read_grid(plan.grid(samples.first))
        self.index = ElementIndex(self.net)
        try:
            self.grid = grid_arrays(self.net, self.options, dispatched=self.dispatched)
        except GatBatchError as fault:
            fault.file = fault.file or str(plan.grid(samples.first))
            raise
        self.model = prepare(self.net)
        self.generators = generators_of(self.net, self.grid, dispatched=self.dispatched)
        self.approximated = approximated(self.generators, self.model.costs)
        self._parameters: dict[object, Branches] = {}
        self._begun = -1
        self._next_states: Iterator[State] = iter(())

    def arrays(self, samples: Sequence[Sample]) -> tuple[SampleArrays, Values, Values]:
        """Return the arrays of some samples, and the values of the results that they are made of.

        Raises:
            GatBatchError: if results keep too few rows, or a table can't be read.
        """
        values = self._values(samples)
        self._check(values, samples)
        drawn = demand_solved(self.grid, self.generators, self.model.position, values)
        power = self._generation(values, "p_mw") + 1j * self._generation(values, "q_mvar")
        branches = self._branches(values, samples)
        states = [*self._states(samples)]
        arrays = self._made(samples, states, branches, (drawn, self._voltage(values), power))
        if self.priced:
            arrays = replace(arrays, prices=self._prices(values, len(samples)))
        arrays, beside = self._paired(arrays, samples)
        return arrays, values, beside

    def unsolved(self, samples: Sequence[Sample]) -> SampleArrays:
        """Return samples without an AC solution: voltages, generation and flows are 0.

        Raises:
            GatBatchError: if a table can't be read.
        """
        arrays, _ = self._paired(self._unsolved(samples, [*self._states(samples)]), samples)
        return arrays

    def as_given(self, scenario: Scenario) -> SampleArrays:
        """Return the grid as given, without a solution, as if it were a sample.

        Args:
            scenario: any scenario on the grid.
        """
        state = Columns(self.model, State(None, ())), self.model.costs
        return self._unsolved([Sample((scenario,), 0, scenario.id, None, "")], [state])

    def _check(self, values: Values, samples: Sequence[Sample]) -> None:
        """Refuse results that lack rows."""
        wanted = [("bus", "vm_pu"), ("bus", "va_degree")]
        for element in ("gen", "ext_grid", *SIGN):
            if len(self.net.get(element, ())):
                wanted += [(element, "p_mw"), (element, "q_mvar")]
        lacking = [f"{quantity} of {element}" for element, quantity in wanted
                   if (element, quantity) not in values]  # fmt: skip
        if lacking:
            hint = "run the batch with keep: all, or name it in keep"
            what = f"has no {lacking[0]}, which datasets are made of"
            raise ResultError(what, file=self.results, hint=hint)
        first = self.grid.bus[self.grid.bus >= 0]
        dark = np.isnan(values["bus", "vm_pu"][:, first]).any(axis=1)
        if dark.any():
            name = samples[int(np.flatnonzero(dark)[0])].name
            raise ResultError("has buses without a voltage", file=self.results, scenario=name)

    def _voltage(self, values: Values) -> Complexes:
        """Return voltages of rows, 0 of inner ones, shape (samples, rows)."""
        vm, va = values["bus", "vm_pu"], values["bus", "va_degree"]
        voltage: Complexes = (vm * np.exp(1j * np.radians(va)))[:, self.grid.bus]
        voltage[:, self.grid.inner] = 0.0
        return voltage

    def _generation(self, values: Values, quantity: str) -> Reals:
        known = {kind: values.get((kind, quantity)) for kind in ("gen", "ext_grid", "sgen")}
        states = len(values["bus", "va_degree"])
        there = {
            kind: np.zeros((states, len(self.net[kind]))) if found is None else found
            for kind, found in known.items()
        }
        return self.generators.gathered(there).astype(np.float64)

    def _paired(
        self, arrays: SampleArrays, samples: Sequence[Sample]
    ) -> tuple[SampleArrays, Values]:
        """Return samples with the DC solutions beside them, and the results of these."""
        if not self.paired:
            return arrays, {}
        beside = self._values([one.beside for one in samples])
        return replace(arrays, dc=self._dc(arrays, beside, samples)), beside

    def _values(self, samples: Sequence[Sample | None]) -> Values:
        quantities = (*QUANTITIES, *PRICES) if self.priced else QUANTITIES
        return result_values(self.results, samples, self.model.ids, quantities)

    def _prices(self, values: Values, count: int) -> Prices:
        return prices_of(self.grid, self.generators, self.model.ids, values, count)

    def _states(self, samples: Sequence[Sample]) -> Iterator[_State]:
        """Yield what each sample lays over the grid, and its cost curves."""
        for one in samples:
            state = self._state(one)
            yield Columns(self.model, state), {**self.model.costs, **state.costs}

    def _state(self, sample: Sample) -> State:
        """Return the state of a sample; a year of hours in their order is gone through once."""
        for begun in (self._begun, -1):
            if begun != sample.at:
                self._begun = sample.at
                self._next_states = read_states(self.index, sample.scenario)()
            for state in self._next_states:
                if state.snapshot == sample.snapshot:
                    return state
        what = f"has no snapshot {sample.snapshot!r} any more"
        raise ResultError(what, scenario=sample.name, hint="run the batch first")

    def _unsolved(self, samples: Sequence[Sample], states: Sequence[_State]) -> SampleArrays:
        drawn = [demand_asked(self.grid, self.generators, column) for column, _ in states]
        voltage = np.zeros((len(samples), len(self.grid.kv)), complex)
        power = np.zeros((len(samples), len(self.generators.kind)), complex)
        branches = self._branches({}, samples)
        return self._made(samples, states, branches, (np.stack(drawn), voltage, power))

    def _made(
        self,
        samples: Sequence[Sample],
        states: Sequence[_State],
        branches: Branches,
        solved: tuple[Complexes, Complexes, Complexes],
    ) -> SampleArrays:
        asked = [
            asked_of(self.grid, self.generators, column, costs, limits=self.dispatched)
            for column, costs in states
        ]
        return arrays_of(self.grid, self.generators, samples, (_stacked(asked), branches), solved)

    def _branches(self, values: Values, samples: Sequence[Sample]) -> Branches:
        """Return parameters at the impedances and taps of each sample, with samples first."""
        taps = {
            element: values[element, "tap_pos"]
            for element in ("trafo", "trafo3w")
            if (element, "tap_pos") in values
        }
        names = ("impedance", "charging", "tap", "shift", "beyond")
        if not taps and all(one.scenario.impedances is None for one in samples):
            own = [getattr(self.grid.branches, name) for name in names]
            return Branches(*(np.broadcast_to(one, (len(samples), *one.shape)) for one in own))
        found = [
            self._at(one.scenario, {name: of[at] for name, of in taps.items()})
            for at, one in enumerate(samples)
        ]
        return Branches(*(np.stack([getattr(one, name) for one in found]) for name in names))

    def _at(self, scenario: Scenario, taps: dict[str, Reals]) -> Branches:
        rows = scenario.impedances, scenario.impedance_rows
        key = rows, b"".join(values.tobytes() for values in taps.values())
        if key not in self._parameters:
            if len(self._parameters) >= MOST_PARAMETERS:
                self._parameters.clear()
            net = deepcopy(own_grid(self.index, scenario))
            for element, values in taps.items():
                known = ~np.isnan(values)
                net[element].loc[known, "tap_pos"] = values[known]
            made = grid_arrays(net, self.options, dispatched=self.dispatched)
            self._parameters[key] = made.branches
        return self._parameters[key]

    def _dc(self, arrays: SampleArrays, beside: Values, samples: Sequence[Sample]) -> DcArrays:
        found = np.array([one.beside is not None for one in samples])
        seconds = np.array([one.beside.seconds if one.beside else np.nan for one in samples])
        branches = len(self.grid.ends)
        if not found.any():
            nothing = np.full((len(samples), len(self.grid.kv)), np.nan)
            generation = np.full((len(samples), len(self.generators.kind)), np.nan)
            return DcArrays(nothing, generation, np.full((len(samples), branches), np.nan), seconds)
        va = beside["bus", "va_degree"][:, self.grid.bus]
        reactance = arrays.impedance.imag * arrays.tap
        strength = np.divide(1, reactance, out=np.zeros_like(reactance), where=reactance != 0)
        strength = np.where(arrays.live, strength, 0.0) * self.grid.base_mva
        fill_angles(self.grid, va, strength, arrays.shift)
        across = va[:, self.grid.ends[:, 0]] - va[:, self.grid.ends[:, 1]] - arrays.shift
        flow = strength * np.radians(across)
        generation = self._generation(beside, "p_mw")
        generation = np.where(arrays.running, np.nan_to_num(generation), 0.0)
        for values in (va, flow, generation):
            values[~found] = np.nan
        prices = self._prices(beside, len(samples)) if self.priced else None
        return DcArrays(va, generation, flow, seconds, prices)


def _shape(samples: SampleSet) -> dict[str, Any]:
    """Return the options that shape the equations, which all scenarios must share."""
    shapes: dict[str, tuple[str, dict[str, Any]]] = {}
    for one in samples.samples:
        shape = {name: one.scenario.options[name] for name in SHAPING
                 if name in one.scenario.options}  # fmt: skip
        shapes.setdefault(repr(sorted(shape.items())), (one.scenario.id, shape))
    if len(shapes) > 1:
        _, (name, shape) = [*shapes.values()][:2]
        what = "has other options that shape the equations than the scenarios before it"
        raise ResultError(what, scenario=name, field="options", hint="make two batches of them")
    ((_, shape),) = shapes.values()
    return shape


def _stacked(parts: Sequence[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    return {name: np.stack([part[name] for part in parts]) for name in parts[0]}
