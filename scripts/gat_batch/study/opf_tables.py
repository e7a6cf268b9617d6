"""Tables of costs, limits and impedances: long form, a row per element, CSV or Parquet.

Every row names its element in the columns ``element``, a type, and ``id``, an index or name. With
a column ``snapshot`` the table holds one state after the other. A cell left empty says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import GatBatchError, InputErrors, TableError
from ..files.columns import codes, numbers, raise_faults, read_columns
from ..files.shared_rows import rows_of_scenario
from ..files.words import nearest

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    Reals = NDArray[np.float64]

Kind = Literal["costs", "limits", "impedances"]

_POWER = ("min_p_mw", "max_p_mw", "min_q_mvar", "max_q_mvar", "max_ramp_mw")
_CONTENT = (
    "min_e_mwh",
    "max_e_mwh",
    "soc_percent",
    "end_soc_percent",
    "charge_efficiency_percent",
    "discharge_efficiency_percent",
    "self_discharge_percent_per_hour",
)
_BRANCH = ("max_loading_percent", "min_angle_degree", "max_angle_degree")

LIMITS: dict[str, tuple[str, ...]] = {
    "bus": ("min_vm_pu", "max_vm_pu"),
    "gen": (*_POWER, "min_vm_pu", "max_vm_pu", "controllable"),
    "ext_grid": _POWER,
    "sgen": (*_POWER, "controllable"),
    "load": (*_POWER, "controllable"),
    "storage": (*_POWER, "controllable", *_CONTENT),
    "dcline": ("max_p_mw",),
    "line": _BRANCH,
    "trafo": _BRANCH,
    "trafo3w": ("max_loading_percent",),
}
"""Element -> columns that limit it."""

POLYNOMIALS = {
    "p": ("cp0_eur", "cp1_eur_per_mw", "cp2_eur_per_mw2"),
    "q": ("cq0_eur", "cq1_eur_per_mvar", "cq2_eur_per_mvar2"),
}
"""Active or reactive power -> columns of the coefficients of its cost, the constant first."""

POINT = ("p_mw", "cost_eur")
"""Columns of a point of a piecewise linear curve."""

REDISPATCH = ("redispatch_up", "redispatch_down")
"""Columns of what a MW more or less than the given dispatch costs, in currency per MWh."""

_POLYNOMIAL_P = POLYNOMIALS["p"]

_PRICED = (*POLYNOMIALS["p"], *POLYNOMIALS["q"], *POINT, *REDISPATCH)

COSTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("gen", "ext_grid", "sgen", "load", "storage"), _PRICED),
    "dcline": _POLYNOMIAL_P,
}
"""Element -> columns that say what its power costs per hour."""

_WINDINGS = ("hv", "mv", "lv")

IMPEDANCES: dict[str, tuple[str, ...]] = {
    "line": ("r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "g_us_per_km"),
    "trafo": ("vk_percent", "vkr_percent", "i0_percent", "pfe_kw"),
    "trafo3w": tuple(f"{name}_{side}_percent" for name in ("vk", "vkr") for side in _WINDINGS),
    "impedance": ("rft_pu", "xft_pu", "rtf_pu", "xtf_pu"),
}
"""Branch -> columns of what it is made of."""

COLUMNS: dict[Kind, dict[str, tuple[str, ...]]] = {
    "costs": COSTS,
    "limits": LIMITS,
    "impedances": IMPEDANCES,
}

NOT_NEGATIVE = ("max_loading_percent", "max_ramp_mw", "min_vm_pu", "max_vm_pu", *_CONTENT)

SHARES = tuple(name for name in _CONTENT if "percent" in name)
"""Columns whose values are at most 100."""

PAIRS = tuple(
    (low, low.replace("min", "max")) for low in ("min_p_mw", "min_q_mvar", "min_vm_pu", "min_e_mwh")
)


@dataclass(frozen=True)
class ElementTable:
    """A table of costs, limits or impedances.

    Attributes:
        file: where it was read from.
        elements, element: distinct types, and the position of each row's, shape (rows,).
        labels, label: distinct indices or names, and the position of each row's, shape (rows,).
        values: for each value column that the table has, shape (rows,); NaN where left empty.
        snapshots: distinct snapshots in the order of their appearance; empty without the column.
        snapshot: position of each row's snapshot, shape (rows,); all 0 without the column.
    """

    file: Path
    elements: tuple[str, ...]
    element: NDArray[np.int64]
    labels: tuple[str, ...]
    label: NDArray[np.int64]
    values: dict[str, Reals]
    snapshots: tuple[str, ...]
    snapshot: NDArray[np.int64]

    def place(self, row: int) -> tuple[str, str]:
        """Return the type and the label of a row's element."""
        return self.elements[self.element[row]], self.labels[self.label[row]]

    def fault(self, row: int, what: str, field: str | None, hint: str | None = None) -> TableError:
        """Make a fault of a row; the first one below the header is row 2.

        Args:
            row: its position, from 0.
            what: what is wrong.
            field: the column, unless what is wrong names it.
            hint: what to do about it.
        """
        return TableError(f"row {row + 2}: {what}", file=self.file, field=field, hint=hint)


