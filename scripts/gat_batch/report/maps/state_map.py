"""One state of a scenario, for its map: read from its result, whatever the page holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...errors import ResultError
from ...results.reader import read_parts
from ...study.scenario import BRANCHES, FOLLOWS

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

COLUMNS = ("snapshot", "contingency", "element", "id", "vm_pu", "va_degree", "loading_percent")


def read_state(
    result: Path, scenario: str, snapshot: str | None, contingency: str | None
) -> pd.DataFrame:
    """Read the rows of a state.

    Args:
        result: the file that the result of its scenario is in.
        scenario: its scenario.
        snapshot: which snapshot, if there are any.
        contingency: name of a contingency; None for the base case.

    Raises:
        ResultError: if the result can't be read or has no such state.
    """
    found = []
    for _, part in read_parts(result, scenario):
        own = pc.and_(_is(part, "snapshot", snapshot), _is(part, "contingency", contingency))
        found.append(part.select(COLUMNS).filter(own).to_pandas())
    rows: pd.DataFrame = pd.concat(found, ignore_index=True)
    return _there(rows, snapshot, contingency, result)


def read_state_of_batch(
    aggregated: Path, scenario: str, snapshot: str | None, contingency: str | None
) -> pd.DataFrame:
    """Read the rows of a state from the rows of a whole batch.

    Args:
        aggregated: its ``aggregated_results.parquet``.
        scenario: its scenario.
        snapshot: which snapshot, if there are any.
        contingency: name of a contingency; None for the base case.

    Raises:
        ResultError: if the batch has no such state.
    """
    found = pq.read_table(aggregated, columns=[*COLUMNS], filters=[("scenario", "==", scenario)])
    own = pc.and_(_is(found, "snapshot", snapshot), _is(found, "contingency", contingency))
    return _there(found.filter(own).to_pandas(), snapshot, contingency, aggregated)


def _there(
    rows: pd.DataFrame, snapshot: str | None, contingency: str | None, result: Path
) -> pd.DataFrame:
    if rows.empty:
        named = ", ".join(
            f"{what} {name!r}" if name is not None else f"no {what}"
            for what, name in (("snapshot", snapshot), ("contingency", contingency))
        )
        raise ResultError(f"has no rows of a state with {named}", file=result)
    return rows


def _is(part: pa.Table, column: str, value: str | None) -> pa.ChunkedArray:
    return pc.is_null(part[column]) if value is None else pc.equal(part[column], value)


def failing(contingency: str | None) -> list[str]:
    """Return what fails in a contingency, as ``line:12``."""
    return re.findall(r"[a-z]\w*:\d+", contingency.split(FOLLOWS)[0]) if contingency else []


def state_elements(
    elements: pd.DataFrame, rows: pd.DataFrame, scenario: str, contingency: str | None
) -> pd.DataFrame:
    """Return a table of elements that tells of one state only, as maps take it.

    Args:
        elements: rows of the table of elements of its grid.
        rows: the rows of the state; after a contingency those of limits that are broken may be all.
        scenario: its scenario.
        contingency: its contingency, or None.

    Returns:
        As the table of elements; ``out`` tells what is out of service or cut off.
    """
    told = rows.astype({"element": object}).set_index(["element", "id"])
    keys = pd.MultiIndex.from_frame(elements[["element", "id"]])
    own = told.reindex(keys)
    bus = (elements["element"] == "bus").to_numpy()
    value = np.where(bus, own["vm_pu"], own["loading_percent"])
    if contingency is None:
        solved = (rows["element"] != "system").any()
        expected = np.where(bus, own["va_degree"].isna(), elements["max"].notna())
        drawn = elements["element"].isin(["bus", *BRANCHES]).to_numpy()
        out = solved & drawn & expected & np.isnan(value)
    else:
        failed = [one.split(":") for one in failing(contingency)]
        out = keys.isin([(kind, int(index)) for kind, index in failed])
    told_of: pd.DataFrame = elements.assign(
        min=value, max=value, mean=value, out=out, worst_scenario=scenario, worst_snapshot=None
    )
    return told_of
