"""What feeds and draws power: generators, loads, shunts, storage, stores and links.

A generator that holds its bus's voltage, or is the slack, is a generator of the case. One of
control ``PQ`` is a static generator, as a case has none at a bus whose voltage another one holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandapower as pp

from ..case.case import UNLIMITED, Cost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from .tables import Components

Row = dict[str, Any]
Place = tuple[str, int]


@dataclass
class Units:
    """The units of a network.

    Attributes:
        components: the network.
        buses: number of each bus that is kept.
        slacks: generators that are slacks.
        cases: rows of the generators of the case.
        static: rows of static generators.
        storage: rows of storages.
        places: what the elements are made of -> their table and position: list, name and, for the
            ends of a link, the end.
    """

    components: Components
    buses: Mapping[str, int]
    slacks: frozenset[str]
    cases: list[Row] = field(default_factory=list)
    static: list[Row] = field(default_factory=list)
    storage: list[Row] = field(default_factory=list)
    places: dict[tuple[str, str, str], Place] = field(default_factory=dict)

    def add_generators(self) -> None:
        """Add generators by their control, with limits and marginal costs."""
        control = self.components.texts("generators", "control", "PQ")
        # A second slack of the same part holds its voltage only.
        held = control.isin(["PV", "Slack"]) | control.index.isin(list(self.slacks))
        price = self._numbers("generators", "marginal_cost", 0.0)
        square = self._numbers("generators", "marginal_cost_quadratic", 0.0)
        priced = bool((price != 0).any() or (square != 0).any())
        for position, row in self._rows("generators"):
            slope = row.pop("sign") * price.iloc[position]
            cost = Cost(coefficients=(0.0, slope, square.iloc[position]))
            row["cost"] = cost if priced else None
            self._add_generator(row, holds=bool(held.iloc[position]))

    def add_storage(self) -> None:
        """Add storage units and stores."""
        hours = self._numbers("storage_units", "max_hours", 1.0)
        rows = self._rows("storage_units")
        sizes = {position: row["pmax"] * hours.iloc[position] for position, row in rows}
        self._add_storages(
            "storage_units", rows, sizes, "state_of_charge_initial", "cyclic_state_of_charge"
        )
        content = self._numbers("stores", "e_nom", 0.0)
        rows = [
            (position, row | {"pmin": -UNLIMITED, "pmax": UNLIMITED})
            for position, row in self._rows("stores")
        ]
        self._add_storages("stores", rows, dict(enumerate(content)), "e_initial", "e_cyclic")

    def add_links(self) -> None:
        """Add both ends of each link, and further ones, as static generators."""
        kind = "links"
        power = self._numbers(kind, "p_set", 0.0)
        on = self.components.truths(kind, "active", default=True)
        there = 0
        for key in self.link_ends:
            buses = self.components.texts(kind, key)
            share = self.link_share(key)
            for position, name in enumerate(self.components.table(kind).index):
                if buses.iloc[position] not in self.buses:
                    continue
                there += 1
                row = {
                    "name": f"{name} {key}",
                    "bus": self.buses[buses.iloc[position]],
                    "status": bool(on[position]),
                    "p_mw": share[position] * power.iloc[position],
                    "q_mvar": 0.0,
                    "pmin": np.nan,
                    "pmax": np.nan,
                    "cost": None,
                }
                self._add_static(row, (kind, name, key))
        if there:
            self.components.notes.append(
                "links are static generators at their ends, with powers that don't depend on each"
                f" other, and an optimal power flow leaves them: {len(self.components.table(kind))}"
            )

    @cached_property
    def link_ends(self) -> list[str]:
        """The columns of links that name buses."""
        columns = map(str, self.components.table("links"))
        return [key for key in columns if re.fullmatch(r"bus\d+", key)]

    def holders(self, bus: str) -> list[Place]:
        """Return the generators that hold the voltage of a bus."""
        return self._holders.get(bus, [])

    @cached_property
    def _holders(self) -> dict[str, list[Place]]:
        found: dict[str, list[Place]] = {}
        for name, bus in self.components.texts("generators", "bus").items():
            place = self.places.get(("generators", str(name), ""))
            if place is not None and place[0] in ("gen", "ext_grid"):
                found.setdefault(bus, []).append(place)
        return found

    def link_share(self, end: str) -> NDArray[np.float64]:
        """Return what links feed in at an end, per unit of what they take at ``bus0``."""
        if end == "bus0":
            return np.full(len(self.components.table("links")), -1.0)
        number = "" if end == "bus1" else end.removeprefix("bus")
        return np.asarray(self._numbers("links", f"efficiency{number}", 1.0), np.float64)

    def _numbers(self, kind: str, attribute: str, default: float) -> Any:
        return self.components.numbers(kind, attribute, default)

    def _rows(self, kind: str) -> list[tuple[int, Row]]:
        """Return position and row of each unit at a bus that is kept."""
        buses = self.components.texts(kind, "bus")
        on = self.components.truths(kind, "active", default=True)
        sign = self._numbers(kind, "sign", 1.0)
        p_set = self._numbers(kind, "p_set", 0.0).fillna(0.0)
        q_set = self._numbers(kind, "q_set", 0.0).fillna(0.0)
        nominal = self._numbers(kind, "p_nom", 0.0)
        low = -1.0 if kind == "storage_units" else 0.0
        limits = [self._numbers(kind, "p_min_pu", low), self._numbers(kind, "p_max_pu", 1.0)]
        voltage = self._numbers("buses", "v_mag_pu_set", 1.0)
        rows = []
        for position, (name, bus) in enumerate(buses.items()):
            if bus not in self.buses:
                continue
            way = sign.iloc[position]
            size = way * nominal.iloc[position]
            low_mw, high_mw = sorted(size * limit.iloc[position] for limit in limits)
            row = {
                "name": name,
                "bus": self.buses[bus],
                "status": bool(on[position]),
                "sign": way,
                "p_mw": way * p_set.iloc[position],
                "q_mvar": way * q_set.iloc[position],
                "pmin": low_mw,
                "pmax": high_mw,
                "mbase": nominal.iloc[position] or np.nan,
                "vm": voltage[bus],
            }
            rows.append((position, row))
        return rows

    def _add_generator(self, row: Row, *, holds: bool) -> None:
        if not holds:
            self._add_static(row, ("generators", row["name"], ""))
            return
        number = len(self.cases)
        table = "ext_grid" if row["name"] in self.slacks else "gen"
        self.places["generators", row["name"], ""] = table, number
        self.cases.append(row | {"id": number, "external": table == "ext_grid"})

    def _add_static(self, row: Row, key: tuple[str, str, str]) -> None:
        self.places[key] = "sgen", len(self.static)
        self.static.append(row)

    def _add_storages(
        self,
        kind: str,
        rows: list[tuple[int, Row]],
        sizes: Mapping[int, float],
        first: str,
        cyclic: str,
    ) -> None:
        """Add storages of a kind.

        Args:
            kind: PyPSA's kind of component.
            rows: position and row of each.
            sizes: position -> what it can hold, in MWh.
            first: attribute of what it holds at first, in MWh.
            cyclic: attribute that says whether it holds as much at the end.
        """
        begun = self._numbers(kind, first, 0.0)
        closed = self.components.truths(kind, cyclic, default=False)
        shares = {
            "charge_efficiency_percent": self._numbers(kind, "efficiency_store", 1.0),
            "discharge_efficiency_percent": self._numbers(kind, "efficiency_dispatch", 1.0),
            "self_discharge_percent_per_hour": self._numbers(kind, "standing_loss", 0.0),
        }
        for position, row in rows:
            size = sizes[position]
            percent = 100 * begun.iloc[position] / size if size else 0.0
            self.places[kind, row["name"], ""] = "storage", len(self.storage)
            self.storage.append(
                row
                | {"max_e_mwh": size}
                # With no first content, what it holds at the end is what it began with.
                | {"soc_percent": np.nan if closed[position] else percent}
                | {"end_soc_percent": np.nan if closed[position] else 0.0}
                | {name: 100 * values.iloc[position] for name, values in shares.items()}
            )


STORED = (
    "soc_percent",
    "end_soc_percent",
    "charge_efficiency_percent",
    "discharge_efficiency_percent",
    "self_discharge_percent_per_hour",
)
"""Columns of storages that pandapower has no argument or no use for."""


def add_to(net: pandapowerNet, units: Units) -> None:
    """Add the static generators and storages to a network that has all else.

    Args:
        net: the network.
        units: its units.
    """
    static, storage = units.static, units.storage
    if static:
        bounded = [np.isfinite(row["pmax"]) for row in static]
        pp.create_sgens(
            net,
            [row["bus"] for row in static],
            p_mw=[row["p_mw"] for row in static],
            q_mvar=[row["q_mvar"] for row in static],
            name=[row["name"] for row in static],
            in_service=[row["status"] for row in static],
            controllable=bounded,
            min_p_mw=[row["pmin"] for row in static],
            max_p_mw=[row["pmax"] for row in static],
            min_q_mvar=-UNLIMITED,
            max_q_mvar=UNLIMITED,
        )
        priced = [(n, row["cost"].coefficients) for n, row in enumerate(static) if row["cost"]]
        if priced:
            pp.create_poly_costs(
                net,
                [number for number, _ in priced],
                "sgen",
                cp1_eur_per_mw=[linear for _, (_, linear, _) in priced],
                cp2_eur_per_mw2=[square for _, (_, _, square) in priced],
            )
    if storage:
        pp.create_storages(
            net,
            [row["bus"] for row in storage],
            p_mw=[-row["p_mw"] for row in storage],
            q_mvar=[-row["q_mvar"] for row in storage],
            max_e_mwh=[row["max_e_mwh"] for row in storage],
            min_e_mwh=0.0,
            min_p_mw=[-row["pmax"] for row in storage],
            max_p_mw=[-row["pmin"] for row in storage],
            name=[row["name"] for row in storage],
            in_service=[row["status"] for row in storage],
        )
        for name in STORED:
            net.storage[name] = [row[name] for row in storage]
