"""AC optimal power flow of every bundled transmission grid, or a proof that it has no solution.

python benchmarks/opf_cases.py [case ...]

Prints status, objective, seconds (reading excluded) and the largest relative residual of the
conditions of an optimum. Where limits can't all be kept, a relaxation proves it that has nothing in
common with the solver: squares of voltages and their products in place of voltages and angles
(Jabr, IEEE Trans. Power Systems 21(3), 2006), with cones cut by planes, solved by HiGHS as a linear
program. What satisfies the equations satisfies it too, so its least imbalance, if it isn't zero,
is a lower bound everywhere and not just near a point. It covers buses around violations found; all
else of the grid may do as it likes.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

# As the workflow's jobs have it: compiling costs a process seconds.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")

import highspy
import numpy as np
from scipy import sparse

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from gat_batch.grids.bundled import read_bundled
from gat_batch.model import Model, prepare
from gat_batch.solvers import solve
from gat_batch.solvers.dispatch import Dispatch, dispatch_of
from gat_batch.solvers.equations import kept_equations
from gat_batch.solvers.opf_dc import Silent
from gat_batch.solvers.opf_elastic import Violations, least_violations
from gat_batch.state import State

CASES = [
    "case4gs", "case5", "case6ww", "case9", "case14", "case24_ieee_rts", "case30",
    "case_ieee30", "case39", "case57", "case89pegase", "case118", "case145", "case_illinois200",
    "case300", "case1354pegase", "case1888rte", "case2848rte", "case2869pegase", "case3120sp",
    "case6470rte", "case6495rte", "case6515rte", "case9241pegase", "GBnetwork",
    "GBreducednetwork", "iceland",
]  # fmt: skip

MOST_ROUNDS, MOST_PLACES = 60, 8

FEW_HOPS, HOPS = 3, (3, 5, 8, 12, 50)
"""Around each violation, and then around all of them."""

PROVED = 1e-4
"""Imbalance in p.u. that counts as proof, a thousand times what HiGHS tolerates."""

AS_GIVEN = State(None, ())


def main() -> None:
    """Solve the cases and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("cases", nargs="*", default=CASES)
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    for name in parser.parse_args().cases:
        model = prepare(read_bundled(name))
        began = time.monotonic()
        solution = solve(model, AS_GIVEN, "ac_opf", {})
        secs = time.monotonic() - began
        objective = "-" if solution.objective is None else f"{solution.objective:.2f}"
        residual = "-" if solution.residual is None else f"{solution.residual:.0e}"
        line = f"{name:18} {solution.status:13} {solution.engine:10} {objective:>12} {secs:6.1f} s"
        print(f"{line} {residual:>6} {solution.detail}", flush=True)
        if solution.status == "infeasible":
            print(f"{'':18} {proof(model)}", flush=True)


def proof(model: Model) -> str:
    """Why no dispatch of a grid keeps all limits, shown without its solver."""
    arrays = kept_equations(model, "ac", {"calculate_voltage_angles": True}, dispatched=True)
    dispatch = dispatch_of(model, AS_GIVEN, arrays, {})
    violations = least_violations(dispatch, dc=False)
    if violations is None:
        return "not proved: no least violations found"
    joins = sparse.csr_matrix(
        (np.ones(len(dispatch.ends)), dispatch.ends.T), (dispatch.buses, dispatch.buses)
    )
    joins = joins + joins.T + sparse.identity(dispatch.buses)
    found = places(dispatch, violations)
    tries = [(place, hops) for hops in range(FEW_HOPS) for place in found]
    tries += [(np.concatenate(found), hops) for hops in HOPS]
    for place, hops in tries:
        inside = np.isin(np.arange(dispatch.buses), place)
        for _ in range(hops):
            inside = joins @ inside > 0
        relaxation = Relaxation(dispatch, np.flatnonzero(inside))
        if relaxation.bound() > PROVED:
            return relaxation.text(model)
    return "not proved by this relaxation"


def places(dispatch: Dispatch, violations: Violations) -> list[np.ndarray]:
    """Rows where limits are violated, the largest violations first."""
    at_buses = np.abs(violations.lack_p) + np.abs(violations.lack_q) + np.abs(violations.vm)
    at_branches = violations.flow + np.abs(violations.angle)
    buses, branches = np.argsort(-at_buses), np.argsort(-at_branches)
    found = [(at_buses[row], np.array([row])) for row in buses[:MOST_PLACES]]
    found += [(at_branches[row], dispatch.ends[row]) for row in branches[:MOST_PLACES]]
    found = [one for one in found if one[0] > PROVED / 10]
    return [rows for _, rows in sorted(found, key=lambda one: -one[0])[:MOST_PLACES]]


