"""The rows of results by which groups are judged: violations, and what each state comes to.

They are read in batches; of every state and contingency one row is kept, and one a violation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...study.scenario import BRANCHES, FOLLOWS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ...model.violations import Limits

COLUMNS = (
    "scenario", "snapshot", "contingency", "element", "id", "limit", "loading_percent", "vm_pu",
    "status", "unserved_mw", "max_loading_percent", "max_loading_element", "min_vm_pu",
    "min_vm_bus", "max_vm_pu", "max_vm_bus",
)  # fmt: skip

BATCH_ROWS = 200_000

STATE = ["scenario", "snapshot"]


def judged_rows(aggregated: Path, chosen: Sequence[str], limits: Limits) -> Iterator[pd.DataFrame]:
    """Read the rows that count of some scenarios.

    Args:
        aggregated: ``aggregated_results.parquet``.
        chosen: ids of the scenarios.
        limits: what counts as a violation of a base case.

    Yields:
        Rows with :data:`COLUMNS`, those of a contingency and what follows it never apart:
        ``system`` rows, and violations with their ``limit``. ``snapshot`` is empty where there is
        none, ``contingency`` before any. A contingency that an action follows isn't among them, as
        what the action leaves is what counts.
    """
    wanted = pa.array(chosen, pa.string())
    held = pd.DataFrame(columns=COLUMNS)
    with pq.ParquetFile(aggregated, read_dictionary=["element"]) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=list(COLUMNS), use_threads=False):
            rows = batch.filter(pc.is_in(batch["scenario"], wanted))
            rows = rows.filter(_counts(rows, limits))
            if not len(rows):
                continue
            frame = rows.to_pandas().astype({"element": str})
            frame[["snapshot", "contingency"]] = frame[["snapshot", "contingency"]].fillna("")
            frame = pd.concat([held, frame], ignore_index=True) if len(held) else frame
            # What follows the last contingency may be yet to come.
            place = _places(frame)
            last = (place == place.iloc[-1]).all(axis=1)
            held = frame[last]
            if not last.all():
                yield _judged(frame[~last], limits)
    if len(held):
        yield _judged(held, limits)


def among(scenario: pd.Series, ids: Collection[str]) -> NDArray[np.bool_]:
    """Tell which rows are of some scenarios, shape (rows,).

    There may be many scenarios; rows are of few of them, so that it isn't they that are looked up.
    """
    code, names = pd.factorize(scenario)
    return np.array([name in ids for name in names], bool)[code]


def _counts(rows: pa.RecordBatch, limits: Limits) -> pa.Array:
    """Tell which rows count: system rows, and violations of base cases and contingencies."""
    low, high = limits.band_pu
    branch = pc.is_in(rows["element"].dictionary_decode(), pa.array(BRANCHES))
    bus = pc.equal(rows["element"].dictionary_decode(), "bus")
    outside = pc.or_(pc.less(rows["vm_pu"], low), pc.greater(rows["vm_pu"], high))
    over = pc.greater(rows["loading_percent"], limits.most_percent)
    broken = pc.or_kleene(pc.and_kleene(bus, outside), pc.and_kleene(branch, over))
    base = pc.and_kleene(pc.is_null(rows["contingency"]), broken)
    system = pc.equal(rows["element"].dictionary_decode(), "system")
    counts = pc.or_kleene(pc.or_kleene(system, pc.is_valid(rows["limit"])), base)
    return counts.fill_null(fill_value=False)


def _places(frame: pd.DataFrame) -> pd.DataFrame:
    """Return scenario, snapshot and contingency of each row, without what follows it."""
    return frame[STATE].assign(first=frame["contingency"].str.partition(FOLLOWS)[0])


def _judged(frame: pd.DataFrame, limits: Limits) -> pd.DataFrame:
    """Leave out contingencies that an action follows, and fill in the limits of base cases."""
    after = frame["contingency"].str.partition(FOLLOWS)[2]
    if (after != "").any():
        acted = (after != "") & (after != "none") & ~after.str.isdecimal()
        place = _places(frame)
        followed = acted.groupby([place[name] for name in place]).transform("any")
        frame = frame[~(followed & (after == ""))]
    low, high = limits.voltage_band_pu
    bound = np.where(frame["vm_pu"] < low, low, high)
    bound = np.where(frame["element"] == "bus", bound, limits.loading_percent)
    base = (frame["contingency"] == "") & (frame["element"] != "system")
    return frame.assign(limit=np.where(base, bound, frame["limit"].to_numpy(float)))
