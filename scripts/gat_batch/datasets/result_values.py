"""Values of elements as results have them, for many samples at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import ResultError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from .sample import Sample

    Reals = NDArray[np.float64]
    Values = dict[tuple[str, str], Reals]

QUANTITIES = (
    "vm_pu",
    "va_degree",
    "p_mw",
    "q_mvar",
    "p_from_mw",
    "q_from_mvar",
    "p_to_mw",
    "q_to_mvar",
    "tap_pos",
)
"""Quantities that datasets are made of."""

PRICES = ("lam_p", "lam_q", "mu_p", "mu_q", "mu_vm", "mu_flow", "mu_angle")
"""Those of optima that some layouts have, too."""


def result_values(
    file: Path,
    samples: Sequence[Sample | None],
    ids: Mapping[str, NDArray[np.int64]],
    quantities: Sequence[str] = QUANTITIES,
) -> Values:
    """Read values of elements.

    Args:
        file: the table of all results.
        samples: whose values; None has none.
        ids: element -> pandapower's indices in the order of its table.
        quantities: which quantities.

    Returns:
        Element and quantity -> its values, shape (samples, elements), NaN where no row is kept.
        What no sample has any value of is left out.

    Raises:
        ResultError: if the table isn't there.
    """
    place: dict[tuple[str, str | None], int] = {}
    again: dict[int, int] = {}
    for at, one in enumerate(samples):
        if one is not None:
            first = place.setdefault((one.name, one.snapshot), at)
            if first != at:
                again[at] = first
    wanted = pa.array(dict.fromkeys(name for name, _ in place), pa.string())
    groups = sorted({group for one in samples if one is not None for group in one.groups})
    values: Values = {}
    keys = ["scenario", "snapshot", "contingency", "element", "id"]
    try:
        with pq.ParquetFile(file, read_dictionary=["scenario", "element"]) as table:
            for group in groups:
                part = table.read_row_group(group, columns=[*keys, *quantities])
                chosen = pc.and_(
                    pc.is_in(part["scenario"], value_set=wanted), pc.is_null(part["contingency"])
                )
                _add(values, part.filter(chosen), place, len(samples), ids, names=quantities)
    except FileNotFoundError:
        raise ResultError("no such file", file=file, hint="run the batch first") from None
    # Several samples may have the same DC solution beside them.
    for known in values.values():
        known[[*again]] = known[[*again.values()]]
    return values


def _add(
    values: Values,
    part: pa.Table,
    place: Mapping[tuple[str, str | None], int],
    count: int,
    ids: Mapping[str, NDArray[np.int64]],
    *,
    names: Sequence[str],
) -> None:
    """Put rows into the arrays of their elements."""
    at = _places(part, place)
    element = part["element"].combine_chunks().dictionary_encode()
    codes = element.indices.to_numpy(zero_copy_only=False)
    number = part["id"].fill_null(-1).to_numpy()
    quantities = {name: part[name].to_numpy() for name in names}
    for code, kind in enumerate(element.dictionary.to_pylist()):
        if kind not in ids or not len(ids[kind]):
            continue
        rows = np.flatnonzero((codes == code) & (at >= 0))
        order = np.argsort(ids[kind])
        position = order[np.searchsorted(ids[kind], number[rows], sorter=order)]
        for name, column in quantities.items():
            own = column[rows]
            if np.isnan(own).all():
                continue
            if (kind, name) not in values:
                values[kind, name] = np.full((count, len(ids[kind])), np.nan)
            values[kind, name][at[rows], position] = own


def _places(part: pa.Table, place: Mapping[tuple[str, str | None], int]) -> NDArray[np.int64]:
    """Return which sample each row is of, -1 for none."""
    columns = [part[name].combine_chunks().dictionary_encode() for name in ("scenario", "snapshot")]
    names, snapshots = (column.dictionary.to_pylist() for column in columns)
    known = np.full((len(names), len(snapshots) + 1), -1)
    for i, name in enumerate(names):
        for j, snapshot in enumerate([*snapshots, None]):
            known[i, j] = place.get((name, snapshot), -1)
    first, second = (
        column.indices.fill_null(-1).to_numpy(zero_copy_only=False) for column in columns
    )
    found: NDArray[np.int64] = known[first, second]
    return found
