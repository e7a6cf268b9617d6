"""What of an AC state's time Newton's method takes for its steps, and what before the first one.

    python benchmarks/newton.py [--grids case118 case2869pegase grid.m]

lightsim2grid's solver, on its own and on pandapower's admittances, analyses them anew in each call.
Prints the time of a call with no more than one, two, and as many steps as converge, and what is
left of the first beside a step.
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from gat_batch.process import set_up_solving

set_up_solving()

import numpy as np
from contingencies import grid_of

from gat_batch.model.grid_model import prepare
from gat_batch.powerflow.admittances import cached_admittances
from gat_batch.upstream.lightsim2grid import klu_newton

if TYPE_CHECKING:
    from gat_batch.model.admittance_model import AdmittanceModel

CALLS = 200


def main() -> None:
    """Print a line for each grid."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--grids", nargs="+", default=["case118", "case2869pegase"])
    print(f"lightsim2grid {version('lightsim2grid')}")
    for name in parser.parse_args().grids:
        equations = cached_admittances(prepare(grid_of(name)), "ac", {})
        if isinstance(equations, str):
            print(f"{name}: left to pandapower, as {equations}")
            continue
        if len(equations.ref) > 1:
            print(f"{name}: has several references, of which the solver knows one")
            continue
        solver = klu_newton()
        one, two, whole = (call_ms(solver, equations, steps) for steps in (1, 2, 20))
        before = 2 * one - two
        print(
            f"{name}: {solver.get_nb_iter()} steps of {two - one:.3f} ms, before them"
            f" {before:.3f} ms; {whole:.3f} ms to the end, {before / whole:.2f} of it before",
            flush=True,
        )


def call_ms(solver: Any, equations: AdmittanceModel, steps: int) -> float:
    """Return the time of a call with so many steps at most, in ms, from a flat start."""
    power = equations.start * np.conj(equations.bus @ equations.start)
    flat = np.abs(equations.start) * np.exp(1j * np.angle(equations.start[equations.ref[0]]))
    ref, pv, pq = (rows.astype(np.int32) for rows in (equations.ref, equations.pv, equations.pq))
    share, best = np.ones(len(flat)), np.inf
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(CALLS):
            start = flat.copy()
            solver.solve(equations.bus, start, power, ref, share, pv, pq, steps, 1e-10)
        best = min(best, time.perf_counter() - began)
    return 1000 * float(best) / CALLS


if __name__ == "__main__":
    main()
