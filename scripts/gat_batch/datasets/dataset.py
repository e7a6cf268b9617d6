"""A batch written as datasets: parts of bounded size, several at a time."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Protocol

import pyarrow.parquet as pq

from ..errors import ResultError
from ..files.durable import replace_json
from .checks import HELD, joined, worst_values
from .data_card import CARD, data_card
from .dataset_grid import DatasetGrid
from .layouts.gridfm import COUNT, PARTITION, GridfmFiles
from .samples import sample_sets, sample_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..plan.plan import Plan
    from .sample_arrays import SampleArrays
    from .samples import SampleSet

MOST_CELLS = 300_000
"""Most buses and branches, over all samples, that a process has in memory at a time."""


class _Files(Protocol):
    def add(self, arrays: SampleArrays) -> None: ...
    def close(self) -> None: ...


def write_datasets(
    plan: Plan, out: Path, layout: str, *, workers: int = 1, replace: bool = False
) -> list[Path]:
    """Write the AC states of a batch as datasets, one for each grid and solver.

    Args:
        plan: the batch; its summary must be there.
        out: the folder to write; it appears when it is complete.
        layout: one of ``LAYOUTS``.
        workers: parts that are made at the same time.
        replace: whether to replace datasets that are there.

    Returns:
        The folder of each dataset.

    Raises:
        GatBatchError: if the folder is there, the batch isn't solved as it is now, or a dataset
            can't hold its grid.
        ResultError: if a check doesn't hold.
    """
    if out.exists():
        if not replace:
            raise ResultError("exists", file=out, hint="--force replaces it")
        if not any(out.glob(f"*/{CARD}")):
            raise ResultError("holds no dataset, and isn't replaced", file=out)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        names = []
        for samples in sample_sets(plan):
            folder = temporary / samples.name
            folder.mkdir(parents=True)
            _write(plan, samples, folder, layout, workers)
            names.append(samples.name)
        if out.exists():
            shutil.rmtree(out)
        temporary.replace(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return [out / name for name in names]


def _write(plan: Plan, samples: SampleSet, folder: Path, layout: str, workers: int) -> None:
    grid = DatasetGrid(plan, samples)
    work = _Work(grid, samples, folder, layout)
    parts = range(-(-len(samples.held) // PARTITION))
    checks = joined(_made(work, parts, min(workers, len(parts))))
    for name, most in HELD.items():
        if checks.get(name, 0.0) > most:
            what = f"check {name} comes to {checks[name]:g}, more than {most:g}"
            raise ResultError(what, file=plan.summary("aggregated_results.parquet"))
    pq.write_table(sample_table(samples), folder / "samples.parquet", compression="zstd")
    pq.write_table(grid.elements(), folder / "elements.parquet", compression="zstd")
    replace_json(folder / CARD, data_card(plan, samples, grid, layout, checks))
    (folder / "raw" / COUNT).write_text(str(len(samples.held)), encoding="ascii")


class _Work:
    """Makes parts of a dataset, in any process.

    Args:
        grid: its grid.
        samples: its samples.
        folder: where it goes.
        layout: layout of the files.
    """

    def __init__(self, grid: DatasetGrid, samples: SampleSet, folder: Path, layout: str) -> None:
        self._grid, self._samples, self._folder, self._layout = grid, samples.held, folder, layout
        (folder / "raw").mkdir()

    def part(self, number: int) -> dict[str, float]:
        """Write a part, and return the worst values of its checks."""
        own = self._samples[number * PARTITION : (number + 1) * PARTITION]
        files: _Files = GridfmFiles(self._folder / "raw", number)
        size = len(self._grid.grid.kv) + len(self._grid.grid.ends)
        step = max(1, MOST_CELLS // size)
        found = []
        for first in range(0, len(own), step):
            arrays, values, beside = self._grid.arrays(own[first : first + step])
            files.add(arrays)
            found.append(worst_values(arrays, self._grid, values, beside))
        files.close()
        return joined(found)


_work: list[_Work] = []
"""What a process of the pool works at, inherited when it was forked."""


def _begin(work: _Work) -> None:
    _work[:] = [work]


def _part(number: int) -> dict[str, float]:
    return _work[0].part(number)


def _made(work: _Work, parts: range, workers: int) -> Iterator[dict[str, float]]:
    """Yield the worst values of all parts, in order."""
    if workers <= 1:
        yield from map(work.part, parts)
        return
    fork = get_context("fork")
    with ProcessPoolExecutor(workers, fork, _begin, (work,)) as pool:
        yield from pool.map(_part, parts)
