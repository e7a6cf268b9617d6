"""The tables of a PyPSA network as its files have them: a row for each component."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...errors import GridError
from ...files.times import time_name

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NOW = ("now",)
"""Snapshots of a network that has none of its own, as PyPSA names them."""

FOLLOWED = {
    "buses": ("v_mag_pu_set",),
    "loads": ("p_set", "q_set"),
    "generators": ("p_set", "q_set", "p_max_pu", "p_min_pu"),
    "storage_units": ("p_set", "q_set"),
    "stores": ("p_set", "q_set"),
    "links": ("p_set",),
}
"""Attributes over time that snapshots follow."""

TRUE = ("true", "1", "1.0")


@dataclass
class Components:
    """The tables of a network.

    Attributes:
        file: where they were read from.
        static: list, such as ``lines`` -> its components by name, all cells as text.
        series: list and attribute -> values over time, one column a component.
        snapshots: names of the times, in order.
        notes: what can't be held exactly, one sentence each; readers add to it.
    """

    file: Path
    static: dict[str, pd.DataFrame]
    series: dict[tuple[str, str], pd.DataFrame]
    snapshots: tuple[str, ...]
    notes: list[str] = field(default_factory=list)
    _numbers: dict[tuple[str, str], pd.Series] = field(default_factory=dict)

    def table(self, kind: str) -> pd.DataFrame:
        """Return a table; an empty one if there are no such components."""
        return self.static.get(kind, pd.DataFrame(index=pd.Index([], dtype=str)))

    def texts(self, kind: str, attribute: str, default: str = "") -> pd.Series:
        """Return a column as text, with the default where it is missing or empty."""
        table = self.table(kind)
        if attribute not in table:
            return pd.Series(default, index=table.index, dtype=object)
        cells = table[attribute].astype(object)
        return cells.where(cells != "", default)

    def numbers(self, kind: str, attribute: str, default: float) -> pd.Series:
        """Return a column as numbers, with its one default where it is missing or empty.

        Raises:
            GridError: if a cell is no number.
        """
        if (kind, attribute) not in self._numbers:
            cells = self.texts(kind, attribute, "nan")
            values = pd.to_numeric(cells, errors="coerce").astype(float)
            wrong = values.isna() & (cells != "nan")
            if wrong.any():
                name = values.index[wrong][0]
                what = f"{kind} {name!r}: {attribute} is {cells[name]!r}, not a number"
                raise GridError(what, file=self.file, field=kind)
            self._numbers[kind, attribute] = values.fillna(default)
        return self._numbers[kind, attribute]

    def truths(self, kind: str, attribute: str, *, default: bool) -> NDArray[np.bool_]:
        """Return a column of yes and no."""
        cells = self.texts(kind, attribute, str(default))
        return np.array([str(cell).casefold() in TRUE for cell in cells], bool)


def read_components(path: Path) -> Components:
    """Read the tables of a network.

    Args:
        path: a folder of CSV files, or a NetCDF file.

    Raises:
        GridError: if they can't be read, are no PyPSA network, or span several investment periods.
    """
    try:
        found = _folder(path) if path.is_dir() else _netcdf(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise GridError(f"can't be read: {reason}", file=path) from None
    except (ValueError, KeyError, IndexError) as error:
        raise GridError(f"is not a PyPSA network: {error}", file=path) from None
    if not len(found.table("buses")):
        raise GridError("is not a PyPSA network: it has no buses", file=path)
    if "investment_periods" in found.static or "scenarios" in found.static:
        hint = "export one period, or one scenario, of it"
        raise GridError("has investment periods or scenarios", file=path, hint=hint)
    for kind, table in found.static.items():
        if not table.index.is_unique:
            name = table.index[table.index.duplicated()][0]
            raise GridError(f"gives the name {name!r} to two {kind}", file=path, field=kind)
    return found


def _folder(path: Path) -> Components:
    static: dict[str, pd.DataFrame] = {}
    series: dict[tuple[str, str], pd.DataFrame] = {}
    for file in sorted(path.glob("*.csv")):
        kind, dash, attribute = file.stem.partition("-")
        if dash:
            series[kind, attribute] = pd.read_csv(file, index_col=0).reset_index(drop=True)
        else:
            table = pd.read_csv(file, dtype=str, keep_default_na=False)
            static[kind] = table.set_index(table.columns[0])
    times = static.pop("snapshots", None)
    names = NOW if times is None else tuple(times.get("snapshot", times.index.to_series()))
    return _components(path, static, series, names)


def _components(
    path: Path,
    static: dict[str, pd.DataFrame],
    series: dict[tuple[str, str], pd.DataFrame],
    times: tuple[Any, ...],
) -> Components:
    for (kind, attribute), values in series.items():
        values.columns = values.columns.astype(str)
        if len(values) != len(times):
            what = f"{kind}-{attribute} has {len(values)} rows for {len(times)} snapshots"
            raise ValueError(what)
        if attribute in FOLLOWED.get(kind, ()):
            series[kind, attribute] = _finite(values, f"{kind}-{attribute}", attribute)
    names = tuple(map(time_name, times))
    if len(set(names)) < len(names):
        raise ValueError("it has a snapshot twice")
    return Components(path, static, series, names)


def _finite(values: pd.DataFrame, name: str, attribute: str) -> pd.DataFrame:
    """Return values over time as numbers; setpoints that are left open are zero, as PyPSA has it.

    Raises:
        ValueError: if a cell is no finite number.
    """
    numbers: pd.DataFrame = values.apply(pd.to_numeric, errors="coerce").astype(float)
    if attribute in ("p_set", "q_set"):
        numbers = numbers.where(values.notna(), 0.0)
    if not np.isfinite(numbers.to_numpy()).all():
        raise ValueError(f"{name} has cells that are no finite numbers")
    return numbers


def _netcdf(path: Path) -> Components:
    try:
        import netCDF4
    except ImportError:
        hint = 'pip install "gat-batch[formats]"'
        raise GridError("needs netCDF4 to be read", file=path, hint=hint) from None
    columns: dict[str, dict[str, NDArray[Any]]] = {}
    names: dict[str, list[str]] = {}
    series: dict[tuple[str, str], pd.DataFrame] = {}
    times: tuple[Any, ...] = NOW
    with netCDF4.Dataset(path) as data:
        lists = [name[:-2] for name in data.variables if name.endswith("_i") and "_t_" not in name]
        for kind in lists:
            names[kind] = [str(name) for name in data[f"{kind}_i"][:]]
        for name, variable in data.variables.items():
            kind, over_time, attribute = name.partition("_t_")
            if over_time and not name.endswith("_i"):
                labels = [str(label) for label in data[f"{name}_i"][:]]
                series[kind, attribute] = pd.DataFrame(_plain(variable), columns=labels)
            elif not over_time and variable.dimensions in {(f"{kind}_i",) for kind in lists}:
                kind = variable.dimensions[0][:-2]
                if name != f"{kind}_i":
                    columns.setdefault(kind, {})[name.removeprefix(f"{kind}_")] = _plain(variable)
        for key in ("snapshots", "snapshots_snapshot"):
            if key in data.variables:
                times = tuple(_times(data[key]))
    static = {
        kind: pd.DataFrame(columns.get(kind, {}), index=pd.Index(found, dtype=str)).map(str)
        for kind, found in names.items()
    }
    return _components(path, static, series, times)


def _plain(variable: Any) -> NDArray[Any]:
    """Return the values of a variable, NaN where there are none."""
    values = variable[:]
    if isinstance(values, np.ma.MaskedArray):
        values = values.filled(np.nan) if values.dtype.kind == "f" else values.data
    return np.asarray(values)


def _times(variable: Any) -> list[Any]:
    import netCDF4

    if " since " not in getattr(variable, "units", ""):
        return list(variable[:])
    moments: Any = netCDF4.num2date(variable[:], variable.units, only_use_cftime_datetimes=False)
    return list(moments)
