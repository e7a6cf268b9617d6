"""AC optimal power flow of every bundled transmission grid, or a proof that it has no solution.

python benchmarks/opf_cases.py [case or file ...]

Prints status, objective, seconds (reading excluded) and the largest relative residual of the
conditions of an optimum. Where limits can't all be kept, a relaxation proves it that has nothing in
common with the solver (:mod:`opf_relaxation`): it holds everywhere and not just near a point.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from gat_batch.process import set_up_solving

set_up_solving()

import numpy as np
from opf_relaxation import NO_RATING, Proof, proof_of

from gat_batch.grids import grid_ref, read_grid
from gat_batch.grids.bundled import read_bundled
from gat_batch.model.grid_model import GridModel, prepare
from gat_batch.model.state import State
from gat_batch.opf.dispatch import Dispatch, dispatch_of
from gat_batch.opf.infeasibility import branch_name
from gat_batch.powerflow.admittances import cached_admittances
from gat_batch.solvers.study import solve

CASES = [
    "case4gs", "case5", "case6ww", "case9", "case14", "case24_ieee_rts", "case30",
    "case_ieee30", "case39", "case57", "case89pegase", "case118", "case145", "case_illinois200",
    "case300", "case1354pegase", "case1888rte", "case2848rte", "case2869pegase", "case3120sp",
    "case6470rte", "case6495rte", "case6515rte", "case9241pegase", "GBnetwork",
    "GBreducednetwork", "iceland",
]  # fmt: skip

MOST_NAMED = 8

AS_GIVEN = State(None, ())


def main() -> None:
    """Solve the cases and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("cases", nargs="*", default=CASES)
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    for name in parser.parse_args().cases:
        file = Path(name)
        net = read_grid(grid_ref(name, Path())) if file.suffix else read_bundled(name)
        model = prepare(net)
        began = time.monotonic()
        solution = solve(model, AS_GIVEN, "ac_opf", {})
        secs = time.monotonic() - began
        objective = "-" if solution.objective is None else f"{solution.objective:.2f}"
        residual = "-" if solution.residual is None else f"{solution.residual:.0e}"
        line = f"{file.stem:18} {solution.status:13} {solution.engine:10} {objective:>12}"
        line += f" {secs:6.1f} s"
        print(f"{line} {residual:>6} {solution.detail}", flush=True)
        if solution.status == "infeasible":
            print(f"{'':18} {proof(model)}", flush=True)


def proof(model: GridModel) -> str:
    """Why no dispatch of a grid keeps all limits, shown without its solver."""
    admittances = cached_admittances(
        model, "ac", {"calculate_voltage_angles": True}, dispatched=True
    )
    if isinstance(admittances, str):
        return f"pandapower alone represents it: {admittances}"
    dispatch = dispatch_of(model, AS_GIVEN, admittances, {})
    began = time.monotonic()
    found = proof_of(dispatch)
    text = described(model, dispatch, found) if found else "not proved by this relaxation"
    return f"{time.monotonic() - began:.1f} s, {text}"


def described(model: GridModel, dispatch: Dispatch, proof: Proof) -> str:
    """The imbalance and what it follows from, for people: what matters most first."""
    admittances, units = dispatch.admittances, dispatch.units
    relaxation, planes = proof.relaxation, proof.planes
    names = {row: model.ids["bus"][n] for n, row in reversed([*enumerate(admittances.row["bus"])])}
    price = np.abs(proof.balance).reshape(2, -1).max(axis=0)
    used = np.argsort(-price)[: np.count_nonzero(price)]
    # Squares of voltages, and injections: by how much the proof needs their limits.
    weight = np.abs(proof.reduced * (relaxation.high - relaxation.low)).round(9)
    side = (proof.reduced < 0).astype(int)
    word = ("at least", "at most")
    limits: list[tuple[float, str]] = []
    for row in np.flatnonzero(weight[: dispatch.buses]):
        limit = f"{word[side[row]]} {dispatch.vm[row, side[row]]:.4g} p.u."
        limits.append((weight[row], f"voltage of bus {names.get(row)} {limit}"))
    for quantity, start, power in (("p", 3, units.p), ("q", 4, units.q)):
        own = slice(*relaxation.first[start : start + 2])
        for unit in np.flatnonzero(np.nan_to_num(weight[own])):
            element = str(units.element[unit])
            name = f"{element} {model.ids[element][units.position[unit]]}"
            end = side[own][unit]
            amount = f"{word[end]} {power[unit, end] * admittances.base_mva:.4g}"
            limits.append((weight[own][unit], f"{quantity} of {name} {amount}"))
    for branch in np.unique(planes.branch[proof.cuts > 0]):
        if branch != NO_RATING:
            rating = dispatch.rating[branch]
            there = (planes.branch == branch) * proof.cuts
            name = branch_name(model, dispatch, int(branch))
            text = f"{name} at most {rating * admittances.base_mva:.4g} MVA"
            limits.append((there.sum() * rating, text))
    limits.sort(key=lambda one: -one[0])
    said = [text for _, text in limits[:MOST_NAMED]]
    if len(limits) > MOST_NAMED:
        said.append(f"{len(limits) - MOST_NAMED} limits more")
    shown = ", ".join(str(names.get(row)) for row in used[:MOST_NAMED])
    balances = (
        f"balance of bus {shown}"
        if len(used) <= MOST_NAMED
        else (f"balance of {len(used)} buses, {shown} first")
    )
    imbalance = f"at least {proof.bound * admittances.base_mva:.3g} MW or MVAr"
    return f"proved, some bus lacks or has too much {imbalance}: {'; '.join([balances, *said])}"


if __name__ == "__main__":
    main()
