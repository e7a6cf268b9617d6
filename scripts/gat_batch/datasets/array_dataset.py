"""A dataset in arrays, read sample by sample: what ``torch.utils.data.DataLoader`` takes.

Nothing here needs PyTorch: a data loader makes tensors of the arrays that it is given. Arrays are
mapped into memory, by each worker on its own, and only what is asked for is read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from ..errors import ResultError
from .splits import SPLITS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray

INPUTS = (
    "demand", "shunt", "type", "voltage_limits", "running", "power_limits", "cost", "live",
    "admittance", "rating", "angle_limits",
)  # fmt: skip
"""What is asked of a sample."""

TARGETS = ("voltage", "generation", "flow")
"""How it was solved."""

BESIDE = ("dc_angle", "dc_generation", "dc_flow")
"""How DC solved it, where that was asked for."""


class ArrayDataset:
    """The samples of a dataset, or those of one of its splits.

    Args:
        folder: folder of the dataset.
        split: ``train``, ``validation`` or ``test``; all samples if None.
        names: quantities that each sample has; all that there are if None.
        dtype: type of real numbers.

    Attributes:
        base_mva: the system base in MVA.
        numbers: numbers of the samples, shape (samples,).
        ends: rows of the buses at either end of each branch, shape (branches, 2).
        generator_row: row of the bus of each generator, shape (generators,).
        kv: nominal voltage of each bus in kV, shape (buses,).

    Raises:
        ResultError: if there is no such dataset, split or quantity.
    """

    def __init__(
        self,
        folder: Path,
        split: str | None = None,
        *,
        names: tuple[str, ...] | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self._folder = folder / "arrays"
        if not self._folder.is_dir():
            raise ResultError("holds no arrays", file=folder, hint="export --to numpy")
        known = tuple(name for name in (*INPUTS, *TARGETS, *BESIDE) if self._file(name).is_file())
        self.names = known if names is None else names
        for name in self.names:
            if name not in known:
                hint = f"there are {', '.join(known)}"
                raise ResultError(f"has no quantity {name!r}", file=folder, hint=hint)
        if split not in (None, *SPLITS):
            hint = f"known are {', '.join(SPLITS)}"
            raise ResultError(f"has no split {split!r}", file=folder, hint=hint)
        samples = pq.read_table(folder / "samples.parquet", columns=["sample", "split"])
        held = samples.filter(samples["sample"].is_valid())
        chosen = np.array([split in (None, one) for one in held["split"].to_pylist()], bool)
        self.numbers: NDArray[np.int64] = held["sample"].to_numpy()[chosen]
        card = json.loads((folder / "data_card.json").read_text(encoding="utf-8"))
        self.base_mva = float(card["grid"]["base_mva"])
        self.ends, self.generator_row, self.kv = (
            np.load(self._file(name)) for name in ("ends", "generator_row", "kv")
        )
        self._dtype = np.dtype(dtype)
        self._opened: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        number = int(self.numbers[index])
        sample: dict[str, Any] = {"sample": number}
        for name in self.names:
            values = self._array(name)
            own = values[number if len(values) > 1 else 0]
            sample[name] = np.array(own, self._dtype if own.dtype.kind == "f" else own.dtype)
        return sample

    def __getstate__(self) -> dict[str, Any]:
        """Leave mapped files out: each worker of a data loader maps them itself."""
        return {**self.__dict__, "_opened": {}}

    def graph(self, index: int) -> Any:
        """Return a sample as a ``torch_geometric.data.HeteroData``; PyTorch Geometric is needed.

        Buses, and generators at them, are nodes with inputs ``x`` and targets ``y``; branches in
        service are edges in both directions, with their admittances and ratings.
        """
        import torch
        from torch_geometric.data import HeteroData

        sample = self[index]
        live = np.flatnonzero(sample["live"])
        admittance = sample["admittance"][live]
        forth, back = admittance, admittance[:, [6, 7, 4, 5, 2, 3, 0, 1]]
        rating = np.tile(sample["rating"][live], 2)[:, None]
        at = np.arange(len(self.generator_row))
        graph = HeteroData()
        kinds = np.eye(3, dtype=self._dtype)[sample["type"] - 1]
        bus = (sample["demand"], sample["shunt"], kinds, sample["voltage_limits"])
        gen = (sample["running"][:, None], sample["power_limits"], sample["cost"])
        for name, parts, target in (("bus", bus, "voltage"), ("generator", gen, "generation")):
            inputs = np.concatenate(parts, axis=1).astype(self._dtype)
            graph[name].x = torch.from_numpy(inputs)
            graph[name].y = torch.from_numpy(sample[target])
        edges = np.concatenate([self.ends[live], self.ends[live][:, ::-1]]).T.copy()
        branch = graph["bus", "branch", "bus"]
        branch.edge_index = torch.from_numpy(edges)
        values = np.concatenate([np.concatenate([forth, back]), rating], axis=1)
        branch.edge_attr = torch.from_numpy(values)
        places = np.stack([at, self.generator_row])
        graph["generator", "at", "bus"].edge_index = torch.from_numpy(places)
        graph["bus", "has", "generator"].edge_index = torch.from_numpy(places[::-1].copy())
        return graph

    def _array(self, name: str) -> NDArray[Any]:
        if name not in self._opened:
            self._opened[name] = np.load(self._file(name), mmap_mode="r")
        return self._opened[name]

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.npy"
