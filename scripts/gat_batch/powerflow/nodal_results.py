"""Results of elements at one bus, and of those between two buses that have no rating.

Compare ``pandapower.results_bus`` and ``pandapower.results_gen``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .at_buses import add_at
from .plain.results import GENERATION
from .ratings import SQRT3

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ..model.admittance_model import AdmittanceModel
    from ..model.grid_model import GridModel

    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]
    Quantities = dict[str, Reals]


def voltage_dependent_powers(
    model: GridModel,
    admittances: AdmittanceModel,
    power: dict[str, Complexes],
    flows: Complexes,
    vm: Reals,
) -> dict[str, Complexes]:
    """Return power in MVA of elements that follow the voltage: shunts and wards."""
    found: dict[str, Complexes] = {}
    for element in ("shunt", "ward", "xward"):
        if element not in admittances.row:
            continue
        rows = admittances.row[element]
        fixed = shunt_powers(model, admittances, element)
        drawn = np.where(admittances.supplied[rows], fixed * np.nan_to_num(vm[..., rows]) ** 2, 0.0)
        found[element] = drawn + power.get(element, 0.0)
        if element == "xward":
            found[element] += flows[..., slice(*admittances.span["xward"]), 0]
    return found


def by_step(net: pandapowerNet) -> pd.DataFrame:
    """Return the table of shunts with the power of a step as their tables of steps have it."""
    table: pd.DataFrame = net.shunt
    known = net.get("shunt_characteristic_table")
    if known is None or "step_dependency_table" not in table:
        return table
    depends = table["step_dependency_table"].fillna(0).astype(bool).to_numpy()
    if not depends.any():
        return table
    table = table.copy()
    steps = known.set_index(["id_characteristic", "step"])
    wanted = table.loc[depends, ["id_characteristic_table", "step"]]
    own = steps.reindex([(int(which), int(step)) for which, step in wanted.to_numpy()])
    for name in ("p_mw", "q_mvar"):
        table.loc[depends, name] = own[name].to_numpy(float) / wanted["step"].to_numpy(float)
    return table


def shunt_powers(model: GridModel, admittances: AdmittanceModel, element: str) -> Complexes:
    """Return what shunts or wards draw at 1 p.u. in MVA, 0 out of service; kept for all states."""
    kept, key = admittances.shared, ("shunts", element)
    if key not in kept:
        table = model.net[element]
        if element == "shunt":
            kv = admittances.kv[admittances.row[element]]
            ratio = (kv / table["vn_kv"].to_numpy(float)) ** 2
            factor, names = ratio * table["step"].to_numpy(float), ("p_mw", "q_mvar")
            table = by_step(model.net)
        else:
            factor, names = np.ones(len(table)), ("pz_mw", "qz_mvar")
        real, reactive = (table[name].to_numpy(float) for name in names)
        live = table["in_service"].to_numpy(bool)
        kept[key] = np.where(live, (real + 1j * reactive) * factor, 0.0)
    powers: Complexes = kept[key]
    return powers


def nodal_results(
    admittances: AdmittanceModel,
    power: dict[str, Complexes],
    running: NDArray[np.bool_],
    voltage: tuple[Reals, Reals],
) -> dict[str, Quantities]:
    """Elements at one bus."""
    found = {element: _power(own) for element, own in power.items()}
    vm, va = (np.where(running, values[..., admittances.row["gen"]], 0.0) for values in voltage)
    found["gen"] |= {"vm_pu": vm, "va_degree": va}
    for element in ("shunt", "ward", "xward"):
        if element in found:
            found[element]["vm_pu"] = np.nan_to_num(voltage[0][..., admittances.row[element]])
    return found


def through_results(
    admittances: AdmittanceModel, power: dict[str, Complexes], flows: Complexes, vm: Reals
) -> dict[str, Quantities]:
    """Elements between two buses that aren't rated: impedances and DC lines."""
    found = {}
    first, last = admittances.span.get("impedance", (0, 0))
    if last > first:
        ends = flows[..., first:last, 0], flows[..., first:last, 1]
        current = np.abs(ends[0]) / SQRT3
        with np.errstate(invalid="ignore"):
            at = admittances.ends[first:last, 0]
            current = current / (vm[..., at] * admittances.kv[at])
        found["impedance"] = {**_between(*ends), "i_ka": current}
    if "dcline_from" in power:
        found["dcline"] = _between(power["dcline_from"], power["dcline_to"])
    return found


def _between(first: Complexes, second: Complexes) -> Quantities:
    return {
        "p_from_mw": first.real,
        "q_from_mvar": first.imag,
        "p_to_mw": second.real,
        "q_to_mvar": second.imag,
        "pl_mw": first.real + second.real,
    }


def bus_results(
    model: GridModel,
    admittances: AdmittanceModel,
    bus_in: NDArray[np.bool_],
    voltage: tuple[Reals, Reals],
    power: dict[str, Complexes],
) -> dict[str, Quantities]:
    """Buses draw what their elements draw, in pandapower's convention."""
    total = np.zeros((*voltage[0].shape[:-1], len(bus_in)), complex)
    for element, own in power.items():
        # pandapower counts DC lines at their buses twice, with both signs.
        if not element.startswith("dcline"):
            sign = -1.0 if element in GENERATION else 1.0
            add_at(total, model.position[element], sign * own)
    total[..., ~bus_in] = np.nan
    vm, va = (values[..., admittances.row["bus"]] for values in voltage)
    return {"bus": {"vm_pu": vm, "va_degree": va, **_power(total)}}


def _power(power: Complexes) -> Quantities:
    return {"p_mw": power.real, "q_mvar": np.where(np.isnan(power.real), np.nan, power.imag)}
