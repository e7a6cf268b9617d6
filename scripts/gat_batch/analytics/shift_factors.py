"""PTDF and LODF of a grid, from the equations of pandapower's own DC power flow.

PTDF: MW more on a branch, from its first bus to its second, per MW more that is injected at a bus
and taken out at the reference. LODF: MW more on a branch per MW that another carried before it
failed (Wood and Wollenberg, Power Generation, Operation, and Control, chapter on security).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse.linalg import splu

from ..errors import SolverError
from ..powerflow.admittances import cached_admittances

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from ..model.grid_model import GridModel

BLOCK = 500
"""Most branches whose factors are in memory at once."""

BRIDGE = 1e-8
"""If less than this share of a shift between the ends of a branch takes other ways, there are none:
its outage splits the grid."""


def ptdf(model: GridModel, least: float) -> pd.DataFrame:
    """Return the power transfer distribution factors of lines and transformers in service.

    Args:
        model: the grid as given.
        least: factors of a smaller size are left out.

    Returns:
        ``element``, ``id``, ``bus``, ``ptdf``.

    Raises:
        SolverError: if the grid has no such equations.
    """
    admittances = _equations(model)
    rows = admittances.row["bus"]
    supplied = np.flatnonzero(rows < admittances.buses)
    parts = []
    for places, labels in _blocks(model, admittances):
        factors = _factors(admittances, places)[:, rows[supplied]]
        branch, bus = np.nonzero(np.abs(factors) >= least)
        part = labels.iloc[branch].reset_index(drop=True)
        part["bus"] = model.ids["bus"][supplied[bus]]
        parts.append(part.assign(ptdf=factors[branch, bus]))
    return pd.concat(parts, ignore_index=True)


def lodf(model: GridModel, least: float) -> pd.DataFrame:
    """Return the line outage distribution factors of lines and transformers in service.

    Args:
        model: the grid as given.
        least: factors of a smaller size are left out.

    Returns:
        ``element``, ``id``, ``outage_element``, ``outage_id``, ``lodf``. Outages that split the
        grid have no factors; a branch on itself is left out.

    Raises:
        SolverError: if the grid has no such equations.
    """
    admittances = _equations(model)
    blocks = list(_blocks(model, admittances))
    every = pd.concat([labels for _, labels in blocks], ignore_index=True)
    order = np.concatenate([places for places, _ in blocks])
    ends = admittances.ends[admittances.live[order]]
    own = np.concatenate(
        [
            _between(_factors(admittances, places), admittances, places).diagonal()
            for places, _ in blocks
        ]
    )
    splits = np.abs(1 - own) < BRIDGE
    scale = np.where(splits, 0.0, 1 / np.where(splits, 1.0, 1 - own))
    parts = []
    for places, labels in blocks:
        factors = _factors(admittances, places)
        found = (factors[:, ends[:, 0]] - factors[:, ends[:, 1]]) * scale
        found[places[:, None] == order] = 0.0
        branch, outage = np.nonzero(np.abs(found) >= max(least, np.finfo(float).tiny))
        part = labels.iloc[branch].reset_index(drop=True)
        failed = every.iloc[outage].reset_index(drop=True).add_prefix("outage_")
        parts.append(pd.concat([part, failed], axis=1).assign(lodf=found[branch, outage]))
    return pd.concat(parts, ignore_index=True)


def _equations(model: GridModel) -> AdmittanceModel:
    admittances = cached_admittances(model, "dc", {})
    if isinstance(admittances, str):
        raise SolverError(
            f"the grid has no shift factors: {admittances}",
            hint="take the analysis out, or that element",
        )
    return admittances


def _blocks(
    model: GridModel, admittances: AdmittanceModel
) -> Iterator[tuple[NDArray[np.int64], pd.DataFrame]]:
    """Yield positions of lines and transformers among the live branches, and their labels."""
    for element in ("line", "trafo"):
        first, last = admittances.span.get(element, (0, 0))
        places = np.flatnonzero((admittances.live >= first) & (admittances.live < last))
        index = model.ids[element][admittances.live[places] - first]
        for start in range(0, len(places), BLOCK):
            labels = pd.DataFrame({"element": element, "id": index[start : start + BLOCK]})
            yield places[start : start + BLOCK], labels


def _factors(admittances: AdmittanceModel, places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the PTDF of some branches, shape (branches, buses supplied)."""
    free = admittances.free
    if "transposed" not in admittances.solvers:
        admittances.solvers["transposed"] = splu(admittances.bus[free][:, free].T.tocsc())
    factors = np.zeros((len(places), admittances.buses))
    flows = admittances.at_from[places][:, free].toarray()
    factors[:, free] = admittances.solvers["transposed"].solve(flows.T).T
    return factors


def _between(
    factors: NDArray[np.float64], admittances: AdmittanceModel, places: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the PTDF for shifts between the ends of branches, shape (factors, branches)."""
    ends = admittances.ends[admittances.live[places]]
    between: NDArray[np.float64] = factors[:, ends[:, 0]] - factors[:, ends[:, 1]]
    return between
