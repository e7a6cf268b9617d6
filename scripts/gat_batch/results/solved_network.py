"""One solved state as a pandapower network: the grid as the scenario has it, with its results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from ..errors import ResultError
from ..files.words import nearest
from ..grids import read_grid
from ..grids.elements import ElementIndex
from ..grids.time_series import KEY
from ..model.contingencies.every import contingencies_of
from ..model.quantities import COLUMNS
from ..model.scenario_tables import own_grid, read_states
from ..study.scenario import FOLLOWS
from .reader import read_parts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pyarrow as pa
    from pandapower.auxiliary import pandapowerNet

    from ..plan.plan import Plan
    from ..study.scenario import Scenario


def solved_network(
    plan: Plan, scenario_id: str, snapshot: str | None = None, contingency: str | None = None
) -> pandapowerNet:
    """Return a network in one state of a scenario, with the results of that state filled in.

    Loads, generators, voltages, limits, impedances, outages and tap positions are those of the
    state, so that after a power flow pandapower gives the same results with the scenario's options.
    The ``res_`` tables have the columns that results have, and NaN where a contingency kept no row
    of an element. Costs stay the grid's; what an optimal power flow chose is in the results alone.

    Args:
        plan: the batch.
        scenario_id: the scenario.
        snapshot: which snapshot, if the scenario has any.
        contingency: name of a contingency, as in the results; None for the base case.

    Raises:
        ResultError: if there is no such scenario, snapshot or contingency, it isn't solved with
            today's input, or it has no solution.
        GatBatchError: if grid or tables can't be read.
    """
    scenario = _scenario(plan, scenario_id)
    file = plan.result(scenario_id)
    if not plan.is_solved(scenario):
        hint = "run the batch first"
        raise ResultError("is not solved with the input as it is now", file=file, hint=hint)
    index = ElementIndex(read_grid(plan.grid(scenario)))
    net = own_grid(index, scenario)
    states = {state.snapshot: state for state in read_states(index, scenario)()}
    if snapshot not in states:
        names = [name for name in states if name is not None]
        raise _no_such("snapshot", snapshot, names, file)
    rows = _rows(file, scenario_id, snapshot, contingency)
    failing = _outages(index, scenario, contingency, file)
    for change in states[snapshot].changes:
        net[change.element][change.column] = change.values
    for element, position in failing:
        net[element].iloc[position, net[element].columns.get_loc("in_service")] = False
    net.pop(KEY, None)
    _fill(net, rows)
    return net


def _scenario(plan: Plan, scenario_id: str) -> Scenario:
    names = [*plan.batch.outlines.ids]
    if scenario_id not in names:
        raise _no_such("scenario", scenario_id, names, plan.batch.file)
    return plan.batch.scenarios[names.index(scenario_id)]


def _outages(
    index: ElementIndex, scenario: Scenario, contingency: str | None, file: Path
) -> tuple[tuple[str, int], ...]:
    if contingency is None:
        return ()
    for one in contingencies_of(index, scenario.contingencies) if scenario.contingencies else ():
        if one.name == contingency:
            if one.before or scenario.options.get("secure"):
                what = f"{contingency} meets a dispatch that was chosen, and not the input's"
                raise ResultError(what, file=file, hint="the result has its rows")
            return one.outages
    if FOLLOWS in contingency:
        what = f"{contingency} follows a contingency, and has no network of its own"
        raise ResultError(what, file=file, hint="the result has its rows")
    raise _no_such("contingency", contingency, [], file)


def _no_such(what: str, name: str | None, names: Iterable[str], file: Path) -> ResultError:
    names = list(names)
    if name is None:
        hint = f"the first one is {names[0]!r}" if names else None
        return ResultError(f"has several {what}s, and none is named", file=file, hint=hint)
    hint = nearest(name, names) if names else None
    return ResultError(f"has no {what} {name!r}", file=file, hint=hint)


def _rows(file: Path, scenario: str, snapshot: str | None, contingency: str | None) -> pd.DataFrame:
    """Return the rows of a state, without the system row.

    Raises:
        ResultError: if there are none, or the state has no solution.
    """
    found = []
    for _, part in read_parts(file, scenario):
        chosen = pc.and_(_is(part["snapshot"], snapshot), _is(part["contingency"], contingency))
        found.append(part.filter(chosen).to_pandas())
    rows: pd.DataFrame = pd.concat(found)
    system = rows[rows["element"] == "system"]
    if len(system) != 1:
        raise _no_such("contingency", contingency, [], file)
    status, detail = system[["status", "detail"]].iloc[0]
    if status not in ("ok", "islanded"):
        because = f": {detail}" if isinstance(detail, str) else ""
        raise ResultError(f"has no solution, but is {status}{because}", file=file)
    elements: pd.DataFrame = rows[rows["element"] != "system"]
    return elements


def _is(column: pa.ChunkedArray, name: str | None) -> pa.ChunkedArray:
    return pc.is_null(column) if name is None else pc.equal(column, name)


def _fill(net: pandapowerNet, rows: pd.DataFrame) -> None:
    """Write rows into a network's tables of results, and tap positions into its elements."""
    for element, columns in COLUMNS.items():
        if element not in net or not len(net[element]):
            continue
        of = rows[rows["element"] == element].set_index("id").reindex(net[element].index)
        results = pd.DataFrame(
            {column: of[quantity].to_numpy(np.float64) for quantity, column in columns.items()},
            index=net[element].index,
        )
        if element == "trafo3w":
            results["p_lv_mw"] = results["pl_mw"] - results["p_hv_mw"] - results["p_mv_mw"]
        net[f"res_{element}"] = results
        taps = of["tap_pos"]
        if taps.notna().any():
            net[element].loc[taps.notna(), "tap_pos"] = taps[taps.notna()]
