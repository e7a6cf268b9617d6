"""A batch written as datasets: parts of bounded size, several at a time."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Protocol

import pyarrow.parquet as pq

from ..errors import ResultError
from ..files.durable import replace_json
from ..parallel import in_processes
from .checks import HELD, joined, worst_values
from .data_card import CARD, data_card
from .dataset_grid import DatasetGrid
from .layouts.arrays import ArrayLayout
from .layouts.gridfm import PARTITION, GridfmLayout
from .layouts.pglearn import PglearnLayout
from .rows.element_table import element_table
from .samples import sample_sets, sample_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..plan.plan import Plan
    from .sample import Sample
    from .sample_arrays import SampleArrays
    from .samples import SampleSet
    from .splits import Splitting

MOST_CELLS = 300_000
"""Most buses and branches, over all samples, that a process has in memory at a time."""


class _Files(Protocol):
    def add(self, arrays: SampleArrays) -> None: ...
    def close(self) -> set[str]: ...


class _Layout(Protocol):
    def part(self, number: int) -> _Files: ...
    def finish(self, varying: set[str]) -> list[str]: ...


Made = tuple[dict[str, float], set[str]]
"""The worst values of a part's checks, and the quantities that vary within it."""


def write_datasets(
    plan: Plan,
    out: Path,
    layout: str,
    splitting: Splitting,
    *,
    workers: int = 1,
    replace: bool = False,
) -> list[Path]:
    """Write the AC states of a batch as datasets, one for each grid and solver.

    Args:
        plan: the batch; its summary must be there.
        out: the folder to write; it appears when it is complete.
        layout: one of ``LAYOUTS``.
        splitting: how samples are told apart for training, validation and test.
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
        for samples in sample_sets(plan, splitting):
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
    grid = DatasetGrid(plan, samples, priced=layout == "pglearn")
    files = _layout(layout, folder, grid, samples)
    work = _Work(grid, samples.held, files)
    parts = range(-(-len(samples.held) // PARTITION))
    made = [*in_processes(work.part, parts, workers)]
    checks = joined(worst for worst, _ in made)
    for name, most in HELD.items():
        if checks.get(name, 0.0) > most:
            what = f"check {name} comes to {checks[name]:g}, more than {most:g}"
            raise ResultError(what, file=plan.summary("aggregated_results.parquet"))
    told = files.finish({name for _, varying in made for name in varying})
    pq.write_table(sample_table(samples), folder / "samples.parquet", compression="zstd")
    elements = element_table(grid.net, grid.grid, grid.generators)
    pq.write_table(elements, folder / "elements.parquet", compression="zstd")
    card = data_card(plan, samples, grid, layout, checks)
    card["approximations"] += told
    replace_json(folder / CARD, card)


def _layout(name: str, folder: Path, grid: DatasetGrid, samples: SampleSet) -> _Layout:
    if name == "gridfm":
        return GridfmLayout(folder, len(samples.held))
    if name == "pglearn":
        return PglearnLayout(folder, grid, samples.samples)
    if not samples.held:
        raise ResultError("has no sample with a solution", file=grid.results)
    first, _, _ = grid.arrays(samples.held[:1])
    return ArrayLayout(folder, first, len(samples.held))


class _Work:
    """Makes parts of a dataset, in any process.

    Args:
        grid: its grid.
        samples: its samples.
        files: where they go.
    """

    def __init__(self, grid: DatasetGrid, samples: Sequence[Sample], files: _Layout) -> None:
        self._grid, self._samples, self._files = grid, samples, files

    def part(self, number: int) -> Made:
        """Write a part."""
        own = self._samples[number * PARTITION : (number + 1) * PARTITION]
        files = self._files.part(number)
        size = len(self._grid.grid.kv) + len(self._grid.grid.ends)
        step = max(1, MOST_CELLS // size)
        found = []
        for first in range(0, len(own), step):
            arrays, values, beside = self._grid.arrays(own[first : first + step])
            files.add(arrays)
            found.append(worst_values(arrays, self._grid, values, beside))
        return joined(found), files.close()
