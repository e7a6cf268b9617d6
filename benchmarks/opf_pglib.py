"""AC optimal power flow of PGLib-OPF's grids against their published optima.

python benchmarks/opf_pglib.py [--grids ../shared/grids/pglib] [case ...]

Prints status, objective, published value, relative difference and seconds (reading excluded), each
grid solved as the workflow's jobs solve it. Exits with 1 if any is wrong, called infeasible or
refused. Published: the AC column of BASELINE.md of power-grid-lib/pglib-opf, given to five digits.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from collections import Counter
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from gat_batch.process import set_up_solving

set_up_solving()

PUBLISHED = {
    "case3_lmbd": 5.8126e03, "case5_pjm": 1.7552e04, "case30_as": 8.0313e02,
    "case14_ieee": 2.1781e03, "case24_ieee_rts": 6.3352e04, "case30_ieee": 8.2085e03,
    "case39_epri": 1.3842e05, "case60_c": 9.2694e04, "case57_ieee": 3.7589e04,
    "case73_ieee_rts": 1.8976e05, "case89_pegase": 1.0729e05, "case197_snem": 1.5017e00,
    "case118_ieee": 9.7214e04, "case200_activ": 2.7558e04, "case179_goc": 7.5427e05,
    "case162_ieee_dtc": 1.0808e05, "case300_ieee": 5.6522e05, "case240_pserc": 3.3297e06,
    "case588_sdet": 3.1314e05, "case500_goc": 4.5495e05, "case793_goc": 2.6020e05,
    "case1354_pegase": 1.2588e06, "case1803_snem": 9.8335e04, "case2000_goc": 9.7343e05,
    "case1888_rte": 1.4025e06, "case3022_goc": 6.0138e05, "case1951_rte": 2.0856e06,
    "case2853_sdet": 2.0524e06, "case4020_goc": 8.2225e05, "case2869_pegase": 2.4628e06,
}  # fmt: skip
"""Currency an hour."""

TOLERANCE = 1e-4
"""Five digits, and what solvers' own tolerances add."""


def main() -> int:
    """Solve the cases, print a line for each and a count."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("cases", nargs="*", default=list(PUBLISHED))
    beside = Path(__file__).parents[2] / "shared" / "grids" / "pglib"
    parser.add_argument("--grids", type=Path, default=beside, help="folder of PGLib's files")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    names = ("pandapower", "casadi", "scipy", "numpy")
    print(", ".join(f"{name} {version(name)}" for name in names))
    verdicts: Counter[str] = Counter()
    for name in arguments.cases:
        verdict, line = attempt(arguments.grids / f"pglib_opf_{name}.m", PUBLISHED[name])
        verdicts[verdict] += 1
        print(f"{name:18} {verdict:13} {line}", flush=True)
    print(", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()))
    return int(bool({"wrong", "infeasible", "refused"} & verdicts.keys()))


def attempt(path: Path, published: float) -> tuple[str, str]:
    """Solve one file: a verdict, and its figures."""
    from gat_batch.errors import GatBatchError
    from gat_batch.grids.matpower.reader import read_matpower
    from gat_batch.model.grid_model import prepare
    from gat_batch.model.state import State
    from gat_batch.solvers.study import solve

    try:
        model = prepare(read_matpower(path))
        began = time.monotonic()
        solution = solve(model, State(None, ()), "ac_opf", {})
        secs = time.monotonic() - began
    except GatBatchError as error:
        return "refused", str(error)
    if solution.objective is None:
        return solution.status, f"{'-':>14} {published:12.5g} {secs:8.1f} s  {solution.detail}"
    gap = solution.objective / published - 1
    figures = f"{solution.objective:14.4f} {published:12.5g} {gap:+.1e} {secs:6.1f} s"
    return "right" if abs(gap) <= TOLERANCE else "wrong", figures


if __name__ == "__main__":
    sys.exit(main())
