"""lightsim2grid's bare sweep: Newton's method over many loads in C++, and nothing else.

python benchmarks/sweep.py GRID COUNT LOW HIGH

Prints the seconds that so many AC power flows take whose loads are scaled between two factors, or
``none``. GRID is one of pandapower's or a JSON file.
The limit of what a workflow around the same method can reach: no checks, no rows, no files. Its
converter's grid is not always pandapower's (of ``case118`` voltages differ by 0.014 p.u.), so only
its time counts.
"""

from __future__ import annotations

import sys
import time
import warnings
from typing import Any

import numpy as np
import pandapower
import pandapower.networks

MOST_ITERATIONS, TOLERANCE = 10, 1e-8


def main() -> None:
    """Time the sweep that is asked for, and print its seconds."""
    grid, count, low, high = sys.argv[1:]
    net = network(grid)
    factors = np.linspace(float(low), float(high), int(count), endpoint=False)[:, np.newaxis]
    active, reactive = (net.load[name].to_numpy() * factors for name in ("p_mw", "q_mvar"))
    secs = bare_sweep(net, active, reactive)
    print("none" if secs is None else secs)


def network(grid: str) -> Any:
    """Return a grid, from a JSON file or pandapower's own."""
    own = grid.endswith(".json")
    return pandapower.from_json(grid) if own else getattr(pandapower.networks, grid)()


def bare_sweep(net: Any, active: np.ndarray, reactive: np.ndarray) -> float | None:
    """Time AC power flows under many loads, in seconds.

    Args:
        net: the grid.
        active: active power of each load in MW, shape (states, loads).
        reactive: reactive power in MVAr, likewise.

    Returns:
        The seconds of all states, or None if lightsim2grid's converter can't represent the grid or
        any power flow fails, at which it stops.
    """
    # Imported late: it isn't needed where nothing is compared with it.
    from lightsim2grid.gridmodel import init_from_pandapower
    from lightsim2grid.lightsim2grid_cpp import TimeSeriesCPP
    from lightsim2grid.solver import SolverType

    pandapower.runpp(net, numba=False, lightsim2grid=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            grid = init_from_pandapower(net)
        start = grid.ac_pf(np.ones(len(net.bus), complex), MOST_ITERATIONS, TOLERANCE)
    except Exception:  # noqa: BLE001 - whatever it says, there is no such limit then
        return None
    if not len(start):
        return None
    generation, others = (
        np.tile([one.target_p_mw for one in those], (len(active), 1))
        for those in (grid.get_generators(), grid.get_static_generators())
    )
    sweep = TimeSeriesCPP(grid)
    sweep.change_solver(SolverType.KLUSingleSlack)
    began = time.perf_counter()
    solved = sweep.compute_Vs(
        generation, others, active, reactive, start, MOST_ITERATIONS, TOLERANCE
    )
    secs = time.perf_counter() - began
    return secs if solved else None


if __name__ == "__main__":
    main()
