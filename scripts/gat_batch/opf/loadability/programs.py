"""The programs of the optimal power flow with a factor on the loads as one more variable.

Costs are left out: the factor is as large as limits allow. It is the last variable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import casadi
import highspy
import numpy as np
from scipy import sparse

from ...errors import SolverError
from ..ac import program as opf_ac_program
from ..ac.flows import program_of
from ..ac.ladder import RUNGS
from ..ac.solve import CURVED, run_ipopt
from ..ac.start import start_at, start_of
from ..dc import program as opf_dc_program
from ..dc.solve import run_highs
from ..optimum import LARGEST_RESIDUAL
from ..ties.dc_lines import dc_line_ties

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..dispatch import Dispatch

    Complexes = NDArray[np.complex128]

UNLIMITED = "nothing limits how much load it can serve"


def largest_dc_factor(dispatch: Dispatch, loads: Complexes) -> float:
    """Return the largest factor on loads at which a DC optimal power flow has a solution.

    Args:
        dispatch: the grid without these loads.
        loads: power of each row's loads in p.u., shape (buses,).

    Raises:
        SolverError: if there is none, whatever the factor, or no largest one.
    """
    layout = opf_dc_program.layout_of(dispatch)
    program = opf_dc_program.program_of(dispatch, layout)
    program = opf_dc_program.with_ties(program, dc_line_ties([dispatch]), [layout])
    rows, columns = program.matrix.shape
    factor = sparse.csc_matrix(
        (loads.real, (np.arange(len(loads)), np.zeros(len(loads), int))), (rows, 1)
    )
    solver = run_highs(
        opf_dc_program.Program(
            linear=np.append(np.zeros(columns), -1.0),
            quadratic=np.zeros(columns + 1),
            low=np.append(program.low, 0.0),
            high=np.append(program.high, np.inf),
            matrix=sparse.hstack([program.matrix, factor], format="csc"),
            row_low=program.row_low,
            row_high=program.row_high,
        )
    )
    status = solver.getModelStatus()
    if status == highspy.HighsModelStatus.kOptimal:
        return float(solver.getSolution().col_value[-1])
    if status == highspy.HighsModelStatus.kInfeasible:
        raise SolverError("no dispatch keeps all limits, whatever its loads are scaled by")
    raise SolverError(UNLIMITED, hint="generators without limits of active power allow that")


def largest_ac_factor(dispatch: Dispatch, loads: Complexes) -> float:
    """Return the largest factor on loads at which an AC optimal power flow has a solution.

    The program isn't convex: the factor is a local maximum, as an AC optimum is a local minimum.

    Args:
        dispatch: the grid without these loads.
        loads: power of each row's loads in p.u., shape (buses,).

    Raises:
        SolverError: if none was found.
    """
    form = opf_ac_program.form_of(dispatch)
    rest = opf_ac_program.rest_of(form)
    lines = dc_line_ties([dispatch])
    first = form.columns
    factor = casadi.SX.sym("factor")
    scaled = np.zeros(int(form.rows[-1]))
    scaled[: 2 * form.buses] = np.concatenate([loads.real, loads.imag])
    along = casadi.DM(lines.units) @ rest["x"][int(first[2]) : int(first[3])]
    program = program_of(
        {
            "x": casadi.vertcat(rest["x"], factor),
            "p": rest["p"],
            "f": -factor,
            "g": casadi.vertcat(rest["g"] + casadi.DM(scaled) * factor, along),
        },
        opf_ac_program.places_of(form),
        by_current=form.by_current,
        options=CURVED,
    )
    x_low, x_high, low, high = opf_ac_program.bounds(dispatch, form)
    limits = (
        np.append(x_low, 0.0),
        np.append(x_high, np.inf),
        np.append(low, lines.row_low),
        np.append(high, lines.row_high),
    )
    given = opf_ac_program.parameters(dispatch, form)
    own, flat = start_of(dispatch, form), start_at(dispatch, form, None)
    reasons = []
    for start, ipopt in ((own, {}), *((flat, RUNGS[name]) for name in ("flat", "inertia"))):
        end = run_ipopt(program, np.append(start, 1.0), given, limits, ipopt)
        if end.success and end.residual <= LARGEST_RESIDUAL:
            return float(end.value[-1])
        reasons.append(end.reason)
    raise SolverError(f"no largest factor on its loads was found: {', '.join(reasons)}")
