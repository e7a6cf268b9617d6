"""Equations of lines and transformers with other impedances, without posing them anew.

What a branch is per unit is in proportion to what its table says. Where the table changes, so does
the branch, by the same factor; only a transformer's T circuit has to be made of it in between.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ...model.admittance_model import AdmittanceModel
    from ...model.circuits import Circuits

    Rows = NDArray[np.int64]
    Complexes = NDArray[np.complex128]

NEAR = 1e-9
"""Relative deviation up to which a branch is in proportion to its table."""


def with_impedances(
    admittances: AdmittanceModel,
    given: pandapowerNet,
    own: pandapowerNet,
    options: Mapping[str, Any],
) -> AdmittanceModel | None:
    """Return equations of a network whose lines and transformers are made of something else.

    Args:
        admittances: the equations of the network as given, with nothing taken out of them.
        given: the network as given.
        own: the other one, which is the same but for impedances.
        options: options that shape the equations.

    Returns:
        The equations; None if they don't follow from those given.
    """
    if any(given[element] is not own[element] for element in ("trafo3w", "impedance")):
        return None
    circuits = admittances.circuits
    impedance, across = circuits.impedance.copy(), circuits.across.copy()
    for element in ("line", "trafo"):
        if given[element] is own[element]:
            continue
        first, last = admittances.span.get(element, (0, 0))
        at = np.flatnonzero((admittances.live >= first) & (admittances.live < last))
        rows = admittances.live[at] - first
        dependent = element == "trafo" and _by_tap(given)
        if dependent or not circuits.alike[at].all():
            return None
        before, after = (_made_of(net, element)[:, rows] for net in (given, own))
        star = element == "trafo" and options.get("trafo_model", "t") == "t"
        old = np.stack([impedance[at], across[at]])
        new = _in_proportion(_star(old) if star else old, before, after)
        if new is None:
            return None
        impedance[at], across[at] = _triangle(new) if star else new
    if ((impedance.imag == 0) & (circuits.impedance.imag != 0)).any():
        return None
    return _made_of_these(admittances, replace(circuits, impedance=impedance, across=across))


def _by_tap(net: pandapowerNet) -> bool:
    """Tell whether impedances of transformers follow from their taps, not from their columns."""
    table = net["trafo"]
    columns = table.columns.intersection(["tap_dependency_table", "tap_dependent_impedance"])
    return bool(table[columns].isin([True]).to_numpy().any())


def _made_of(net: pandapowerNet, element: str) -> Complexes:
    """Return what impedances and admittances across are in proportion to, shape (2, elements)."""
    column = {name: net[element][name].to_numpy(np.float64) for name in _COLUMNS[element]}
    if element == "line":
        charging = 2e-3 * np.pi * net.f_hz * column["c_nf_per_km"]
        return np.stack(
            [
                column["r_ohm_per_km"] + 1j * column["x_ohm_per_km"],
                column["g_us_per_km"] + 1j * charging,
            ]
        )
    whole, real = column["vk_percent"], column["vkr_percent"]
    with np.errstate(invalid="ignore"):
        reactance = np.sign(whole) * np.sqrt(whole**2 - real**2)
    no_load, iron = column["i0_percent"] / 100 * column["sn_mva"], column["pfe_kw"] / 1e3
    magnetisation = np.sqrt(np.maximum(no_load**2 - iron**2, 0.0))
    return np.stack([real + 1j * reactance, iron - 1j * magnetisation])


_COLUMNS = {
    "line": ("r_ohm_per_km", "x_ohm_per_km", "g_us_per_km", "c_nf_per_km"),
    "trafo": ("vk_percent", "vkr_percent", "i0_percent", "pfe_kw", "sn_mva"),
}


def _in_proportion(old: Complexes, before: Complexes, after: Complexes) -> Complexes | None:
    """Return parameters that change as their tables do, all of shape (2, branches).

    Returns:
        The parameters; None if the old ones aren't in proportion to what the table had.
    """
    changed = before != after
    scale = np.divide(old, before, out=np.zeros_like(old), where=before != 0)
    fits = (scale.real > 0) & (np.abs(scale.imag) <= NEAR * np.abs(scale)) & np.isfinite(after)
    if (changed & ~fits).any():
        return None
    return np.where(changed, scale.real * after, old)


def _star(triangle: Complexes) -> Complexes:
    """Return the T circuit of transformers, whose halves of the impedance are equal.

    Args:
        triangle: impedance and admittance across of each branch, shape (2, branches).
    """
    impedance = triangle[0] / (1 + triangle[0] * triangle[1] / 4)
    return np.stack([impedance, triangle[0] * triangle[1] / impedance])


def _triangle(star: Complexes) -> Complexes:
    """Return the branches of T circuits; the inverse of :func:`_star`."""
    share = 1 + star[0] * star[1] / 4
    return np.stack([star[0] * share, star[1] / share])


def _made_of_these(admittances: AdmittanceModel, circuits: Circuits) -> AdmittanceModel:
    """Return equations with other branches."""
    start, end = admittances.ends[admittances.live].T
    every, live, buses = np.arange(len(start)), len(start), admittances.buses

    def at_ends(first: Any, second: Any) -> Any:
        columns = np.concatenate([start, end])
        values = np.concatenate([first, second])
        return sparse.csr_matrix((values, (np.tile(every, 2), columns)), (live, buses))

    def at_buses(rows: Rows) -> Any:
        return sparse.csr_matrix((np.ones(live), (rows, every)), (buses, live))

    injected = np.zeros(live)
    if admittances.dc:
        more = circuits.susceptance - admittances.circuits.susceptance
        at_from, at_to = at_ends(more, -more), at_ends(-more, more)
        injected = -more * circuits.shift
    else:
        pairs = zip(circuits.admittances(), admittances.circuits.admittances(), strict=True)
        differences = [new - old for new, old in pairs]
        at_from, at_to = at_ends(*differences[:2]), at_ends(*differences[2:])
    bus = admittances.bus + at_buses(start) @ at_from + at_buses(end) @ at_to
    return replace(
        admittances,
        circuits=circuits,
        bus=bus.tocsc(),
        at_from=(admittances.at_from + at_from).tocsr(),
        at_to=(admittances.at_to + at_to).tocsr(),
        bus_shift=admittances.bus_shift + (at_buses(start) - at_buses(end)) @ injected,
        branch_shift=admittances.branch_shift + injected,
    )
