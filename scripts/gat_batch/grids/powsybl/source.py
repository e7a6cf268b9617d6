"""A network of powsybl as tables, and the pandapower network that is made of it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .names import name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pandapower.auxiliary import pandapowerNet

    from .beside_tables.document import Document
    from .beside_tables.raw_text import RawText

UNLIMITED = 99999.0
"""Rating in MVA or kA of a branch without one, as pandapower's own converters write it."""

SQRT3 = float(np.sqrt(3.0))

NAME_OF_SHARES = {
    (kind, axis): f"const_{kind}_{axis}_percent" for kind in ("z", "i") for axis in ("p", "q")
}
"""Columns of loads with the share of constant impedance or current of active or reactive power."""

Row = dict[str, Any]


@dataclass
class Source:
    """What is read, and what has been made of it so far.

    Attributes:
        form: form of the file, as a grid reference has it.
        network: powsybl's network.
        net: the pandapower network.
        document: what powsybl's tables leave out, by its own file format.
        raw: the same of a PSS/E file; None for other formats.
        bus: powsybl's id of a bus in the bus/breaker view -> pandapower's index.
        kv: pandapower's index of a bus -> nominal voltage in kV.
        node: the same index -> powsybl's id of the bus that closed switches make it part of; empty
            if nothing can supply it.
        vm_pu, va_degree: the same index -> the voltage in the file, NaN where it has none.
        boundary: powsybl's id of a boundary line -> the index of the bus at its far end.
        notes: sentences on what isn't exact.
    """

    form: str
    network: Any
    net: pandapowerNet
    document: Document
    raw: RawText | None
    bus: dict[str, int] = field(default_factory=dict)
    kv: dict[int, float] = field(default_factory=dict)
    node: dict[int, str] = field(default_factory=dict)
    vm_pu: dict[int, float] = field(default_factory=dict)
    va_degree: dict[int, float] = field(default_factory=dict)
    boundary: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    _shunts: list[Row] = field(default_factory=list)
    _nowhere: dict[str, int] = field(default_factory=dict)

    def frame(self, kind: str) -> pd.DataFrame:
        """Return powsybl's table of a kind of element, in SI units, with names as a column.

        Args:
            kind: as in the name of pypowsybl's method, such as ``loads``.
        """
        if kind not in self._frames:
            method = getattr(self.network, f"get_{kind}", None)
            if method is None:
                self._frames[kind] = pd.DataFrame()
            elif "all_attributes" in inspect.signature(method).parameters:
                self._frames[kind] = method(all_attributes=True)
            else:
                self._frames[kind] = method()
        return self._frames[kind]

    def extension(self, name: str) -> pd.DataFrame:
        """Return an extension of powsybl as a table; empty if no element has it."""
        try:
            found: pd.DataFrame = self.network.get_extensions(name)
        except Exception:  # noqa: BLE001 - powsybl raises its own kind where it lacks one
            return pd.DataFrame()
        return found

    def rows(self, kind: str) -> Iterator[tuple[str, str, Any]]:
        """Yield id, name for people and row of every element of a kind.

        Names are unique in a kind: where a name stands twice, both elements have their ids.
        """
        table = self.frame(kind)
        if not len(table):
            return
        names = [
            name_of(self.form, kind, str(key), str(name))
            for key, name in zip(table.index, table.get("name", table.index), strict=True)
        ]
        twice = pd.Series(names).duplicated(keep=False).to_numpy()
        names = [
            str(key).strip() if double else name
            for key, name, double in zip(table.index, names, twice, strict=True)
        ]
        for key, name, row in zip(table.index, names, table.itertuples(index=False), strict=True):
            yield str(key), name, row

    def note(self, sentence: str) -> None:
        """List what isn't exact."""
        self.notes.append(sentence)

    def at(self, bus_id: Any, voltage_level: Any) -> int:
        """Return pandapower's index of a bus; of one that nothing is at if powsybl names none.

        Args:
            bus_id: powsybl's id of a bus in the bus/breaker view; may be empty.
            voltage_level: id of the element's voltage level.
        """
        known = self.bus.get(str(bus_id))
        if known is not None:
            return known
        level = str(voltage_level)
        if level not in self._nowhere:
            kv = float(self.frame("voltage_levels")["nominal_v"][level])
            name = f"disconnected in {level}"
            self._nowhere[level] = self.add_bus(name, kv, in_service=False)
        return self._nowhere[level]

    def add_bus(self, name: str, kv: float, *, in_service: bool = True) -> int:
        """Add a bus that the file has no bus for, and return its index."""
        table = self.net.bus
        index = int(table.index.max()) + 1 if len(table) else 0
        table.loc[index, ["name", "vn_kv", "type", "in_service"]] = [name, kv, "b", in_service]
        self.net.bus = table.astype({"vn_kv": float, "in_service": bool})
        self.kv[index], self.node[index] = kv, ""
        return index

    def name_of_bus(self, index: int) -> str:
        """Return the name of a bus for messages."""
        return str(self.net.bus["name"][index])

    def add_shunt(self, name: str, bus: int, siemens: complex, *, in_service: bool) -> None:
        """Add a shunt that a branch can't hold.

        Args:
            name: its name.
            bus: index of its bus.
            siemens: its admittance in S.
            in_service: whether it is connected.
        """
        if siemens == 0:
            return
        kv = self.kv[bus]
        self._shunts.append(
            {
                "name": name,
                "bus": bus,
                "p_mw": siemens.real * kv**2,
                "q_mvar": -siemens.imag * kv**2,
                "vn_kv": kv,
                "step": 1,
                "max_step": 1,
                "in_service": in_service,
            }
        )

    def shunts(self) -> list[Row]:
        """Return the rows of shunts that branches couldn't hold."""
        return self._shunts

    @cached_property
    def permanent_limits(self) -> dict[str, float]:
        """The permanent limit of branches: id -> the smallest of its sides, in kA.

        Limits of power count at nominal voltage.
        """
        table = self.frame("loading_limits")
        found: dict[str, float] = {}
        if not len(table):
            return found
        table = table.reset_index()
        lasting = table[(table["acceptable_duration"] == -1) & (table["value"] < 1e9)]
        if "selected" in lasting:
            lasting = lasting[lasting["selected"].astype(bool)]
        parts = (lasting[name] for name in ("element_id", "type", "side", "value"))
        for element, kind, side, value in zip(*parts, strict=True):
            amps = value / 1e3
            if str(kind) != "CURRENT":
                amps = value / (SQRT3 * self._kv_at(str(element), str(side)))
            found[str(element)] = min(found.get(str(element), np.inf), float(amps))
        return found

    def _kv_at(self, element: str, side: str) -> float:
        levels = self.frame("voltage_levels")["nominal_v"]
        number = {"TWO": "2", "THREE": "3"}.get(side, "1")
        for kind in ("lines", "2_windings_transformers", "3_windings_transformers"):
            table = self.frame(kind)
            if element in table.index:
                return float(levels[table[f"voltage_level{number}_id"][element]])
        table = self.frame("boundary_lines")
        if element in table.index:
            return float(levels[table["voltage_level_id"][element]])
        return float("nan")


def columns(rows: Iterable[Row]) -> dict[str, list[Any]]:
    """Return rows as columns; a value that a row lacks is NaN."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: [row.get(name, np.nan) for row in rows] for name in names}
