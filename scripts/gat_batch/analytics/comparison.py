"""Two batches compared: what changed beyond a tolerance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ..model.quantities import QUANTITIES
from ..results.reader import read_result, result_fingerprint
from ..results.schema import SYSTEM

if TYPE_CHECKING:
    from pathlib import Path

KEYS = ["snapshot", "contingency", "element", "id"]

CHANGES = pa.schema(
    [
        ("scenario", pa.string()),
        ("change", pa.string()),
        *((key, pa.int64() if key == "id" else pa.string()) for key in KEYS),
        ("quantity", pa.string()),
        ("here", pa.float64()),
        ("there", pa.float64()),
        ("difference", pa.float64()),
        ("here_text", pa.string()),
        ("there_text", pa.string()),
    ]
)
"""Schema of a table with a row for each value that changed. ``change`` is ``value``; for a row or a
scenario that only one side has it is ``only here`` or ``only there``."""

TEXTS = ("status", "max_loading_element")
NUMBERS = [*QUANTITIES, *(n for n, kind in SYSTEM.items() if pa.types.is_floating(kind))]


def compare_results(
    scenario: str, here: Path | None, there: Path | None, tolerance: float
) -> pa.Table:
    """Compare the results of a scenario in two batches.

    Args:
        scenario: its id.
        here: the file of the batch at hand that its result is in; None if there is none.
        there: that of the other batch.
        tolerance: largest difference that is no change, in the unit of each quantity.

    Returns:
        What changed, with the schema :data:`CHANGES`.

    Raises:
        ResultError: if a result is damaged.
    """
    known = [path and result_fingerprint(path, scenario) for path in (here, there)]
    if here is None or there is None or not all(known):
        sides = {(True, False): "only here", (False, True): "only there"}
        change = sides.get((bool(known[0]), bool(known[1])))
        rows = [{"scenario": scenario, "change": change}] if change else []
        return pa.Table.from_pylist(rows, CHANGES)
    columns = [*KEYS, *NUMBERS, *TEXTS]
    first, second = (
        read_result(path, scenario).select(columns).to_pandas() for path in (here, there)
    )
    both = first.merge(second, "outer", KEYS, suffixes=("", "_there"), indicator=True)
    matched = both[both["_merge"] == "both"]
    parts = [_one_sided(both), *(_numbers(matched, name, tolerance) for name in NUMBERS)]
    for name in TEXTS:
        mine, theirs = matched[name], matched[f"{name}_there"]
        differs = (mine != theirs) & ~(mine.isna() & theirs.isna())
        if name == "max_loading_element":
            # Which of two equally loaded branches is named is no change.
            gap = (matched["max_loading_percent"] - matched["max_loading_percent_there"]).abs()
            differs &= ~(gap <= tolerance)
        part = matched.loc[differs, KEYS].assign(change="value", quantity=name)
        parts.append(part.assign(here_text=mine[differs], there_text=theirs[differs]))
    told = pd.concat([part for part in parts if len(part)] or [parts[0]], ignore_index=True)
    told = told.assign(scenario=scenario).reindex(columns=CHANGES.names)
    return pa.Table.from_pandas(told, CHANGES, preserve_index=False)


def _one_sided(both: pd.DataFrame) -> pd.DataFrame:
    alone = both[both["_merge"] != "both"]
    sides = {"left_only": "only here", "right_only": "only there"}
    return alone[KEYS].assign(change=alone["_merge"].astype(str).map(sides))


def _numbers(matched: pd.DataFrame, name: str, tolerance: float) -> pd.DataFrame:
    mine = matched[name].to_numpy(np.float64)
    theirs = matched[f"{name}_there"].to_numpy(np.float64)
    differs = (np.abs(mine - theirs) > tolerance) | (np.isnan(mine) != np.isnan(theirs))
    values: dict[str, Any] = {
        "here": mine[differs],
        "there": theirs[differs],
        "difference": mine[differs] - theirs[differs],
    }
    return matched.loc[differs, KEYS].assign(change="value", quantity=name, **values)
