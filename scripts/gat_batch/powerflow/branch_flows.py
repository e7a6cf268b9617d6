"""Power, current and loading of branches, by pandapower's formulas.

Compare ``pandapower.results_branch``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..study.scenario import BRANCHES
from .ratings import SQRT3, WINDINGS, by_power, ratings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from ..model.grid_model import GridModel

    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]
    Quantities = dict[str, Reals]


def at_branches(admittances: AdmittanceModel, values: Mapping[str, Reals]) -> Reals:
    """Return values of elements as those of their branches, 1 where there are none.

    Args:
        admittances: the equations.
        values: element -> value of each, shape (elements,).

    Returns:
        Shape (branches,).
    """
    found = np.ones(len(admittances.ends))
    for element, own in values.items():
        for places in branches_of(admittances, element).T:
            found[places] = own
    return found


def branches_of(admittances: AdmittanceModel, element: str) -> NDArray[np.int64]:
    """Branches of each element of a kind, one after the other, shape (elements, branches)."""
    turns = len(WINDINGS) if element == "trafo3w" else 1
    return np.arange(*admittances.span.get(element, (0, 0))).reshape(turns, -1).T


def loading_of(strength: Reals, percent: Reals) -> Reals:
    """Return the loading of branches in percent, of the worse end.

    Args:
        strength: what flows at either end, in the unit that the ratings refer to.
        percent: as from :func:`ratings`.
    """
    with np.errstate(invalid="ignore"):
        either = strength * percent
    # The inner end of a winding doesn't count, and has no voltage where all three are out.
    inner = (percent == 0) & (percent[:, ::-1] != 0)
    either[..., inner] = 0.0
    # Much faster than max(axis=-1), as are sums below.
    loading: Reals = np.maximum(either[..., 0], either[..., 1])
    loading[..., np.isinf(percent).any(axis=-1)] = np.inf
    return loading


def branch_quantities(
    element: str, flow: Complexes | Reals, current: Reals, loading: Reals
) -> Quantities:
    """Return quantities of branches.

    Args:
        element: their kind.
        flow: power into either end of the branches of each in MVA, shape
            (..., elements, branches, 2).
        current: current there in kA.
        loading: loading of the branches in percent, shape (..., elements, branches).
    """
    if element == "trafo3w":
        sides = [end for _, end in WINDINGS]
        outer = flow[..., range(len(sides)), sides]
        first, second, loss = outer[..., 0], outer[..., 1], outer.sum(axis=-1).real
    else:
        first, second = flow[..., 0, 0], flow[..., 0, 1]
        loss = first.real + second.real
    return {
        "p_from_mw": first.real,
        "q_from_mvar": first.imag,
        "p_to_mw": second.real,
        "q_to_mvar": second.imag,
        "pl_mw": loss,
        "i_ka": strongest(element, current),
        "loading_percent": loading.max(axis=-1) if loading.shape[-1] > 1 else loading[..., 0],
    }


def strongest(element: str, current: Reals) -> Reals:
    """Return the current that stands for each element of a kind: pandapower names one of both ends.

    Args:
        element: their kind.
        current: current at both ends in kA, shape (..., elements, branches, 2).
    """
    first, second = current[..., 0, 0], current[..., 0, 1]
    stands: Reals = np.maximum(first, second) if element == "line" else first
    return stands


def ac_flows(admittances: AdmittanceModel, voltage: Complexes) -> Complexes:
    """Return power into either end of each branch in MVA, shape (..., branches, 2).

    Args:
        admittances: the equations.
        voltage: complex voltages in p.u., shape (..., buses).
    """
    ends = admittances.ends[admittances.live]
    flows = np.zeros((*voltage.shape[:-1], len(admittances.ends), 2), complex)
    for side, matrix in enumerate((admittances.at_from, admittances.at_to)):
        current = product(matrix, voltage)
        power = voltage[..., ends[:, side]] * np.conj(current) * admittances.base_mva
        flows[..., admittances.live, side] = np.where(admittances.open, 0.0, power)
    return flows


def product(matrix: Any, vectors: NDArray[Any]) -> NDArray[Any]:
    """Return the product of a sparse matrix with each vector, shape (..., rows)."""
    if vectors.ndim == 1:
        found: NDArray[Any] = matrix @ vectors
        return found
    return np.ascontiguousarray((matrix @ np.ascontiguousarray(vectors.T)).T)


def dc_flows(admittances: AdmittanceModel, angle: Complexes) -> Complexes:
    """Return active power into either end of each branch in MW, shape (..., branches, 2)."""
    across = product(admittances.at_from, angle.real)
    power = (across + admittances.branch_shift) * admittances.base_mva
    flows = np.zeros((*angle.shape[:-1], len(admittances.ends), 2), complex)
    flows[..., admittances.live, 0] = np.where(admittances.open, 0.0, power)
    flows[..., admittances.live, 1] = -flows[..., admittances.live, 0]
    return flows


def branch_results(
    model: GridModel,
    admittances: AdmittanceModel,
    flows: Complexes,
    vm: Reals,
    trafo_loading: str,
) -> dict[str, Quantities]:
    """Return quantities of lines and transformers, from the power into their ends in MVA."""
    apparent = np.abs(flows)
    elements: dict[str, Quantities] = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        at_ends = vm[..., admittances.ends] * admittances.kv[admittances.ends]
        current = apparent / at_ends / SQRT3
        current[..., admittances.hanging[:, 0], 1 - admittances.hanging[:, 1]] = 0.0
        strength = np.where(by_power(admittances, trafo_loading)[:, None], apparent, current)
        loading = loading_of(strength, ratings(model.net, admittances, trafo_loading))
    for element in BRANCHES:
        places = branches_of(admittances, element)
        if len(places):
            elements[element] = branch_quantities(
                element, flows[..., places, :], current[..., places, :], loading[..., places]
            )
    return elements
