"""DC optimal power flow of PGLib-OPF's grids against a formulation of the files' own equations.

python benchmarks/opf_dc_pglib.py [--grids ../shared/grids/pglib] [case ...]

The other formulation is scipy's linear program in angles, made of the file's tables as MATPOWER's
manual has them (section 6.1, DC), with quadratic costs as tangents that are added until the gap to
the true cost is closed. Prints both costs, their relative difference and seconds; exits with 1 if
one differs by more than 1e-6.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from gat_batch.process import set_up_solving

set_up_solving()

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

TOLERANCE = 1e-6
GAP = 1e-8


def main() -> int:
    """Solve the cases both ways and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("cases", nargs="*")
    beside = Path(__file__).parents[2] / "shared" / "grids" / "pglib"
    parser.add_argument("--grids", type=Path, default=beside, help="folder of PGLib's files")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    print(", ".join(f"{name} {version(name)}" for name in ("highspy", "casadi", "scipy", "numpy")))
    files = [arguments.grids / f"pglib_opf_{name}.m" for name in arguments.cases]
    wrong = 0
    for file in files or sorted(arguments.grids.glob("*.m"), key=lambda one: one.stat().st_size):
        began = time.perf_counter()
        status, ours = solved(file)
        seconds = time.perf_counter() - began
        theirs = cheapest(file)
        apart = abs(ours - theirs) / max(abs(theirs), 1.0)
        wrong += not apart <= TOLERANCE
        name = file.stem.removeprefix("pglib_opf_")
        print(f"{name:18} {status:8} {ours:16.6f} {theirs:16.6f} {apart:.1e} {seconds:6.1f} s")
        sys.stdout.flush()
    print(f"{wrong} differ")
    return int(wrong > 0)


def solved(file: Path) -> tuple[str, float]:
    """Return status and cost as a job finds them."""
    from gat_batch.grids import grid_ref, read_grid
    from gat_batch.model.grid_model import prepare
    from gat_batch.model.state import State
    from gat_batch.solvers.study import solve

    model = prepare(read_grid(grid_ref(str(file), Path())))
    solution = solve(model, State(None, ()), "dc_opf", {})
    return solution.status, np.nan if solution.objective is None else solution.objective


