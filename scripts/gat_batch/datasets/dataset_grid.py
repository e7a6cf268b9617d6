"""The grid of a dataset, and the arrays of its samples."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..errors import GatBatchError, ResultError
from ..grids import read_grid
from ..grids.elements import ElementIndex
from ..model.grid_model import prepare
from ..model.nodal_power import SIGN
from ..model.scenario_tables import read_states
from ..powerflow.admittances import SHAPING
from ..powerflow.injections.state_columns import Columns
from .result_values import result_values
from .rows.asked import asked_of
from .rows.generators import approximated, generators_of
from .rows.grid_arrays import Branches, grid_arrays
from .rows.inner_rows import fill_angles, fill_voltages
from .sample_arrays import DcArrays, SampleArrays, branch_admittances, branch_flows, summed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..plan.plan import Plan
    from .result_values import Values
    from .samples import Sample, SampleSet

    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]

MOST_TAPS = 1000
"""Most sets of tap positions whose parameters are kept."""


class DatasetGrid:
    """The grid of a dataset.

    Args:
        plan: the batch.
        samples: the dataset.

    Attributes:
        net: pandapower's network.
        grid: its rows.
        generators: its generators.
        dispatched: whether its samples are optimal power flows.
        approximated: how many of its cost curves a row can't hold.

    Raises:
        GatBatchError: if the grid can't be read, or a dataset can't hold it.
    """

    def __init__(self, plan: Plan, samples: SampleSet) -> None:
        self.results: Path = plan.summary("aggregated_results.parquet")
        self.dispatched = samples.solver == "ac_opf"
        self.paired = samples.paired
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
        self._taps: dict[bytes, Branches] = {}

    def arrays(self, samples: Sequence[Sample]) -> tuple[SampleArrays, Values, Values]:
        """Return the arrays of some samples, and the values of the results that they are made of.

        Raises:
            GatBatchError: if results keep too few rows, or a table can't be read.
        """
        values = result_values(self.results, samples, self.model.ids)
        self._check(values, samples)
        voltage = self._voltage(values)
        asked = _stacked([*self._asked(samples)])
        branches = self._branches(values, len(samples))
        live = asked["live"]
        series = (branches.impedance, branches.charging, branches.tap, branches.shift)
        admittance = branch_admittances(live, *series)
        beyond = np.where(live[..., None], branches.beyond, 0.0)
        shunt = asked["shunt"] + summed(
            beyond.reshape(len(samples), -1), self.grid.ends.ravel(), len(self.grid.kv)
        )
        fill_voltages(self.grid, voltage, admittance, shunt)
        generation = self._generation(values, "p_mw") + 1j * self._generation(values, "q_mvar")
        flow = branch_flows(admittance, self.grid.ends, voltage) * self.grid.base_mva
        arrays = SampleArrays(
            base_mva=self.grid.base_mva,
            number=np.array([one.number for one in samples], np.int64),
            load=np.array([one.load for one in samples], np.int64),
            seconds=np.array([one.seconds for one in samples]),
            kv=self.grid.kv,
            demand=self._demand(values, "p_mw") + 1j * self._demand(values, "q_mvar"),
            voltage=voltage,
            type=asked["type"],
            vm=asked["vm"],
            shunt=shunt,
            generator_row=self.generators.row,
            generation=np.where(asked["running"], np.nan_to_num(generation), 0.0),
            running=asked["running"],
            p=asked["p"],
            q=asked["q"],
            cost=asked["cost"],
            ends=self.grid.ends,
            live=live,
            impedance=series[0],
            charging=series[1],
            tap=series[2],
            shift=series[3],
            admittance=admittance,
            beyond=beyond,
            flow=np.where(live[..., None], flow, 0.0),
            rating=asked["rating"],
            angle=asked["angle"],
        )
        if not self.paired:
            return arrays, values, {}
        beside = result_values(self.results, [one.beside for one in samples], self.model.ids)
        return replace(arrays, dc=self._dc(arrays, beside, samples)), values, beside

    def elements(self) -> pa.Table:
        """Return the table that tells which element of pandapower's each row is."""
        generators, grid = self.generators, self.grid
        bus = np.where(grid.bus < 0, -1, self.net.bus.index.to_numpy()[grid.bus])
        parts = [("bus", np.full(len(bus), "bus"), bus, np.full(len(bus), ""))]
        for table, own in (("gen", generators), ("branch", grid)):
            ids = [
                int(self.net[kind].index[at]) if kind in self.net else at
                for kind, at in zip(own.kind.tolist(), own.position.tolist(), strict=True)
            ]
            winding = grid.winding if own is grid else np.full(len(ids), "")
            parts.append((table, own.kind, np.array(ids, np.int64), winding))
        return pa.concat_tables(
            pa.table(
                {
                    "table": pa.repeat(table, len(ids)),
                    "row": pa.array(range(len(ids)), pa.int64()),
                    "element": pa.array(kinds.tolist(), pa.string()),
                    "id": pa.array(ids, pa.int64(), mask=ids < 0),
                    "winding": pa.array([one or None for one in winding.tolist()], pa.string()),
                }
            )
            for table, kinds, ids, winding in parts
        )

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
            name = samples[int(np.flatnonzero(dark)[0])].scenario.id
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

    def _demand(self, values: Values, quantity: str) -> Reals:
        """Return what rows draw beside generators and shunts, shape (samples, rows)."""
        total = np.zeros((len(values["bus", "va_degree"]), len(self.grid.kv)))
        for element, sign in SIGN.items():
            if (element, quantity) in values:
                power = sign * np.nan_to_num(values[element, quantity])
                if element == "sgen":
                    power[:, self.generators.position[self.generators.of("sgen")]] = 0.0
                self._add(total, self.model.position[element], power)
        for end in ("from", "to"):
            name = quantity.replace("_m", f"_{end}_m")
            if ("dcline", name) in values:
                power = np.nan_to_num(values["dcline", name])
                self._add(total, self.model.position[f"dcline_{end}"], power)
        return total

    def _add(self, total: Reals, buses: NDArray[np.int64], power: Reals) -> None:
        rows = self.grid.row[buses]
        there = rows >= 0
        total += summed(power[:, there], rows[there], total.shape[1])

    def _asked(self, samples: Sequence[Sample]) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield what each sample asks of the grid: limits, costs, what is in service."""
        for scenario, own in groupby(samples, key=lambda one: one.scenario):
            wanted = {one.snapshot for one in own}
            for state in read_states(self.index, scenario)():
                if state.snapshot in wanted:
                    column = Columns(self.model, state)
                    costs = {**self.model.costs, **state.costs}
                    yield asked_of(
                        self.grid, self.generators, column, costs, limits=self.dispatched
                    )

    def _branches(self, values: Values, count: int) -> Branches:
        """Return parameters at the taps of each sample, with samples first."""
        taps = {
            element: values[element, "tap_pos"]
            for element in ("trafo", "trafo3w")
            if (element, "tap_pos") in values
        }
        names = ("impedance", "charging", "tap", "shift", "beyond")
        if not taps:
            own = [getattr(self.grid.branches, name) for name in names]
            return Branches(*(np.broadcast_to(one, (count, *one.shape)) for one in own))
        found = [self._at({name: of[at] for name, of in taps.items()}) for at in range(count)]
        return Branches(*(np.stack([getattr(one, name) for one in found]) for name in names))

    def _at(self, taps: dict[str, Reals]) -> Branches:
        key = b"".join(values.tobytes() for values in taps.values())
        if key not in self._taps:
            if len(self._taps) >= MOST_TAPS:
                self._taps.clear()
            net = deepcopy(self.net)
            for element, values in taps.items():
                known = ~np.isnan(values)
                net[element].loc[known, "tap_pos"] = values[known]
            self._taps[key] = grid_arrays(net, self.options, dispatched=self.dispatched).branches
        return self._taps[key]

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
        return DcArrays(va, generation, flow, seconds)


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