def read_element_table(path: Path, kind: Kind, rows: str | None = None) -> ElementTable:
    """Read a table.

    Args:
        path: a CSV file, or Parquet with the suffix ``.parquet``.
        kind: ``costs``, ``limits`` or ``impedances``.
        rows: the entry in the column ``scenario`` of the rows wanted, if scenarios share the table.

    Returns:
        The table.

    Raises:
        InputErrors: if the table has faults; it holds all of them, no more than 20 one by one.
        TableError: if the file is no table at all.
        UnreadableError: if the system fails to read it.
    """
    if rows is None:
        raw = read_columns(path)
        if "scenario" in raw.column_names:
            hint = 'say which rows are meant: {"file": ..., "rows": ...}'
            raise TableError("is shared by scenarios", file=path, field="scenario", hint=hint)
        return _parsed(raw, path, kind)
    try:
        return _parsed(rows_of_scenario(path, rows), path, kind)
    except InputErrors as found:
        for fault in found.faults:
            # Rows are counted among those of the scenario.
            fault.file = f"{path}, rows of {rows!r}"
        raise


def _parsed(raw: pa.Table, path: Path, kind: Kind) -> ElementTable:
    known = COLUMNS[kind]
    names = dict.fromkeys(name for columns in known.values() for name in columns)
    faults: list[GatBatchError] = [
        TableError("unknown column", file=path, field=name, hint=nearest(name, everything))
        for name in raw.column_names
        if name not in (everything := ["element", "id", "snapshot", *names])
    ]
    faults += [
        TableError("missing", file=path, field=name, hint="each row names its element")
        for name in ("element", "id")
        if name not in raw.column_names
    ]
    if not any(name in raw.column_names for name in names):
        hint = f"at least one of the columns {', '.join(names)} is needed"
        faults.append(TableError("says nothing", file=path, hint=hint))
    if faults:
        raise InputErrors(faults)
    elements, element = codes(raw["element"], "element", path, faults)
    labels, label = codes(raw["id"], "id", path, faults)
    values = {
        name: numbers(raw[name], name, path, faults) for name in names if name in raw.column_names
    }
    snapshots: tuple[str, ...] = ()
    snapshot = np.zeros(len(raw), dtype=np.int64)
    if "snapshot" in raw.column_names:
        snapshots, snapshot = codes(raw["snapshot"], "snapshot", path, faults)
    table = ElementTable(path, elements, element, labels, label, values, snapshots, snapshot)
    if not faults:
        faults = [*_unfitting(table, known), *_repeated(table, kind)]
        wrong = {"limits": _wrong_limits, "costs": _wrong_costs, "impedances": _wrong_impedances}
        faults += wrong[kind](table)
    raise_faults(faults, path)
    return table


