"""Inner names of lightsim2grid 0.13: its Newton's method without a grid of its own."""

from __future__ import annotations

from typing import Any


def klu_newton() -> Any:
    """Return a solver of AC equations with one slack, by KLU.

    Its method ``compute_pf`` takes admittances, starting voltages, injections, the rows of slack
    buses, a share of the slack for each bus, which says nothing where there is one, and the rows
    of voltage-controlled and load buses; ``get_V`` and ``get_nb_iter`` tell what came of it.
    """
    from lightsim2grid.solver import KLUSolverSingleSlack

    return KLUSolverSingleSlack()
