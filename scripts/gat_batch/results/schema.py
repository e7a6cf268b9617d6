"""The one table of results: its columns, and how they are stored.

The columns of elements come from ``model.quantities``.
"""

from __future__ import annotations

import pyarrow as pa

from ..model.quantities import QUANTITIES

KEYS = ("scenario", "snapshot", "contingency", "element")


SYSTEM: dict[str, pa.DataType] = {
    "status": pa.string(),
    "iterations": pa.int32(),
    "objective": pa.float64(),
    "engine": pa.string(),
    "detail": pa.string(),
    "load_mw": pa.float64(),
    "generation_mw": pa.float64(),
    "loss_mw": pa.float64(),
    "unserved_mw": pa.float64(),
    "lost_generation_mw": pa.float64(),
    "max_loading_percent": pa.float64(),
    "max_loading_element": pa.string(),
    "min_vm_pu": pa.float64(),
    "min_vm_bus": pa.int64(),
    "max_vm_pu": pa.float64(),
    "max_vm_bus": pa.int64(),
    "congestion_rent": pa.float64(),
}
"""Columns that only the ``system`` row fills."""


JUDGED = {
    "category": pa.string(),
    "rating": pa.string(),
    "limit": pa.float64(),
    "before": pa.float64(),
}
"""Columns by which contingencies are judged: their category, the set of ratings that loadings are
in percent of, and in rows of violations the limit that is broken, and the loading or voltage before
the contingency, judged alike."""


RESULT_SCHEMA = pa.schema(
    [
        *((key, pa.string()) for key in KEYS),
        ("id", pa.int64()),
        ("name", pa.string()),
        *JUDGED.items(),
        *((quantity, pa.float64()) for quantity in QUANTITIES),
        *SYSTEM.items(),
    ]
)
"""Columns of every result, whatever solver it comes from."""


ROWS_PER_GROUP = 100_000
"""Rows kept in memory before they are written, as a year of hours needn't fit."""


REPEATING = [*KEYS, "category", "rating", "status", "engine", "max_loading_element"]
"""Columns stored with a dictionary; for the others it would only cost time."""


FLOWS = ("p_from_mw", "q_from_mvar", "p_to_mw", "q_to_mvar", "pl_mw", "i_ka", "loading_percent")
"""Quantities of what branches carry."""


COMPRESSION = {
    "id": "lz4",
    **{name: "zstd" for name in ("name", *QUANTITIES) if name not in FLOWS},
}
"""Columns that compression makes smaller. Flows are too random, and columns that repeat or that
only the ``system`` row fills are small anyway; compressing them costs time, for readers too. Ids
repeat from state to state: lz4 makes them smaller than zstd does, in a third of the time."""
