"""Arrays in HDF5 files that several processes fill at the same time, each its own rows.

HDF5's library has one writer at a time. An array in one piece is a stretch of the file, though,
which can be mapped into memory like any other (HDF5 User Guide, "Dataset Storage Properties"); so a
file is made with all of its arrays, and what fills them doesn't need the library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ResultError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Stored:
    """Where an array lies.

    Attributes:
        file: the HDF5 file.
        offset: its first byte; None if it has no values.
        shape: its shape.
        dtype: type of its values.
    """

    file: Path
    offset: int | None
    shape: Shape
    dtype: np.dtype[Any]

    def mapped(self) -> NDArray[Any]:
        """Return the array, mapped into memory: what is written to it is written to the file."""
        if self.offset is None:
            return np.zeros(self.shape, self.dtype)
        return np.memmap(self.file, self.dtype, "r+", self.offset, self.shape)


def add_arrays(file: Path, arrays: Mapping[str, tuple[Shape, Any]]) -> dict[str, Stored]:
    """Add arrays without values yet to a file, which is made if it isn't there.

    Args:
        file: the file; no process may have its arrays mapped that adds to it at the same time.
        arrays: name -> shape and type.

    Returns:
        Name -> where it lies.
    """
    import h5py
    from h5py import h5d, h5p, h5s, h5t

    whole = h5p.create(h5p.DATASET_CREATE)
    whole.set_layout(h5d.CONTIGUOUS)
    whole.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    whole.set_fill_time(h5d.FILL_TIME_NEVER)
    found = {}
    with h5py.File(file, "a") as opened:
        for name, (shape, kind) in arrays.items():
            dtype = np.dtype(kind)
            made = h5d.create(
                opened.id, name.encode(), h5t.py_create(dtype), h5s.create_simple(shape), whole
            )
            found[name] = Stored(file, made.get_offset(), shape, dtype)
    return found


def add_columns(file: Path, columns: Mapping[str, Any]) -> None:
    """Add numbers or texts of all samples to a file, which is made if it isn't there.

    Args:
        file: the file.
        columns: name -> one value a sample.
    """
    import h5py

    with h5py.File(file, "a") as opened:
        for name, values in columns.items():
            array = np.asarray(values)
            kind = h5py.string_dtype() if array.dtype.kind in "UO" else array.dtype
            opened.create_dataset(name, data=array.astype(kind), dtype=kind)


def require_hdf5() -> None:
    """Raise unless HDF5's library is installed.

    Raises:
        ResultError: if it isn't.
    """
    try:
        import h5py  # noqa: F401 - whether it is there
    except ImportError:
        hint = 'pip install "gat-batch[datasets]"'
        raise ResultError("HDF5 needs h5py, which isn't installed", hint=hint) from None
