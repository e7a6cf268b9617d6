"""A batch as its manifest describes it: scenarios, outages, contingencies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .con_files import subsystem_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .injections import Kind

OPTIMAL = ("dc_opf", "ac_opf")
"""Solvers that choose the generation instead of taking it as given."""


Engine = Literal["auto", "pandapower", "lightsim2grid"]


Solver = Literal["dc", "ac", "dc_opf", "ac_opf"]


MOST_GROUPS = 6
"""Most groups of scenarios that are compared, as many as colours can tell apart."""


OutageType = Literal["line", "trafo", "trafo3w", "gen", "sgen", "load", "bus", "shunt", "dcline"]


BRANCHES = ("line", "trafo", "trafo3w")


DEPTHS = {"n-1": 1, "n-2": 2}
"""Contingencies by name: how many branches fail together."""


FOLLOWS = "|"
"""What stands between a contingency and what follows from it: ``line:3|open tie``, ``line:3|1``."""


def is_no_category(name: str) -> bool:
    """Tell whether a name would be misread as a category: results say none where there is none."""
    return FOLLOWS in name or name == "none"


@dataclass(frozen=True)
class Outage:
    """One element out of service.

    Attributes:
        type: the pandapower element table.
        id: its index, or its name.
    """

    type: OutageType
    id: int | str


@dataclass(frozen=True)
class Category:
    """By what the contingencies of a category are judged.

    Attributes:
        name: its name, ``P1`` say.
        rating: set of ratings: ``normal``, ``long_term`` or ``short_term``; or what tells the
            category's own ones, the name of their table or columns.
        rating_percent: share of these ratings that may be used, in percent.
        voltage_band_pu: lowest and highest voltage of all buses in p.u., or None for each bus's
            own, or else the common one.
        table: table of the category's own ratings, or None.
        columns: kind of branch and the column of the grid that has its ratings, in place of a set.
    """

    name: str
    rating: str = "normal"
    rating_percent: float = 100.0
    voltage_band_pu: tuple[float, float] | None = None
    table: Path | None = None
    columns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Cascade:
    """How branches trip in turn after a contingency.

    Attributes:
        trip_above_percent: loading above which a branch trips, in percent.
        max_rounds: most rounds of tripping.
    """

    trip_above_percent: float
    max_rounds: int = 20


@dataclass(frozen=True)
class Contingencies:
    """Which outages are solved on top of a scenario.

    Attributes:
        depth: elements that fail together.
        types: element tables that they come from.
        vn_kv: lowest and highest nominal voltage of what fails in kV, or None for any.
        names: pattern that the name of what fails matches, with ``*`` and ``?``, or None for any.
        sets: table of outage sets in place of all that, or None.
        screen: ``dc`` to solve by AC only what a DC power flow finds severe, or None.
        category: what they count as, where a table or rule says nothing; empty for nothing.
        rules: categories whose contingencies are made by rule, in place of depth and types.
        sequence: what fails first, and what after it, in place of depth and types.
        adjust: ``redispatch`` if the dispatch is adjusted between two losses, else ``none``.
        parts: other contingencies, all of them, in place of everything else.
        categories: by what categories are judged.
        cascade: how branches trip in turn after them, or None.
        actions: table of remedial actions, or None.
        choose: ``in_order`` to take what is due in the table's order, ``best`` to find the one that
            relieves most.
    """

    depth: int = 1
    types: tuple[str, ...] = BRANCHES
    vn_kv: tuple[float, float] | None = None
    names: str | None = None
    sets: Path | None = None
    screen: Literal["dc"] | None = None
    category: str = ""
    rules: tuple[str, ...] = ()
    sequence: tuple[Contingencies, ...] = ()
    adjust: Literal["none", "redispatch"] = "none"
    parts: tuple[Contingencies, ...] = ()
    categories: tuple[Category, ...] = ()
    cascade: Cascade | None = None
    actions: Path | None = None
    choose: Literal["in_order", "best"] = "in_order"

    @property
    def files(self) -> tuple[Path, ...]:
        """Tables of outage sets, actions and ratings, those of parts included."""
        named = (self.sets, self.actions, *(category.table for category in self.categories))
        within = (file for part in self.parts for file in part.files)
        return tuple(dict.fromkeys((*(file for file in named if file is not None), *within)))


@dataclass(frozen=True)
class Scenario:
    """One scenario, with the manifest's defaults filled in.

    Attributes:
        id: unique name; it names the scenario's folder.
        grid: grid reference as written in the manifest.
        solver: kind of study.
        timeout_secs: wall-clock limit of one attempt, in seconds.
        options: solver options by pandapower's names.
        loads: table of changed loads, or None.
        gens: table of changed generators, or None.
        load_rows: which rows of a load table that several scenarios share, or None for all.
        gen_rows: the same of the generator table.
        cost_rows: the same of the table of costs.
        costs: table of cost curves, or None.
        limits: table of limits, or None.
        impedances: table of what branches are made of, or None.
        impedance_rows: which rows of it, if several scenarios share it.
        time_slices: which times of the grid's time series are its snapshots, as written in the
            manifest, or None.
        keep: which rows of its states are kept, as written in the manifest; None for what the
            configuration says.
        load_scale: factor on every load.
        gen_scale: factor on every generator.
        outages: elements out of service.
        contingencies: outages solved on top of that, or None.
        weight: weight in statistics over scenarios.
        tags: labels carried into the summaries.
        description: text carried into the summaries.
        metadata: anything else carried into the summaries.
    """

    id: str
    grid: str
    solver: Solver = "dc"
    timeout_secs: float = 60.0
    options: Mapping[str, Any] = field(default_factory=dict)
    loads: Path | None = None
    gens: Path | None = None
    load_rows: str | None = None
    gen_rows: str | None = None
    cost_rows: str | None = None
    costs: Path | None = None
    limits: Path | None = None
    impedances: Path | None = None
    impedance_rows: str | None = None
    time_slices: Any = None
    keep: Any = None
    load_scale: float = 1.0
    gen_scale: float = 1.0
    outages: tuple[Outage, ...] = ()
    contingencies: Contingencies | None = None
    weight: float = 1.0
    tags: tuple[str, ...] = ()
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def injections(self) -> tuple[tuple[Kind, Path | None, str | None], ...]:
        """Kind, file and rows of the load table and of the generator table."""
        return ("load", self.loads, self.load_rows), ("gen", self.gens, self.gen_rows)

    @property
    def tables(self) -> tuple[Path, ...]:
        """The tables that the scenario reads."""
        sets = self.contingencies.files if self.contingencies else ()
        beside = tuple(subsystem_file(file) for file in sets)
        own = (self.loads, self.gens, self.costs, self.limits, self.impedances)
        named = (*own, *sets, *beside)
        return tuple(path for path in named if path is not None)