def _unfitting(table: ElementTable, known: dict[str, tuple[str, ...]]) -> list[GatBatchError]:
    """Find unknown elements, rows that say nothing, and cells that don't fit their element."""
    faults: list[GatBatchError] = []
    given = {name: np.isfinite(column) for name, column in table.values.items()}
    said = np.any(list(given.values()), axis=0)
    for row in range(len(table.label)):
        element = table.place(row)[0]
        if element not in known:
            what = f"{element!r} is no element that the table can name"
            faults.append(table.fault(row, what, "element", nearest(element, known)))
            continue
        if not said[row]:
            faults.append(table.fault(row, "says nothing", "element"))
        for name, filled in given.items():
            if filled[row] and name not in known[element]:
                hint = f"it has {', '.join(known[element])}"
                faults.append(table.fault(row, f"a {element} has no {name}", None, hint))
    return faults


def _repeated(table: ElementTable, kind: Kind) -> list[GatBatchError]:
    """Find elements named twice; only the points of one curve may have several rows."""
    faults: list[GatBatchError] = []
    first: dict[tuple[int, ...], int] = {}
    points = np.isfinite(table.values.get(POINT[0], np.full(len(table.label), np.nan)))
    for row, key in enumerate(
        zip(table.snapshot.tolist(), table.element.tolist(), table.label.tolist(), strict=True)
    ):
        before = first.setdefault(key, row)
        if before != row and not (kind == "costs" and points[row] and points[before]):
            element, label = table.place(row)
            what = f"{element} {label!r} stands in row {before + 2} already"
            faults.append(table.fault(row, what, "id"))
    return faults


def _wrong_limits(table: ElementTable) -> list[GatBatchError]:
    faults: list[GatBatchError] = []
    for name in NOT_NEGATIVE:
        for row in np.flatnonzero(table.values.get(name, np.empty(0)) < 0):
            value = table.values[name][row]
            faults.append(table.fault(row, f"{name} is {value:g}", None, "0 or more is needed"))
    for name in SHARES:
        for row in np.flatnonzero(table.values.get(name, np.empty(0)) > 100):
            value = table.values[name][row]
            faults.append(table.fault(row, f"{name} is {value:g}", None, "100 is the most"))
    switches = table.values.get("controllable", np.empty(0))
    for row in np.flatnonzero(~np.isnan(switches) & ~np.isin(switches, (0, 1))):
        what = f"controllable is {switches[row]:g}"
        faults.append(table.fault(row, what, None, "1 or 0 is needed"))
    for low, high in PAIRS:
        if low in table.values and high in table.values:
            crossed = table.values[low] > table.values[high]
            faults += [
                table.fault(row, f"{low} is above {high}", None) for row in np.flatnonzero(crossed)
            ]
    return faults


def _wrong_costs(table: ElementTable) -> list[GatBatchError]:
    faults: list[GatBatchError]
    nothing = np.full(len(table.label), np.nan)
    power, cost = (np.isfinite(table.values.get(name, nothing)) for name in POINT)
    half = f"a point needs {' and '.join(POINT)}"
    faults = [table.fault(row, half, None) for row in np.flatnonzero(power != cost)]
    names = POLYNOMIALS["p"]
    polynomial = np.any([np.isfinite(table.values.get(name, nothing)) for name in names], axis=0)
    for row in np.flatnonzero(power & polynomial):
        what = "has both a point and a polynomial"
        faults.append(table.fault(row, what, POINT[0], "one curve has one form"))
    for name in REDISPATCH:
        for row in np.flatnonzero(table.values.get(name, nothing) < 0):
            value = table.values[name][row]
            faults.append(table.fault(row, f"{name} is {value:g}", name, "0 or more is needed"))
    return faults


def _wrong_impedances(table: ElementTable) -> list[GatBatchError]:
    if not table.snapshots:
        return []
    what = "impedances are the same in all snapshots"
    return [TableError(what, file=table.file, field="snapshot", hint="take out the column")]
