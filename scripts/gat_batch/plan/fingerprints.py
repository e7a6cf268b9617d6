"""Fingerprints: hashes of all that a result depends on.

Equal fingerprints mean equal results, whatever machine, path or day they come from. What isn't in
them may change without anything being solved again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from ..errors import TableError
from ..study.con_files import subsystem_file
from ..study.scenario import OPTIMAL, Solver

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from ..grids import GridRef
    from ..study.configuration import Config
    from ..study.injections import Kind
    from ..study.scenario import Category, Contingencies, Scenario

RESULT_FORMAT = 7
"""To be raised when the same study would be written differently: old results are solved again."""


PROGRAM = 2
"""To be raised likewise when optimal power flows of the same data get another optimum."""


def digest(facts: object) -> str:
    """Return a hash of plain values: 64 hexadecimal digits."""
    return hashlib.sha256(_as_text(facts).encode()).hexdigest()


_as_text = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@cache
def solver_versions(solver: Solver) -> dict[str, str]:
    """Return the versions of the packages that a solver's results depend on."""
    optimisers = {"dc_opf": ("highspy",), "ac_opf": ("casadi",)}
    names = ("pandapower", "lightsim2grid", "numpy", "scipy", *optimisers.get(solver, ()))
    return {name: version(name) for name in names}


@cache
def grid_hash(grid: GridRef) -> str:
    """Return the hash of a grid's content, which each process reads once."""
    return grid.content_hash()


@cache
def _table_hash(path: Path | None) -> str | None:
    if path is None:
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _row_hashes(path: Path, kind: Kind) -> dict[str, str]:
    # Imported late: most plans have no shared tables and do without.
    from ..study.injection_tables import read_shared

    return read_shared(path, kind).digests()


@cache
def _row_digests(path: Path) -> dict[str, str]:
    from ..files.shared_rows import row_digests

    return row_digests(path)


def forget_files() -> None:
    """Have grids and tables read again: they may change while a notebook lives."""
    for known in (grid_hash, _table_hash, _row_hashes, _row_digests):
        known.cache_clear()


def scenario_facts(
    scenario: Scenario,
    config: Config,
    grid: GridRef,
    made: Mapping[Path, Mapping[str, str]],
) -> dict[str, Any]:
    """Return all that a scenario's result depends on, as plain values.

    Args:
        scenario: the scenario.
        config: how the batch is run.
        grid: the scenario's grid.
        made: for tables that the run is yet to make of a specification: file -> rows -> their hash.

    Raises:
        GatBatchError: if a grid or shared table can't be read.
        OSError: if another table can't be read.
    """
    optimiser = scenario.options.get("dispatch", scenario.solver)
    return {
        "format": RESULT_FORMAT,
        **({"program": PROGRAM} if optimiser in OPTIMAL else {}),
        "versions": solver_versions(optimiser),
        "solver": scenario.solver,
        "options": scenario.options,
        "engine": config.engine,
        "ladder": config.ac_ladder if scenario.solver == "ac" else (),
        "grid": grid_hash(grid),
        "loads": _injections_hash("load", scenario.loads, scenario.load_rows, made),
        "gens": _injections_hash("gen", scenario.gens, scenario.gen_rows, made),
        "costs": _rows_hash(scenario.costs, scenario.cost_rows, made),
        "limits": _table_hash(scenario.limits),
        **_impedance_facts(scenario, made),
        **({} if scenario.time_slices is None else {"time_slices": scenario.time_slices}),
        "load_scale": scenario.load_scale,
        "gen_scale": scenario.gen_scale,
        "contingencies": _contingency_facts(scenario.contingencies, config),
        **_keep_facts(scenario, config),
        "outages": sorted([outage.type, repr(outage.id)] for outage in scenario.outages),
    }


def keep_of(scenario: Scenario, config: Config) -> Any:
    """Return which rows of a scenario's states are kept: its own wish, or the configuration's."""
    return config.keep if scenario.keep is None else scenario.keep


def _keep_facts(scenario: Scenario, config: Config) -> dict[str, Any]:
    keep = keep_of(scenario, config)
    if keep == "all":
        return {}  # as before there was a choice
    if keep == "violations":
        return {"keep": [keep, config.loading_limit_percent, config.voltage_band_pu]}
    return {"keep": keep}


def _injections_hash(
    kind: Kind, path: Path | None, rows: str | None, made: Mapping[Path, Mapping[str, str]]
) -> str | None:
    """Return a hash of a table, or of the rows that the scenario has in a shared one."""
    if path is None or rows is None:
        return _table_hash(path)
    digests = made.get(path)
    if digests is None:
        digests = _row_hashes(path, kind)
    if rows not in digests:
        raise TableError(f"no row has {rows!r} there", file=path, field="scenario")
    return digests[rows]


def _impedance_facts(scenario: Scenario, made: Mapping[Path, Mapping[str, str]]) -> dict[str, Any]:
    # Nothing is added where none are given, as before there was a choice.
    digest = _rows_hash(scenario.impedances, scenario.impedance_rows, made)
    return {} if digest is None else {"impedances": digest}


def _rows_hash(
    path: Path | None, rows: str | None, made: Mapping[Path, Mapping[str, str]]
) -> str | None:
    """Return a hash of a table, or of the rows that a scenario has in a shared one."""
    if path is None or rows is None:
        return _table_hash(path)
    digests = made.get(path)
    if digests is None:
        digests = _row_digests(path)
    if rows not in digests:
        raise TableError(f"no row has {rows!r} there", file=path, field="scenario")
    return digests[rows]


def _contingency_facts(asked: Contingencies | None, config: Config) -> object:
    if asked is None:
        return None
    kept = [config.contingency_rows, config.loading_limit_percent, config.voltage_band_pu]
    cascade = asked.cascade and astuple(asked.cascade)
    follows = [cascade, _table_hash(asked.actions), asked.choose]
    return [_asked_facts(asked), [_category_facts(one) for one in asked.categories], follows, kept]


def _category_facts(category: Category) -> list[object]:
    facts: list[object] = [
        category.name,
        category.rating,
        category.rating_percent,
        category.voltage_band_pu,
    ]
    # Nothing is added where neither is given, as before there was a choice.
    return facts + [given for given in (_table_hash(category.table), category.columns) if given]


def _asked_facts(asked: Contingencies) -> object:
    filters = [asked.vn_kv, asked.names, asked.screen]
    sets: object = _table_hash(asked.sets)
    if asked.sets is not None and (beside := subsystem_file(asked.sets)) is not None:
        sets = [sets, _table_hash(beside)]
    made = [asked.category, asked.rules, asked.adjust]
    within = [_asked_facts(one) for one in (*asked.sequence, *asked.parts)]
    return [asked.depth, sorted(asked.types), filters, sets, made, within]
