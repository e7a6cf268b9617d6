"""Contingencies of one state solved together, many in a block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..model.contingencies.contingency import after, service_of
from ..powerflow.admittances import admittances_of_state
from ..powerflow.block import ac_powers, dc_powers, reactive_limits_of
from ..powerflow.element_results import solution_of
from ..powerflow.injections.demand import demand_of, injection_of
from ..powerflow.injections.state_columns import Columns
from ..powerflow.newton import newton
from ..powerflow.outages import without
from ..powerflow.settled import follows_solution
from ..powerflow.topology import Topology
from ..study.scenario import OPTIMAL
from .ac import MOST_STEPS, AcContingencies
from .ac_reduction import AcReduction
from .dc import DcContingencies
from .dc_reduction import DcReduction
from .outage_effect import effect_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from ..model.contingencies.contingency import Contingency
    from ..model.criteria import Criteria
    from ..model.grid_model import GridModel
    from ..model.solution import Solution
    from ..model.state import State
    from ..solvers.study import Study
    from .block_results import BlockResults
    from .outage_effect import OutageEffect

    Rows = NDArray[np.int64]

CELLS_PER_BLOCK = {"dc": 450_000, "ac": 200_000}
"""Contingencies times branches of a block: what is at work then stays near the processor."""


MOST_PER_BLOCK = 1024


class _Block(Protocol):
    @property
    def solved(self) -> NDArray[np.bool_]: ...
    @property
    def values(self) -> NDArray[Any]: ...
    def voltage(self, number: int, /) -> NDArray[np.complex128]: ...
    def iterations(self, number: int, /) -> int | None: ...


class _Kernel(Protocol):
    def solve(self, block: Sequence[OutageEffect], /) -> _Block: ...


class _Reduction(Protocol):
    def of(self, block: Sequence[OutageEffect], values: NDArray[Any], /) -> BlockResults: ...


class Blocks:
    """Contingencies on the admittance model."""

    def __init__(
        self,
        model: GridModel,
        state: State,
        study: Study,
        criteria: Mapping[str, Criteria],
        equations: AdmittanceModel,
        *,
        raised: bool,
    ) -> None:
        self._model = model
        self._admittances = equations
        self._dc = study.solver == "dc"
        self._options = study.options
        self._service = service_of(model.net, state)
        self._state = state
        self._column = Columns(model, state)
        if not self._dc and follows_solution(equations, self._column, study.options):
            raise ArithmeticError("what the state asks of the equations follows their solution")
        self._demand = demand_of(model, equations, self._column, study.options)
        if self._demand.contradictory:
            raise ArithmeticError("units at one bus ask for different voltages")
        self._topology = Topology(equations, model.net)
        self._loading = str(study.options.get("trafo_loading", "current"))
        self._criteria, self._raised = criteria, raised
        self._reductions: dict[str, _Reduction] = {}
        self._kernel: _Kernel
        if self._dc:
            self._kernel = DcContingencies(equations, self._demand)
            self._reduction("")
            return
        injection = injection_of(equations, self._demand)
        solved = newton(equations, injection, self._demand.vm, study.options)
        if solved is None:
            raise ArithmeticError("Newton's method does not converge on the admittance model")
        tolerance = float(study.options.get("tolerance_mva", 1e-8)) / equations.base_mva
        iterations = study.options.get("max_iteration", "auto")
        most = MOST_STEPS if iterations == "auto" else min(MOST_STEPS, int(iterations))
        self._kernel = AcContingencies(equations, self._demand, solved[0], tolerance, most)
        self._reduction("")

    @classmethod
    def of(
        cls,
        model: GridModel,
        state: State,
        study: Study,
        criteria: Mapping[str, Criteria],
        *,
        raised: bool,
    ) -> Blocks | None:
        """Return blocks on the equations of a state, or None if nothing can be solved on them."""
        if study.engine == "pandapower" or study.solver in OPTIMAL:
            return None
        equations = admittances_of_state(model, state, study.solver, study.options)
        if isinstance(equations, str):
            return None
        try:
            return cls(model, state, study, criteria, equations, raised=raised)
        except (ArithmeticError, RuntimeError):  # as for a singular matrix
            return None

    @property
    def size(self) -> int:
        """Contingencies of a block."""
        cells = CELLS_PER_BLOCK["dc" if self._dc else "ac"]
        return max(8, min(MOST_PER_BLOCK, cells // max(len(self._admittances.ends), 1)))

    def solve(
        self, contingencies: Sequence[Contingency], *, whole: bool
    ) -> tuple[list[tuple[list[int], BlockResults]], list[tuple[int, Solution]]]:
        """Solve what can be solved together of some contingencies of one category."""
        laid = [
            effect_of(one.outages, self._topology, self._admittances, self._demand)
            for one in contingencies
        ]
        numbers = [number for number, one in enumerate(laid) if one is not None]
        block = [one for one in laid if one is not None]
        if not block:
            return [], []
        try:
            solved = self._kernel.solve(block)
        except np.linalg.LinAlgError:  # one of them is singular: each for itself
            return [], []
        kept = np.flatnonzero(solved.solved)
        numbers = [numbers[n] for n in kept]
        if whole:
            return [], [
                (number, self._whole(contingencies[number], block[n], solved, int(n)))
                for number, n in zip(numbers, kept, strict=True)
            ]
        if not numbers:
            return [], []
        reduction = self._reduction(contingencies[0].category)
        return [(numbers, self._reduced(reduction, block, solved, kept))], []

    def _reduction(self, category: str) -> _Reduction:
        """Return what reduces contingencies of a category."""
        category = category if category in self._criteria else ""
        if category not in self._reductions:
            criteria = self._criteria[category]
            given = (self._model, self._admittances, self._demand, criteria, self._loading)
            if isinstance(self._kernel, DcContingencies):
                angle = self._kernel.angle
                reduction: _Reduction = DcReduction(*given, angle=angle, raised=self._raised)
            else:
                reduction = AcReduction(*given)
            self._reductions[category] = reduction
        return self._reductions[category]

    def _reduced(
        self, reduction: _Reduction, block: list[OutageEffect], solved: _Block, kept: Rows
    ) -> BlockResults:
        values = solved.values
        if len(kept) < len(block):
            block, values = [block[n] for n in kept], values[kept]
        block_results = reduction.of(block, values)
        block_results.system["iterations"] = [solved.iterations(n) for n in kept]
        block_results.system["engine"] = ["scipy"] * len(block)
        return block_results

    def _whole(
        self, contingency: Contingency, one: OutageEffect, solved: _Block, number: int
    ) -> Solution:
        own = without(self._admittances, one.cut)
        state = after(contingency, self._state, self._service)
        column = Columns(self._model, state)
        demand = demand_of(self._model, own, column, self._options)
        voltage = solved.voltage(number).copy()
        voltage[own.dead] = 0.0
        if self._dc:
            injected = dc_powers(own, demand, voltage)
        else:
            limits = reactive_limits_of(own, column, self._options)
            injected = ac_powers(own, demand, voltage, limits)
        return solution_of(
            self._model,
            own,
            demand,
            voltage,
            injected,
            engine="scipy",
            iterations=solved.iterations(number),
            trafo_loading=self._loading,
        )
