"""Power flows on the admittance model: no tables are turned into arrays and back for each state.

AC: Newton's method on pandapower's own admittances. DC: one factorisation a topology. A state that
the equations can't represent is left to pandapower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import linalg

from .demand import demand_of, injection_of
from .element_results import solution_of
from .newton import newton
from .outages import without
from .state_columns import Columns
from .topology import Topology

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from ..model.grid_model import GridModel
    from ..model.solution import Solution
    from ..model.state import State


def solve_power_flow(
    model: GridModel,
    state: State,
    admittances: AdmittanceModel,
    options: Mapping[str, Any],
    *,
    dc: bool,
) -> Solution | None:
    """Solve one state on the admittance model.

    Args:
        model: the model; its network isn't touched.
        state: what differs from the grid as given.
        admittances: the equations of the grid as given.
        options: solver options, all of them as :func:`equations.cached_admittances` takes them.
        dc: whether the equations are those of a DC power flow.

    Returns:
        The solution, or None if pandapower has to solve this state.
    """
    column = Columns(model, state)
    own = topology_of(admittances, column)
    if own is None:
        return None
    demand = demand_of(model, own, column)
    power = injection_of(own, demand)
    solved = _angles(own, power) if dc else newton(own, power, demand.vm, options)
    if solved is None:
        return None
    voltage, iterations = solved
    loading = str(options.get("trafo_loading", "current"))
    return solution_of(
        model,
        own,
        demand,
        voltage,
        dc=dc,
        engine="scipy" if dc else "lightsim2grid",
        iterations=iterations,
        trafo_loading=loading,
    )


def topology_of(
    admittances: AdmittanceModel, columns: Columns, *, held: bool = True
) -> AdmittanceModel | None:
    """Return the equations of a state's topology.

    Args:
        admittances: the equations of the grid as given.
        columns: the state.
        held: whether generators hold voltages. Where they don't, equations with buses cut off are
            of no use.

    Returns:
        The equations, or None if the state loses a reference or, where nothing is held, if it is
        more than lines and transformers that leave the islands as they are.
    """
    outages = _outages_of(columns)
    if not held:
        rows = admittances.row["gen"][list(outages.pop("gen", ()))]
        if np.isin(rows, admittances.ref).any():
            return None
    if not any(outages.values()):
        return admittances
    kept = admittances.solvers
    # Snapshots of a scenario share their outages.
    if kept.get("outages") != outages:
        if "topology" not in kept:
            kept["topology"] = Topology(admittances, columns.net)
        cut = kept["topology"].cut(outages)
        whole = cut is not None and not len(cut.dead) and not len(cut.hanging)
        plain = outages.keys() <= {"line", "trafo"}
        kept["outages"] = outages
        kept["own"] = (
            None if cut is None or not (held or (whole and plain)) else without(admittances, cut)
        )
    own: AdmittanceModel | None = kept["own"]
    return own


def _outages_of(columns: Columns) -> dict[str, tuple[int, ...]]:
    """Element -> positions of what a state takes out of service, injections left out."""
    return {
        element: tuple(
            np.flatnonzero(
                columns.net[element]["in_service"].to_numpy(bool) & ~values.astype(bool)
            ).tolist()
        )
        for (element, column), values in columns.changed.items()
        if column == "in_service" and element not in ("load", "sgen")
    }


def _angles(
    admittances: AdmittanceModel, injection: NDArray[np.complex128]
) -> tuple[NDArray[np.complex128], None] | None:
    free = np.concatenate([admittances.pv, admittances.pq])
    angle = np.angle(admittances.start)
    kept = admittances.solvers
    if "lu" not in kept:
        try:
            kept["lu"] = linalg.splu(admittances.bus[free][:, free].tocsc())
        except RuntimeError:  # singular: pandapower says how it takes that
            return None
        kept["fixed"] = admittances.bus[free][:, admittances.ref] @ angle[admittances.ref]
    power = injection.real - admittances.bus_shift
    angle[free] = kept["lu"].solve(power[free] - kept["fixed"])
    if not np.isfinite(angle).all():
        return None
    # An angle may turn more than once: magnitudes carry the setpoints, angles stay as they are.
    return angle.astype(complex), None