def cheapest(file: Path) -> float:
    """Return the cost of the other formulation, in p.u. angles and MW."""
    base, bus, row, gen, cost, branch = read(file)
    buses, units, lines = len(bus), len(gen), len(branch)
    first, last = (np.array([row[int(n)] for n in branch[:, end]]) for end in (0, 1))
    tap = np.where(branch[:, 8] == 0, 1.0, branch[:, 8])
    # What flows without any reactance is a variable of its own, and turns no angle.
    bare = np.flatnonzero(branch[:, 3] == 0)
    with np.errstate(divide="ignore"):
        slope = np.where(branch[:, 3] == 0, 0.0, base / (branch[:, 3] * tap))
    shift = np.radians(branch[:, 9])
    at = np.arange(lines)
    ends = sparse.csr_matrix(
        (np.r_[np.ones(lines), -np.ones(lines)], (np.r_[at, at], np.r_[first, last])),
        (lines, buses),
    )
    flow = sparse.diags(slope) @ ends
    place = [row[int(n)] for n in gen[:, 0]]
    fed = sparse.csr_matrix((np.ones(units), (place, np.arange(units))), (buses, units))
    balance = sparse.hstack([ends.T @ flow, -fed, sparse.csr_matrix((buses, units)), ends[bare].T])
    tight = sparse.hstack([ends[bare], sparse.csr_matrix((len(bare), 2 * units + len(bare)))])
    drawn = -bus[:, 2] - bus[:, 4] + ends.T @ (slope * shift)
    rated = np.flatnonzero(branch[:, 5] > 0)
    wide = sparse.csr_matrix((len(rated), 2 * units))
    own = sparse.identity(lines, format="csr")[rated][:, bare]
    over = sparse.hstack([flow[rated], wide, own])
    most = [branch[rated, 5] + slope[rated] * shift[rated]]
    most += [branch[rated, 5] - slope[rated] * shift[rated]]
    rows = [over, -over]
    for column, sign in ((12, 1.0), (11, -1.0)):
        limited = np.flatnonzero((branch[:, column] != 0) & (np.abs(branch[:, column]) < 360))
        wide = sparse.csr_matrix((len(limited), 2 * units + len(bare)))
        rows.append(sparse.hstack([sign * ends[limited], wide]))
        most.append(sign * np.radians(branch[limited, column]))
    held = [(None, None)] * buses
    for number in np.flatnonzero(bus[:, 1] == 3):
        held[number] = (np.radians(bus[number, 8]),) * 2
    bounds = [*held, *zip(gen[:, 9], gen[:, 8], strict=True), *[(None, None)] * (units + len(bare))]
    c2, c1, c0 = np.array([polynomial(one) for one in cost]).T
    objective = np.r_[np.zeros(buses + units), np.ones(units), np.zeros(len(bare))]
    points = list(np.linspace(gen[:, 9], gen[:, 8], 9))
    while True:
        for power in points:
            tangent = sparse.diags(c1 + 2 * c2 * power)
            left, right = (sparse.csr_matrix((units, size)) for size in (buses, len(bare)))
            rows.append(sparse.hstack([left, tangent, -sparse.eye(units), right]))
            most.append(c2 * power**2)
        found = linprog(
            objective,
            A_ub=sparse.vstack(rows, format="csr"),
            b_ub=np.concatenate(most),
            A_eq=sparse.vstack([balance, tight], format="csr"),
            b_eq=np.r_[drawn, shift[bare]],
            bounds=bounds,
            method="highs",
        )
        if found.status != 0:
            return np.nan
        power = found.x[buses : buses + units]
        total = c1 @ power + c2 @ power**2
        if total - found.fun <= GAP * max(abs(total), 1.0) or not c2.any():
            return float(total + c0.sum())
        points = [power]


def read(
    file: Path,
) -> tuple[float, np.ndarray, dict[int, int], np.ndarray, np.ndarray, np.ndarray]:
    """Return base, buses, the row of each, generators and their costs, and branches, all live."""
    text = re.sub(r"%.*", "", file.read_text(encoding="utf-8"))
    base = float(re.findall(r"mpc\.baseMVA\s*=\s*([\d.]+)", text)[0])
    bus, gen, cost, branch = (table(text, name) for name in ("bus", "gen", "gencost", "branch"))
    bus = bus[bus[:, 1] != 4]
    row = {int(number): n for n, number in enumerate(bus[:, 0])}
    branch = branch[[b[10] > 0 and int(b[0]) in row and int(b[1]) in row for b in branch]]
    live = np.array([g[7] > 0 and int(g[0]) in row for g in gen])
    cost, gen = cost[: len(live)][live], gen[live]
    return base, bus, row, gen, cost, branch


def table(text: str, name: str) -> np.ndarray:
    """Return a table of a MATPOWER file without comments."""
    body = re.findall(rf"mpc\.{name}\s*=\s*\[(.*?)\]", text, re.DOTALL)[0]
    rows = [line.split() for line in re.split(r"[;\n]", body) if line.strip()]
    return np.array(rows, float)


def polynomial(row: np.ndarray) -> tuple[float, float, float]:
    """Return the coefficients of a cost in MW, the square's first."""
    if int(row[0]) != 2:
        raise SystemExit("a cost isn't a polynomial")
    coefficients = row[4 : 4 + int(row[3])]
    c2, c1, c0 = np.r_[np.zeros(3), coefficients][-3:]
    return float(c2), float(c1), float(c0)


if __name__ == "__main__":
    sys.exit(main())