@dataclass
class Relaxation:
    """The linear relaxation of the power balance of some buses.

    Variables are squares of voltages, real and imaginary part of the product of the voltages at
    the ends of branches, injections, and what balances lack or have too much.
    """

    dispatch: Dispatch
    inside: np.ndarray

    def __post_init__(self) -> None:
        dispatch, arrays = self.dispatch, self.dispatch.arrays
        self.touching = np.flatnonzero(np.isin(dispatch.ends, self.inside).any(axis=1))
        ends = dispatch.ends[self.touching]
        self.nodes = np.union1d(ends, self.inside)
        self.units = np.flatnonzero(np.isin(dispatch.units.row, self.inside))
        nodes, count, units = len(self.nodes), len(self.touching), len(self.units)
        sizes = (nodes, count, count, units, units, *(len(self.inside),) * 4)
        self.first = np.cumsum([0, *sizes])
        self.at = np.searchsorted(self.nodes, ends)
        own = [np.asarray(m[self.touching, e]).ravel() for m, e in self._entries(ends)]
        w = [sparse.identity(nodes, format="csr")[side] for side in self.at.T]
        blank = sparse.csr_matrix((count, int(self.first[-1] - self.first[3])))
        product = [sparse.identity(count), sparse.identity(count)]
        self.flows = []
        # Power into an end: |v|^2 conj(y_own) + product conj(y_other), the product conjugate at t.
        for side, sign in ((0, 1.0), (1, -1.0)):
            y, other = own[2 * side], own[2 * side + 1]
            active = [
                sparse.diags(y.real) @ w[side],
                sparse.diags(other.real) @ product[0],
                sparse.diags(sign * other.imag) @ product[1],
                blank,
            ]
            reactive = [
                sparse.diags(-y.imag) @ w[side],
                sparse.diags(-other.imag) @ product[0],
                sparse.diags(sign * other.real) @ product[1],
                blank,
            ]
            self.flows.append([sparse.hstack(part, format="csr") for part in (active, reactive)])
        shunt = arrays.bus.diagonal()
        np.subtract.at(shunt, dispatch.ends[:, 0], self._all(arrays.at_from, 0))
        np.subtract.at(shunt, dispatch.ends[:, 1], self._all(arrays.at_to, 1))
        self.balance, self.need = self._balance(ends, shunt[self.inside])

    def _entries(self, ends: np.ndarray) -> list[tuple[object, np.ndarray]]:
        arrays = self.dispatch.arrays
        return [
            (arrays.at_from, ends[:, 0]),
            (arrays.at_from, ends[:, 1]),
            (arrays.at_to, ends[:, 1]),
            (arrays.at_to, ends[:, 0]),
        ]

    def _all(self, matrix: sparse.csr_matrix, side: int) -> np.ndarray:
        ends = self.dispatch.ends
        return np.asarray(matrix[np.arange(len(ends)), ends[:, side]]).ravel()

    def _balance(self, ends: np.ndarray, shunt: np.ndarray) -> tuple[sparse.csc_matrix, np.ndarray]:
        """Rows of the balance of active, then of reactive power, and their right-hand sides."""
        size, rows = len(self.inside), []
        for part, weight in ((0, shunt.real), (1, -shunt.imag)):
            total = sparse.csr_matrix((size, int(self.first[-1])))
            for side in (0, 1):
                here = np.flatnonzero(np.isin(ends[:, side], self.inside))
                row = np.searchsorted(self.inside, ends[here, side])
                sums = sparse.csr_matrix((np.ones(len(here)), (row, here)), (size, len(ends)))
                total = total + sums @ self.flows[side][part]
            everyone = np.arange(size)
            columns = [
                (np.searchsorted(self.nodes, self.inside), everyone, weight),
                (
                    self.first[3 + part] + np.arange(len(self.units)),
                    np.searchsorted(self.inside, self.dispatch.units.row[self.units]),
                    -np.ones(len(self.units)),
                ),
                (self.first[5 + 2 * part] + everyone, everyone, -np.ones(size)),
                (self.first[6 + 2 * part] + everyone, everyone, np.ones(size)),
            ]
            column, row, value = (np.concatenate(parts) for parts in zip(*columns, strict=True))
            rows.append(total + sparse.csr_matrix((value, (row, column)), total.shape))
        demand = self.dispatch.demand[self.inside]
        return sparse.vstack(rows, format="csc"), -np.concatenate([demand.real, demand.imag])

    def bound(self) -> float:
        """The least imbalance in p.u. that the planes so far prove; more planes until they do."""
        dispatch, first = self.dispatch, self.first
        low, high = np.full(first[-1], -np.inf), np.full(first[-1], np.inf)
        low[first[5] :] = 0.0
        self.limits = dispatch.vm[self.nodes].clip(0.0)
        low[: first[1]], high[: first[1]] = self.limits.T**2
        for n, limits in ((3, dispatch.units.p), (4, dispatch.units.q)):
            low[first[n] : first[n + 1]], high[first[n] : first[n + 1]] = limits[self.units].T
        follows = dispatch.units.follows[self.units]
        low[first[4] : first[5]][follows], high[first[4] : first[5]][follows] = -np.inf, np.inf
        cost = np.zeros(first[-1])
        cost[first[5] :] = 1.0
        cuts, most = sparse.csr_matrix((0, first[-1])), np.zeros(0)
        bound = 0.0
        for _ in range(MOST_ROUNDS):
            matrix = sparse.vstack([self.balance, cuts], format="csc")
            solver = linear_program(
                cost,
                (low, high),
                matrix,
                np.concatenate([self.need, np.full(len(most), -np.inf)]),
                np.concatenate([self.need, most]),
            )
            if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                return bound
            solution = solver.getSolution()
            value = np.array(solution.col_value)
            self.reduced, self.dual = np.array(solution.col_dual), np.array(solution.row_dual)
            bound = solver.getInfo().objective_function_value
            if bound > PROVED:
                break
            fresh, fresh_most = self._cuts(value)
            if not len(fresh_most):
                break
            cuts = sparse.vstack([cuts, fresh], format="csr")
            most = np.concatenate([most, fresh_most])
        self.found = bound
        return bound

    def _cuts(self, value: np.ndarray) -> tuple[sparse.csr_matrix, np.ndarray]:
        """Planes that a point is on the wrong side of: of the cones, and of the ratings."""
        count, width = len(self.touching), int(self.first[-1])
        every = sparse.identity(width, format="csr")
        w_f, w_t = (every[side] for side in self.at.T)
        real = every[self.first[1] : self.first[2]]
        imaginary = every[self.first[2] : self.first[3]]
        rating = self.dispatch.rating[self.touching]
        balls = [([2 * real, 2 * imaginary, w_f - w_t], w_f + w_t, np.zeros(count))]
        balls += [(flow, sparse.csr_matrix((count, width)), rating) for flow in self.flows]
        planes, most = [], []
        for parts, radius, constant in balls:
            vector = np.array([part @ value for part in parts])
            length = np.maximum(np.linalg.norm(vector, axis=0), 1e-12)
            outside = np.flatnonzero(length > (radius @ value + constant) * (1 + 1e-7) + 1e-7)
            plane = sum(
                sparse.diags(x / length) @ part for x, part in zip(vector, parts, strict=True)
            )
            planes.append((plane - radius).tocsr()[outside])
            most.append(constant[outside])
        return sparse.vstack(planes, format="csr"), np.concatenate(most)

    def text(self, model: Model) -> str:
        """The bound, and the constraints that it follows from, for people."""
        arrays, units = self.dispatch.arrays, self.dispatch.units
        names = {row: model.ids["bus"][n] for n, row in reversed([*enumerate(arrays.row["bus"])])}
        size = len(self.inside)
        price = np.abs(self.dual[: 2 * size]).reshape(2, -1).max(axis=0)
        used = np.argsort(-price)[: np.count_nonzero(price > 1e-6)]
        shown = ", ".join(str(names.get(row)) for row in self.inside[used[:MOST_PLACES]])
        said = [f"balance of {len(used)} buses, {shown} first"]
        for n in np.flatnonzero(np.abs(self.reduced[: len(self.nodes)]) > 1e-6):
            side = int(self.reduced[n] < 0)
            limit = f"{('at least', 'at most')[side]} {self.limits[n, side]:.4g} p.u."
            said.append(f"voltage of bus {names.get(self.nodes[n])} {limit}")
        for quantity, place, limits in (("p", 3, units.p), ("q", 4, units.q)):
            for n, unit in enumerate(self.units):
                reduced = self.reduced[self.first[place] + n]
                if abs(reduced) > 1e-6:
                    side = int(reduced < 0)
                    amount = limits[unit, side] * arrays.base_mva
                    element = str(units.element[unit])
                    name = f"{element} {model.ids[element][units.position[unit]]}"
                    said.append(
                        f"{quantity} of {name} {('at least', 'at most')[side]} {amount:.4g}"
                    )
        more = [f"{len(said) - MOST_PLACES} more"] if len(said) > MOST_PLACES else []
        return (
            f"proved: {size} buses lack or have too much at least "
            f"{self.found * arrays.base_mva:.3g} MVA in all: {'; '.join(said[:MOST_PLACES] + more)}"
        )


def linear_program(
    cost: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    matrix: sparse.csc_matrix,
    row_low: np.ndarray,
    row_high: np.ndarray,
) -> highspy.Highs:
    """HiGHS, after it has minimised."""
    solver = Silent()
    solver.silent()
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("time_limit", 60.0)
    program = highspy.HighsLp()
    program.num_row_, program.num_col_ = matrix.shape
    program.col_cost_, (program.col_lower_, program.col_upper_) = cost, bounds
    program.row_lower_, program.row_upper_ = row_low, row_high
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_ = matrix.indptr
    program.a_matrix_.index_ = matrix.indices
    program.a_matrix_.value_ = matrix.data
    solver.passModel(program)
    solver.run()
    return solver


if __name__ == "__main__":
    main()
