"""Operators and functions of MATLAB on tables of numbers, as far as data files use them."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .syntax import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Table = NDArray[Any]

CELL_BY_CELL: dict[str, Callable[[Table, Table], Table]] = {
    "+": operator.add,
    "-": operator.sub,
    ".*": operator.mul,
    "./": operator.truediv,
    ".^": operator.pow,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "~=": operator.ne,
    "!=": operator.ne,
    "&": lambda a, b: (a != 0) & (b != 0),
    "|": lambda a, b: (a != 0) | (b != 0),
}

FUNCTIONS: dict[str, Callable[[Table], Table]] = {
    name: getattr(np, name)
    for name in (
        "sin", "cos", "tan", "sqrt", "exp", "log", "log10", "log2", "floor", "ceil", "sign",
        "isinf", "isnan", "isfinite", "abs",
    )
} | {
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "deg2rad": np.radians,
    "rad2deg": np.degrees,
    "fix": np.trunc,
    "round": lambda table: np.sign(table) * np.floor(np.abs(table) + 0.5),
    "double": lambda table: table.astype(np.float64),
    "logical": lambda table: table != 0,
}  # fmt: skip
"""Functions of each cell."""

KNOWN = {
    *FUNCTIONS, "zeros", "ones", "size", "length", "numel", "find", "sum", "any", "all", "prod",
    "max", "min", "mod", "rem",
}  # fmt: skip
"""All functions."""

CONSTANTS = {
    "pi": np.pi,
    "Inf": np.inf,
    "inf": np.inf,
    "NaN": np.nan,
    "nan": np.nan,
    "eps": float(np.finfo(float).eps),
    "true": 1.0,
    "false": 0.0,
}

MOST_CELLS = 50_000_000
"""Cells of a table that a file may ask for by its size."""


def signed(sign: str, table: Table) -> Table:
    """Return a table with a sign in front."""
    if sign in "~!":
        return np.asarray(table == 0)
    return -table.astype(np.float64) if sign == "-" else table.astype(np.float64)


def combined(sign: str, left: Table, right: Table) -> Table:
    """Return what an operator makes of two tables."""
    if sign in ("&&", "||"):
        both = (bool((side != 0).all()) and side.size > 0 for side in (left, right))
        return np.array([[all(both) if sign == "&&" else any(both)]])
    if left.dtype == bool:
        left = left.astype(np.float64)
    if right.dtype == bool:
        right = right.astype(np.float64)
    if sign == "*" and left.size > 1 and right.size > 1:
        return left @ right
    if sign in ("/", "^") and right.size > 1:
        raise Unreadable(f"{sign!r} by a table is not known here")
    if sign == "^" and left.size > 1:
        raise Unreadable("a power of a table is not known here")
    result: Table = CELL_BY_CELL[{"*": ".*", "/": "./", "^": ".^"}.get(sign, sign)](left, right)
    return result


def number_range(first: float, *others: float) -> Table:
    """Return a row of numbers: from the first one, by the step if there is one, to the last one."""
    step, last = others if len(others) == 2 else (1.0, *others)
    count = (last - first) / step + 1 + 1e-10 if step else 0.0
    if not count < MOST_CELLS:
        raise Unreadable("a range is too long")
    return first + step * np.arange(max(int(count), 0), dtype=np.float64)[None, :]


def applied(name: str, given: list[Table]) -> Table:
    """Return what a function of the list makes of tables."""
    if name in FUNCTIONS and len(given) == 1:
        return FUNCTIONS[name](given[0])
    if name in ("zeros", "ones") and given:
        shape = [int(side) for table in given for side in table.ravel()]
        shape = shape * 2 if len(shape) == 1 else shape
        if len(shape) != 2 or np.prod(shape, dtype=float) > MOST_CELLS:
            raise Unreadable(f"{name} of this size is not known here")
        return np.full(shape, float(name == "ones"))
    if name in ("size", "length", "numel") and given:
        return _size(name, given)
    if name == "find" and len(given) == 1:
        found = np.flatnonzero(given[0].ravel(order="F")) + 1.0
        return found[None, :] if given[0].shape[0] == 1 else found[:, None]
    if name in ("sum", "any", "all", "prod") and len(given) == 1:
        return _over_columns(getattr(np, name), given[0])
    if name in ("max", "min", "mod", "rem"):
        return _of_two(name, given)
    raise Unreadable(f"{name!r} is unknown")


def _size(name: str, given: list[Table]) -> Table:
    rows, columns = given[0].shape
    if name == "size" and len(given) == 2:
        return np.array([[float((rows, columns)[int(given[1].item()) - 1])]])
    sizes: Mapping[str, list[float]] = {
        "size": [float(rows), float(columns)],
        "numel": [float(given[0].size)],
        "length": [float(max(rows, columns) if given[0].size else 0)],
    }
    return np.array([sizes[name]])


def _over_columns(function: Callable[..., Table], table: Table) -> Table:
    axis = 1 if table.shape[0] == 1 else 0
    return np.asarray(function(table, axis=axis, keepdims=True))


def _of_two(name: str, given: list[Table]) -> Table:
    if len(given) == 1 and name in ("max", "min"):
        return _over_columns(np.max if name == "max" else np.min, given[0])
    if len(given) != 2:
        raise Unreadable(f"{name!r} takes two tables")
    two: dict[str, Callable[[Table, Table], Table]] = {
        "max": np.fmax,
        "min": np.fmin,
        "mod": np.mod,
        "rem": np.fmod,
    }
    return two[name](*given)
