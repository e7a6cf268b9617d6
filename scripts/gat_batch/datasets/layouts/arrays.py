"""NumPy arrays: a ``.npy`` file a quantity, samples first, that can be mapped into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.format import open_memmap

from ..sample_arrays import branch_admittances

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from ..sample_arrays import SampleArrays


class ArrayLayout:
    """Lays a dataset out in arrays.

    Args:
        folder: folder of the dataset.
        first: its first sample.
        count: number of its samples.
    """

    def __init__(self, folder: Path, first: SampleArrays, count: int) -> None:
        self._folder = folder / "arrays"
        self._folder.mkdir()
        self._first = _values(first)
        for name, values in self._first.items():
            shape = (count, *values.shape[1:])
            open_memmap(self._file(name), "w+", values.dtype, shape).flush()
        shared = {"kv": first.kv, "ends": first.ends, "generator_row": first.generator_row}
        for name, values in shared.items():
            np.save(self._file(name), values)

    def part(self, number: int) -> ArrayFiles:  # noqa: ARG002 - all parts have the same files
        """Return what writes a part."""
        opened = {name: open_memmap(self._file(name), "r+") for name in self._first}
        return ArrayFiles(opened, self._first)

    def finish(self, varying: set[str]) -> list[str]:
        """Leave of what is the same in all samples only one."""
        for name, values in self._first.items():
            if name not in varying:
                np.save(self._file(name), values)
        return []

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.npy"


class ArrayFiles:
    """Writes samples into arrays.

    Args:
        opened: the arrays.
        first: the first sample.
    """

    def __init__(
        self, opened: Mapping[str, NDArray[Any]], first: Mapping[str, NDArray[Any]]
    ) -> None:
        self._opened, self._first = opened, first
        self._varying: set[str] = set()

    def add(self, arrays: SampleArrays) -> None:
        """Add samples, at the places of their numbers."""
        for name, values in _values(arrays).items():
            self._opened[name][arrays.number] = values
            if not np.array_equal(values, np.broadcast_to(self._first[name], values.shape)):
                self._varying.add(name)

    def close(self) -> set[str]:
        """Complete the files, and return which quantities differ from the first sample's."""
        for opened in self._opened.values():
            opened.flush()  # type: ignore[attr-defined] # they are mapped files
        return self._varying


def _values(arrays: SampleArrays) -> dict[str, NDArray[Any]]:
    whole = branch_admittances(
        np.ones_like(arrays.live), arrays.impedance, arrays.charging, arrays.tap, arrays.shift
    )
    angle = np.degrees(np.angle(arrays.voltage))
    found: dict[str, NDArray[Any]] = {
        "demand": _parts(arrays.demand),
        "shunt": _parts(arrays.shunt),
        "type": arrays.type,
        "voltage_limits": arrays.vm,
        "voltage": np.stack([np.abs(arrays.voltage), angle], axis=-1),
        "running": arrays.running,
        "power_limits": np.concatenate([arrays.p, arrays.q], axis=-1),
        "cost": arrays.cost,
        "generation": _parts(arrays.generation),
        "live": arrays.live,
        "admittance": _parts(whole).reshape(*whole.shape[:2], -1),
        "rating": arrays.rating,
        "angle_limits": arrays.angle,
        "flow": _parts(arrays.flow).reshape(*arrays.flow.shape[:2], -1),
    }
    if arrays.dc is not None:
        found["dc_angle"] = arrays.dc.va
        found["dc_generation"] = arrays.dc.generation
        found["dc_flow"] = arrays.dc.flow
    return found


def _parts(values: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return real and imaginary parts along a last axis."""
    return np.stack([values.real, values.imag], axis=-1)
