"""An inner way of pyarrow 26: it imports pandas, if there is any, for its first array of a list.

It wants to know whether the list isn't a series. That takes as long as to read a million rows.
"""

from __future__ import annotations

import sys

import pyarrow as pa


class _NoPandas:
    """Finds no pandas, and leaves other modules to others."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


def keep_pandas_out() -> None:
    """Have pyarrow do without pandas in this process, which then can't turn tables into frames.

    Others may import it all the same.
    """
    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(_NoPandas)
