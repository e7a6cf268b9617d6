"""Elements of a grid by the names that PSS/E has for them: bus numbers, circuits, identifiers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from ..errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ..study.con_files import Automatic, Condition, Opened, Subsystem

    Outage = tuple[str, int]

ENDS = {
    "line": ("from_bus", "to_bus"),
    "trafo": ("hv_bus", "lv_bus"),
    "trafo3w": ("hv_bus", "mv_bus", "lv_bus"),
}

MACHINES = ("gen", "sgen")
"""Tables that machines are in; the one that is the external grid has no outage."""


@dataclass(frozen=True)
class PsseNames:
    """Finds elements of a network.

    Attributes:
        net: the network.
        file: the file that names them, for messages.
        subsystems: its subsystems by name.
    """

    net: pandapowerNet
    file: Path
    subsystems: Mapping[str, Subsystem]

    def outage(self, opened: Opened) -> Outage:
        """Return the element that a statement takes out.

        Raises:
            TableError: if there is no such element.
        """
        buses = [self._bus(label, opened.line) for label in opened.buses]
        match opened.kind:
            case "bus":
                return "bus", int(self.net.bus.index.get_loc(buses[0]))
            case "branch":
                return self._branch(buses, opened)
            case "load":
                return self._unit(("load",), buses[0], opened)
            case _:
                return self._unit(MACHINES, buses[0], opened)

    def automatic(self, asked: Automatic) -> Iterator[frozenset[Outage]]:
        """Yield the outages of an automatic set.

        Raises:
            TableError: if the subsystem is unknown, or the grid doesn't say what it asks.
        """
        if asked.subsystem not in self.subsystems:
            what = f"line {asked.line}: there is no subsystem {asked.subsystem!r}"
            hint = "its file has the same name with the suffix .sub, beside this one"
            raise TableError(what, file=self.file, hint=hint)
        inside = self._inside(self.subsystems[asked.subsystem])
        single = list(self._elements(asked.kind, inside))
        for together in combinations(single, asked.count):
            yield frozenset(together)

    def _elements(self, kind: str, inside: NDArray[np.bool_]) -> Iterator[Outage]:
        buses = self.net.bus.index[inside]
        if kind == "bus":
            yield from (("bus", int(place)) for place in np.flatnonzero(inside))
        elif kind == "machine":
            for element in MACHINES:
                at = self.net[element]["bus"].isin(buses).to_numpy()
                yield from ((element, int(place)) for place in np.flatnonzero(at))
        else:
            for element, ends in ENDS.items():
                table = self.net[element]
                within = np.array([table[end].isin(buses).to_numpy() for end in ends])
                tie = within.any(axis=0) & ~within.all(axis=0)
                own = tie if kind == "tie" else within.all(axis=0)
                yield from ((element, int(place)) for place in np.flatnonzero(own))

    def _inside(self, subsystem: Subsystem) -> NDArray[np.bool_]:
        inside = np.zeros(len(self.net.bus), bool)
        for group in subsystem:
            inside |= np.all([self._meets(one) for one in group], axis=0)
        return inside

    def _meets(self, condition: Condition) -> NDArray[np.bool_]:
        bus = self.net.bus
        if condition.column == "bus":
            values = bus.index.to_numpy(float)
        elif condition.column == "kv":
            values = bus["vn_kv"].to_numpy(float)
        elif condition.column in bus:
            values = np.array([_number(value) for value in bus[condition.column]])
        else:
            what = f"the grid doesn't say which {condition.column} its buses are in"
            raise TableError(what, file=self.file)
        within: NDArray[np.bool_] = (values >= condition.low) & (values <= condition.high)
        return within

    def _bus(self, label: str, line: int) -> int:
        bus = self.net.bus
        if label.isdigit() and int(label) in bus.index:
            return int(label)
        named = bus.index[bus["name"].astype(str).str.strip() == label]
        if len(named) == 1:
            return int(named[0])
        raise TableError(f"line {line}: there is no bus {label!r}", file=self.file)

    def _branch(self, buses: list[int], opened: Opened) -> Outage:
        candidates: list[Outage] = []
        for element, ends in ENDS.items():
            if len(ends) == len(buses):
                table = self.net[element]
                at = np.sort(table[list(ends)].to_numpy(), axis=1)
                own = (at == np.sort(buses)).all(axis=1)
                candidates += [(element, int(place)) for place in np.flatnonzero(own)]
        return self._chosen(candidates, opened)

    def _unit(self, elements: tuple[str, ...], bus: int, opened: Opened) -> Outage:
        candidates = [
            (element, int(place))
            for element in elements
            for place in np.flatnonzero(self.net[element]["bus"].to_numpy() == bus)
        ]
        return self._chosen(candidates, opened)

    def _chosen(self, candidates: list[Outage], opened: Opened) -> Outage:
        """Return the one with the identifier asked for, which PSS/E takes for 1 if it is left out.

        Grids read from RAW files have it at the end of their elements' names, after the buses. Of
        others only an element that has no parallel is known.
        """
        asked = opened.id or "1"
        known = {one: self._identifier(one, opened.buses) for one in candidates}
        matching = [one for one, identifier in known.items() if identifier == asked]
        if not any(known.values()) and asked == "1":
            matching = candidates
        if len(matching) == 1:
            return matching[0]
        what = f"line {opened.line}: there is no {opened.kind} {asked} at {'-'.join(opened.buses)}"
        hint = None
        if opened.kind == "machine":
            hint = "the machine that is the external grid has no outage"
        elif candidates and not any(known.values()):
            hint = "the grid doesn't have identifiers: use a table of outage sets"
        raise TableError(what, file=self.file, hint=hint)

    def _identifier(self, outage: Outage, buses: tuple[str, ...]) -> str | None:
        element, place = outage
        *ends, identifier = str(self.net[element]["name"].iloc[place]).split("-")
        return identifier.strip() if sorted(ends) == sorted(buses) else None


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return np.nan
