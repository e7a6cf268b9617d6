"""The layout of PGLearn's datasets: a case in JSON, and HDF5 files of samples in p.u. and radians.

See PGLearn.jl (https://github.com/AI4OPT/PGLearn.jl): ``slurm/make_ref.jl`` for the case and
``slurm/merge.jl`` for the folders, ``input.h5`` and ``FORMULATION/{primal,dual,meta}.h5`` a split.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from ...files.durable import replace_json
from ..rows.demand import drawing_rows
from ..splits import SPLITS
from .hdf5_arrays import add_arrays, add_columns, require_hdf5
from .pglearn_case import case_data, case_values
from .pglearn_values import (
    BRANCH,
    BUS,
    DUAL,
    GENERATOR,
    INPUT,
    LOAD,
    PRIMAL,
    ac_dual,
    ac_primal,
    dc_dual,
    dc_primal,
    endings,
    input_values,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..dataset_grid import DatasetGrid
    from ..sample import Sample
    from ..sample_arrays import SampleArrays
    from .hdf5_arrays import Stored
    from .pglearn_values import Values

    Rows = NDArray[np.int64]

INFEASIBLE = "infeasible"
"""Folder of samples without a solution."""

UNSOLVED = ("infeasible", "not_converged")
"""Status of those in it."""

BLOCK = 200
"""Most samples without a solution that are in memory at a time."""

VARYING = ".varying"


class PglearnLayout:
    """Lays a dataset out as PGLearn does.

    Args:
        folder: folder of the dataset.
        grid: its grid.
        samples: all that was asked for, with and without a solution.

    Raises:
        ResultError: if HDF5's library isn't installed.
    """

    def __init__(self, folder: Path, grid: DatasetGrid, samples: Sequence[Sample]) -> None:
        require_hdf5()
        self._folder, self._grid = folder, grid
        kind = "OPF" if grid.dispatched else "PF"
        self._formulations = [f"{flow}{kind}" for flow in ("AC", "DC")[: 1 + grid.paired]]
        self._loads = drawing_rows(grid.grid, grid.model.position)
        given = grid.as_given(samples[0].scenario)
        self.reference = case_values(given)
        case = case_data(folder.name, given, self._loads, self.reference)
        types = {name: {"type": name} for name in self._formulations}
        replace_json(folder / "case.json", {"data": case, "config": {"OPF": types}})
        (folder / VARYING).mkdir()
        held = sum(one.number is not None for one in samples)
        self.split, self.place = np.zeros((2, held), np.int64)
        members: dict[str, list[tuple[int, Sample]]] = {name: [] for name in (*SPLITS, INFEASIBLE)}
        for seed, one in enumerate(samples):
            if one.number is not None:
                self.split[one.number] = SPLITS.index(one.split)
                self.place[one.number] = len(members[one.split])
                members[one.split].append((seed, one))
            elif one.status in UNSOLVED:
                members[INFEASIBLE].append((seed, one))
        self._unsolved = [one for _, one in members[INFEASIBLE]]
        self._sizes = {name: case[name] for name in (BUS, GENERATOR, BRANCH, LOAD)}
        self.stored = {name: self._make(name, own) for name, own in members.items()}

    def part(self, number: int) -> PglearnFiles:
        """Return what writes a part."""
        return PglearnFiles(self, self._folder / VARYING, number)

    def finish(self, varying: set[str]) -> list[str]:
        """Add samples without a solution, and of the case what differs from sample to sample."""
        files = self.part(-1)
        for first in range(0, len(self._unsolved), BLOCK):
            own = self._unsolved[first : first + BLOCK]
            files.write(self._grid.unsolved(own), INFEASIBLE, np.arange(first, first + len(own)))
        names = sorted(varying | files.close())
        for name in names:
            self._add_varying(name)
        shutil.rmtree(self._folder / VARYING)
        return [*self._told(names)]

    def values(self, arrays: SampleArrays, *, solved: bool) -> dict[str, Values]:
        """Return values of samples by the file that they belong in.

        Args:
            arrays: the samples.
            solved: whether they have an AC solution.
        """
        ac, *dc = self._formulations
        found = {"input": input_values(arrays, self._loads)}
        found[f"{ac}/primal"] = ac_primal(arrays) if solved else {}
        found[f"{ac}/dual"] = ac_dual(arrays) if solved else {}
        for name in dc:
            found |= {f"{name}/primal": dc_primal(arrays), f"{name}/dual": dc_dual(arrays)}
        return found

    def _make(
        self, split: str, members: Sequence[tuple[int, Sample]]
    ) -> dict[str, dict[str, Stored]]:
        """Make the files of a split, with what is known of its samples beforehand."""
        folder = self._folder / split
        names = {"input": INPUT}
        seeds = np.array([seed for seed, _ in members], np.int64)
        for formulation in self._formulations:
            (folder / formulation).mkdir(parents=True)
            flow = formulation[:2]
            names[f"{formulation}/primal"] = PRIMAL[flow]
            names[f"{formulation}/dual"] = DUAL[flow] if self._grid.priced else {}
            ended = [one if flow == "AC" else one.counterpart for _, one in members]
            meta = {"seed": seeds, **endings(formulation, ended)}
            add_columns(folder / formulation / "meta.h5", meta)
        add_columns(folder / "input.h5", {"seed": seeds})
        return {
            file: add_arrays(
                folder / f"{file}.h5",
                {
                    name: (
                        (len(members), self._sizes[size]),
                        np.uint8 if name.endswith("_status") else np.float64,
                    )
                    for name, size in own.items()
                },
            )
            for file, own in names.items()
        }

    def _add_varying(self, name: str) -> None:
        """Add a quantity of the case to what samples ask, with the values of each."""
        given = self.reference[name]
        for split, files in self.stored.items():
            shape = files["input"]["pd"].shape[0], given.shape[1]
            file = self._folder / split / "input.h5"
            values = add_arrays(file, {name: (shape, np.float64)})[name].mapped()
            values[:] = given
            for block in (self._folder / VARYING).glob(f"{name}-{split}-*.npz"):
                with np.load(block) as held:
                    values[held["places"]] = held["values"]

    def _told(self, varying: Sequence[str]) -> Iterator[str]:
        """Yield what the files can't hold as it is."""
        if varying:
            listed = ", ".join(varying)
            yield f"input.h5 has {listed} of every sample, the case those of the grid as given"
        if self._grid.paired:
            yield "DC flows are (va_f - va_t - shift) / (x tap), those of PGLearn b (va_t - va_f)"
        if self._grid.priced:
            yield "duals of Ohm's law, of ratings of AC flows and of the slack are not in results"
        else:
            yield "power flows, which PGLearn has none of, are as its ACOPF and DCOPF without duals"
        if self._grid.grid.reference.sum() > 1:
            yield "the case names the first of several reference buses"


