"""Contingencies on top of one state: in blocks where that is exact, one by one where it isn't."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..breakdown import Breakdown, contained
from ..errors import GatBatchError
from ..model.contingencies import after, is_possible, service_of
from ..model.solution import Solution
from ..model.violations import voltage_bands
from ..powerflow.element_results import solution_of
from ..powerflow.equations import equations_of_state
from ..powerflow.islands import Topology
from ..powerflow.newton import newton
from ..powerflow.outages import without
from ..powerflow.sweep import Columns, demand_of, injection_of
from ..study.manifest import OPTIMAL
from .ac import MOST_STEPS, AcContingencies
from .ac_reduction import AcReduction
from .dc import DcContingencies
from .dc_reduction import DcReduction
from .effect import laid_over

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..model.admittances import Arrays
    from ..model.contingencies import Contingency
    from ..model.grid_model import Model
    from ..model.state import State
    from ..model.violations import Limits
    from ..solvers.study import Study
    from .effect import Contingent
    from .reduction import Findings

    Rows = NDArray[np.int64]

CELLS_PER_BLOCK = {"dc": 450_000, "ac": 200_000}
"""Contingencies times branches of a block: what is at work then stays near the processor."""

MOST_PER_BLOCK = 1024


@dataclass(frozen=True)
class Solved:
    """A block of contingencies solved.

    Attributes:
        names: their names, those left out that were out of service before.
        found: numbers of some, and what was found of them as a block.
        single: the others' numbers and solutions.
    """

    names: list[str]
    found: list[tuple[list[int], Findings]]
    single: list[tuple[int, Solution]]


class ContingencySolver:
    """Solves contingencies on top of one state.

    Args:
        model: the model.
        state: the state.
        study: how it is solved.
        limits: what counts as a violation.
        raised: whether to find the highest loading that each contingency raises, by DC.

    Attributes:
        breakdown: the bug for which contingencies are solved one by one, or None.

    Raises:
        SolverError: as by :func:`gat_batch.solvers.study.solve`, for the state itself.
    """

    def __init__(
        self, model: Model, state: State, study: Study, limits: Limits, *, raised: bool = False
    ) -> None:
        self._model, self._state, self.study = model, state, study
        self._service = service_of(model.net, state)
        self.base = study.solve(model, state)
        self.breakdown: Breakdown | None = None
        self._blocks: _Blocks | None = None
        if self.base.elements:
            blocks = contained(partial(_Blocks.of, model, state, study, limits, raised=raised))
            if isinstance(blocks, Breakdown):
                self.breakdown = blocks
            else:
                self._blocks = blocks

    @property
    def unserved_mw(self) -> float:
        """Load that the state itself cuts off, in MW."""
        return float(self.base.system.get("unserved_mw") or 0.0)

    @property
    def block_size(self) -> int:
        """Contingencies that are best solved together."""
        return self._blocks.size if self._blocks else 1

    def solve(self, contingencies: Sequence[Contingency], *, whole: bool = False) -> Solved:
        """Solve some contingencies.

        Args:
            contingencies: those, not many more than :attr:`block_size`.
            whole: whether to hand out whole solutions and no findings.

        Returns:
            The solutions; none on top of a state without one.
        """
        if not self.base.elements:
            return Solved([], [], [])
        possible = [one for one in contingencies if is_possible(one, self._service)]
        names = [one.name for one in possible]
        found: list[tuple[list[int], Findings]] = []
        single: list[tuple[int, Solution]] = []
        if self._blocks and possible:
            found, single = self._blocks.solve(possible, whole=whole)
        done = {number for numbers, _ in found for number in numbers}
        done |= {number for number, _ in single}
        single += [
            (number, self.alone(one)) for number, one in enumerate(possible) if number not in done
        ]
        return Solved(names, found, single)

    def alone(self, contingency: Contingency) -> Solution:
        """Solve one contingency as any other state; a failure is told in its solution."""
        try:
            found = contained(lambda: self.study.solve(self._model, self.state_after(contingency)))
        except GatBatchError as error:
            return Solution("not_converged", "", detail=str(error))
        if isinstance(found, Breakdown):
            return Solution("not_converged", "", detail=found.detail)
        return found

    def state_after(self, contingency: Contingency) -> State:
        """The state that a contingency leads to."""
        return after(contingency, self._state, self._service)


class _Block(Protocol):
    @property
    def solved(self) -> NDArray[np.bool_]: ...
    @property
    def values(self) -> NDArray[Any]: ...
    def voltage(self, number: int, /) -> NDArray[np.complex128]: ...
    def iterations(self, number: int, /) -> int | None: ...


class _Kernel(Protocol):
    def solve(self, block: Sequence[Contingent], /) -> _Block: ...


class _Reduction(Protocol):
    def of(self, block: Sequence[Contingent], values: NDArray[Any], /) -> Findings: ...


class _Blocks:
    """Contingencies on kept equations."""

    def __init__(
        self,
        model: Model,
        state: State,
        study: Study,
        limits: Limits,
        equations: Arrays,
        *,
        raised: bool,
    ) -> None:
        self._model = model
        self._arrays = equations
        self._dc = study.solver == "dc"
        self._service = service_of(model.net, state)
        self._state = state
        self._column = Columns(model, state)
        self._demand = demand_of(model, equations, self._column)
        self._topology = Topology(equations, model.net)
        self._loading = str(study.options.get("trafo_loading", "current"))
        reduced = (model, equations, self._demand, limits, self._loading)
        self._kernel: _Kernel
        self._reduction: _Reduction
        if self._dc:
            self._kernel = kernel = DcContingencies(equations, self._demand)
            self._reduction = DcReduction(*reduced, angle=kernel.angle, raised=raised)
            return
        injection = injection_of(equations, self._demand)
        solved = newton(equations, injection, self._demand.vm, study.options)
        if solved is None:
            raise ArithmeticError("Newton's method does not converge on kept equations")
        tolerance = float(study.options.get("tolerance_mva", 1e-8)) / equations.base_mva
        iterations = study.options.get("max_iteration", "auto")
        most = MOST_STEPS if iterations == "auto" else min(MOST_STEPS, int(iterations))
        self._kernel = AcContingencies(equations, self._demand, solved[0], tolerance, most)
        self._reduction = AcReduction(*reduced, bands=voltage_bands(model.net, limits))

    @classmethod
    def of(
        cls, model: Model, state: State, study: Study, limits: Limits, *, raised: bool
    ) -> _Blocks | None:
        """Blocks on the equations of a state, or None if nothing can be solved on them."""
        if study.engine == "pandapower" or study.solver in OPTIMAL:
            return None
        equations = equations_of_state(model, state, study.solver, study.options)
        if isinstance(equations, str):
            return None
        try:
            return cls(model, state, study, limits, equations, raised=raised)
        except (ArithmeticError, RuntimeError):  # as for a singular matrix
            return None

    @property
    def size(self) -> int:
        """Contingencies of a block."""
        cells = CELLS_PER_BLOCK["dc" if self._dc else "ac"]
        return max(8, min(MOST_PER_BLOCK, cells // max(len(self._arrays.ends), 1)))

    def solve(
        self, contingencies: Sequence[Contingency], *, whole: bool
    ) -> tuple[list[tuple[list[int], Findings]], list[tuple[int, Solution]]]:
        """Solve what can be solved together."""
        laid = [
            laid_over(one.outages, self._topology, self._arrays, self._demand)
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
        return [(numbers, self._reduced(block, solved, kept))], []

    def _reduced(self, block: list[Contingent], solved: _Block, kept: Rows) -> Findings:
        values = solved.values
        if len(kept) < len(block):
            block, values = [block[n] for n in kept], values[kept]
        findings = self._reduction.of(block, values)
        findings.system["iterations"] = [solved.iterations(n) for n in kept]
        findings.system["engine"] = ["scipy"] * len(block)
        return findings

    def _whole(
        self, contingency: Contingency, one: Contingent, solved: _Block, number: int
    ) -> Solution:
        own = without(self._arrays, one.cut)
        state = after(contingency, self._state, self._service)
        demand = demand_of(self._model, own, Columns(self._model, state))
        voltage = solved.voltage(number).copy()
        voltage[own.dead] = 0.0
        return solution_of(
            self._model,
            own,
            demand,
            voltage,
            dc=self._dc,
            engine="scipy",
            iterations=solved.iterations(number),
            trafo_loading=self._loading,
        )
