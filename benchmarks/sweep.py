"""lightsim2grid's bare sweep: Newton's method over many loads in C++, and nothing else.

The limit of what a workflow around the same method can reach: no checks, no rows, no files. Its
converter's grid is not always pandapower's (of ``case118`` voltages differ by 0.014 p.u.), so only
its time counts.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pandapower

MOST_ITERATIONS, TOLERANCE = 10, 1e-8


def bare_sweep(net: Any, active: np.ndarray, reactive: np.ndarray) -> float | None:
    """Time AC power flows under many loads, in seconds.

    Args:
        net: the grid.
        active: active power of each load in MW, shape (states, loads).
        reactive: reactive power in MVAr, likewise.

    Returns:
        The seconds of all states, or None if lightsim2grid's converter can't represent the grid or
        its power flow fails.
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
    sweep.compute_Vs(generation, others, active, reactive, start, MOST_ITERATIONS, TOLERANCE)
    return time.perf_counter() - began