class PglearnFiles:
    """Writes samples into the files of a dataset.

    Args:
        layout: the dataset.
        folder: where values that differ from the case's are kept until all are known.
        part: number of the part.
    """

    def __init__(self, layout: PglearnLayout, folder: Path, part: int) -> None:
        self._layout, self._folder, self._part = layout, folder, part
        self._varying: set[str] = set()
        self._blocks = 0

    def add(self, arrays: SampleArrays) -> None:
        """Add samples, each to its split."""
        split, places = self._layout.split[arrays.number], self._layout.place[arrays.number]
        for code, name in enumerate(SPLITS):
            own = np.flatnonzero(split == code)
            if len(own):
                self.write(arrays, name, places[own], own)

    def write(
        self, arrays: SampleArrays, split: str, places: Rows, own: Rows | slice = slice(None)
    ) -> None:
        """Write samples into the files of a split; what they haven't got is not a number there.

        Args:
            arrays: some samples.
            split: the split.
            places: place of each sample in the files, shape (own,).
            own: which of the samples.
        """
        values = self._layout.values(arrays, solved=split != INFEASIBLE)
        for file, names in self._layout.stored[split].items():
            for name, stored in names.items():
                known: Any = values[file].get(name)
                stored.mapped()[places] = np.nan if known is None else known[own]
        for name, value in case_values(arrays).items():
            given = self._layout.reference[name]
            if not (value[own] == given).all():
                self._varying.add(name)
                block = self._folder / f"{name}-{split}-{self._part}-{self._blocks}.npz"
                np.savez(block, places=places, values=value[own])
        self._blocks += 1

    def close(self) -> set[str]:
        """Return what of the case differs from the grid as given."""
        return self._varying
