"""Values of samples in PGLearn's formulations: in p.u. and radians, samples first.

See the pages "AC-OPF" and "DC-OPF" of PGLearn.jl's documentation. Duals have JuMP's signs: what one
more p.u. on the right-hand side of a constraint costs, so that a price is positive and what binds
from above negative. What results don't have is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..sample import Sample
    from ..sample_arrays import SampleArrays

    Values = dict[str, NDArray[Any]]

BUS, GENERATOR, BRANCH, LOAD = "N", "G", "E", "L"

INPUT = {"pd": LOAD, "qd": LOAD, "gen_status": GENERATOR, "branch_status": BRANCH}

_FLOWS = dict.fromkeys(("pf", "qf", "pt", "qt"), BRANCH)

PRIMAL = {
    "AC": {"vm": BUS, "va": BUS, "pg": GENERATOR, "qg": GENERATOR, **_FLOWS},
    "DC": {"va": BUS, "pg": GENERATOR, "pf": BRANCH},
}

DUAL = {
    "AC": {
        "kcl_p": BUS, "kcl_q": BUS, "vm": BUS, "pg": GENERATOR, "qg": GENERATOR, "va_diff": BRANCH,
    },
    "DC": {"kcl_p": BUS, "pg": GENERATOR, "pf": BRANCH, "va_diff": BRANCH},
}  # fmt: skip
"""Flow -> name -> what there is a value for."""

TERMINATION = {
    "AC": {"ok": "LOCALLY_SOLVED", "infeasible": "LOCALLY_INFEASIBLE"},
    "DC": {"ok": "OPTIMAL", "infeasible": "INFEASIBLE"},
}
"""Flow -> status -> MathOptInterface's code of how a solver ended."""


def input_values(arrays: SampleArrays, loads: NDArray[np.int64]) -> Values:
    """Return what samples ask.

    Args:
        arrays: the samples.
        loads: row of the bus of each load, shape (loads,).
    """
    demand = arrays.demand[:, loads] / arrays.base_mva
    return {
        "pd": demand.real,
        "qd": demand.imag,
        "gen_status": arrays.running,
        "branch_status": arrays.live,
    }


def ac_primal(arrays: SampleArrays) -> Values:
    """Return AC solutions."""
    flow, generation = arrays.flow / arrays.base_mva, arrays.generation / arrays.base_mva
    return {
        "vm": np.abs(arrays.voltage),
        "va": np.angle(arrays.voltage),
        "pg": generation.real,
        "qg": generation.imag,
        "pf": flow[..., 0].real,
        "qf": flow[..., 0].imag,
        "pt": flow[..., 1].real,
        "qt": flow[..., 1].imag,
    }


def dc_primal(arrays: SampleArrays) -> Values:
    """Return DC solutions beside, not a number where there is none."""
    if arrays.dc is None:
        return {}
    return {
        "va": np.radians(arrays.dc.va),
        "pg": arrays.dc.generation / arrays.base_mva,
        "pf": arrays.dc.flow / arrays.base_mva,
    }


def ac_dual(arrays: SampleArrays) -> Values:
    """Return duals of AC optima."""
    base, prices = arrays.base_mva, arrays.prices
    if prices is None:
        return {}
    return {
        "kcl_p": base * prices.p,
        "kcl_q": base * prices.q,
        "vm": -prices.vm,
        "pg": np.where(arrays.running, -base * prices.generator_p, 0.0),
        "qg": np.where(arrays.running, -base * prices.generator_q, 0.0),
        "va_diff": np.where(arrays.live, -np.degrees(prices.angle), 0.0),
    }


def dc_dual(arrays: SampleArrays) -> Values:
    """Return duals of DC optima beside."""
    if arrays.dc is None or arrays.dc.prices is None:
        return {}
    base, prices, flow = arrays.base_mva, arrays.dc.prices, arrays.dc.flow
    none = np.isnan(flow)
    return {
        "kcl_p": base * prices.p,
        "pg": np.where(arrays.running, -base * prices.generator_p, _nothing(arrays.dc.generation)),
        # A rating binds in one direction alone: that of the flow.
        "pf": np.where(arrays.live & ~none, -base * prices.flow * np.sign(flow), _nothing(flow)),
        "va_diff": np.where(arrays.live & ~none, -np.degrees(prices.angle), _nothing(flow)),
    }


def _nothing(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return zeros, not a number where there are no values."""
    return np.where(np.isnan(values), np.nan, 0.0)


def endings(formulation: str, states: Sequence[Sample | None]) -> dict[str, Any]:
    """Return how samples ended, in MathOptInterface's words, with time in seconds and cost.

    Args:
        formulation: as ``ACOPF``.
        states: the samples; None where there is none in this formulation.
    """
    codes = {"not_converged": "ITERATION_LIMIT", **TERMINATION[formulation[:2]]}
    ok = np.array([one is not None and one.status == "ok" for one in states], bool)
    ended = [
        "OPTIMIZE_NOT_CALLED" if one is None else codes.get(one.status, "OTHER_ERROR")
        for one in states
    ]
    costs = [None if one is None else one.objective for one in states]
    point = np.where(ok, "FEASIBLE_POINT", "NO_SOLUTION")
    optimum = formulation.endswith("OPF")
    return {
        "formulation": np.full(len(ok), formulation),
        "termination_status": np.array(ended, str),
        "primal_status": point,
        "dual_status": point if optimum else np.full(len(ok), "NO_SOLUTION"),
        "solve_time": np.array([np.nan if one is None else one.seconds for one in states]),
        "primal_objective_value": np.array([np.nan if one is None else one for one in costs]),
    }
