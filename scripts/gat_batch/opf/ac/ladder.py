"""Further ways to an AC optimum where Ipopt doesn't find one from the grid's power flow.

Interior-point methods are local: from one start they end at a point that keeps no limits, from
another they find the optimum. Each rung is the same program with the same tolerances, from another
start or with another strategy of its barrier.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .program import form_of
from .solve import solve_ac_opf
from .start import start_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ..dispatch import Dispatch
    from ..optimum import Optimum

    Reals = NDArray[np.float64]

RUNGS: dict[str, dict[str, Any]] = {
    "flat": {},
    "dc": {},
    "adaptive": {"mu_strategy": "adaptive", "max_iter": 500},
    "inertia": {"neg_curv_test_tol": 0.0, "max_iter": 500},
}
"""Name -> options of Ipopt in which it differs. ``flat`` starts at 1 p.u. and angle 0, ``dc`` at
the DC optimum, the others at whichever of these there is."""

SECOND_OPINION = ("dc",)
"""Rungs tried before a grid is called infeasible. Of 90 grids with limits tightened until nothing
keeps them, none had an optimum that another rung found."""


def climbed(
    snapshots: Sequence[Dispatch],
    dc_points: Callable[[], list[tuple[Reals, Reals]] | None],
    rungs: Sequence[str] = tuple(RUNGS),
) -> list[Optimum] | None:
    """Try each rung in turn.

    Args:
        snapshots: the snapshots, as :func:`gat_batch.opf.ac.solve.solve_ac_opf` takes them.
        dc_points: returns angles in radians and injections in p.u. of the DC optimum of each
            snapshot, or None if there is none.
        rungs: names of :data:`RUNGS`.

    Returns:
        The first optimum found, its rung in the engine's name; None if none was.
    """
    form = form_of(snapshots[0])
    flat = [start_at(dispatch, form, None) for dispatch in snapshots]
    points = dc_points()
    best = flat
    for rung in rungs:
        if rung == "dc":
            if points is None:
                continue
            best = [
                start_at(dispatch, form, point)
                for dispatch, point in zip(snapshots, points, strict=True)
            ]
        found = solve_ac_opf(snapshots, before=np.concatenate(best), ipopt=RUNGS[rung])
        if found[0].status == "ok":
            return [replace(one, engine=f"{one.engine}:{rung}") for one in found]
    return None
