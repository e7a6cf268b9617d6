"""Lines and points of a map, in pixels of a page of the usual width, up is positive."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .one_line_diagram import OneLineDiagram

    Reals = NDArray[np.float64]

WIDTH = 960
LOWEST, HIGHEST = 260, 780
"""Width of a map, and the range of its height."""

LEAST_LENGTH = 1.0
"""Length above which switches are drawn."""

EDGE = 14
APART = 5.0
"""Free space at its edge, and between parallel branches where there is room for it."""


@dataclass(frozen=True)
class MapGeometry:
    """Where everything lies.

    Attributes:
        size: width and height.
        buses: index of each bus, shape (buses,).
        feeding: whether it has a generator or an external grid, shape (buses,).
        places: where it lies, shape (buses, 2).
        branches: element and index of each line drawn; three lines for a transformer of three
            windings.
        lines: both ends of each, shape (lines, 4).
        switches: both ends of each closed switch between buses that don't lie on each other,
            shape (switches, 4).
        three: element and index of each transformer of three windings.
        stars: where its windings meet, shape (transformers, 2).
    """

    size: tuple[int, int]
    buses: NDArray[np.int64]
    feeding: NDArray[np.bool_]
    places: Reals
    branches: list[tuple[str, int]]
    lines: Reals
    switches: Reals
    three: list[tuple[str, int]]
    stars: Reals


def geometry_of(drawn: OneLineDiagram) -> MapGeometry:
    """Lay a map out on the page: parallel branches apart, three windings as a star.

    Args:
        drawn: where buses and branches lie.
    """
    low, high = drawn.position.min(axis=0), drawn.position.max(axis=0)
    extent = np.maximum(high - low, 1e-9)
    scale = min((WIDTH - 2 * EDGE) / extent[0], (HIGHEST - 2 * EDGE) / extent[1])
    height = int(np.clip(extent[1] * scale + 2 * EDGE, LOWEST, HIGHEST))
    offset = (np.array([WIDTH, height]) - extent * scale) / 2
    places = (drawn.position - low) * scale + offset
    two = [n for n, (kind, _) in enumerate(drawn.branches) if kind != "trafo3w"]
    lines = _apart(places, drawn.ends[two])
    branches = [drawn.branches[n] for n in two]
    windings: dict[tuple[str, int], list[int]] = {}
    for n, branch in enumerate(drawn.branches):
        if branch[0] == "trafo3w":
            windings.setdefault(branch, []).extend(drawn.ends[n].tolist())
    stars: list[Reals] = []
    legs = [lines]
    for branch, ends in windings.items():
        buses = list(dict.fromkeys(ends))
        star: Reals = places[buses].mean(axis=0)
        stars.append(star)
        legs.append(np.column_stack([np.tile(star, (len(buses), 1)), places[buses]]))
        branches += [branch] * len(buses)
    switches = places[drawn.joined].reshape(-1, 4)
    apart = np.abs(switches[:, :2] - switches[:, 2:]).max(axis=1, initial=0.0) > LEAST_LENGTH
    return MapGeometry(
        (WIDTH, height),
        drawn.buses,
        drawn.feeding,
        np.round(places, 1),
        branches,
        np.asarray(np.round(np.vstack(legs), 1), np.float64),
        np.round(switches[apart], 1),
        list(windings),
        np.round(np.array(stars, np.float64).reshape(-1, 2), 1),
    )


def _apart(places: Reals, ends: NDArray[np.int64]) -> Reals:
    """Return both ends of lines, those between the same buses beside each other, (lines, 4)."""
    first, second = np.sort(ends, axis=1).T
    start, end = places[first], places[second]
    along = end - start
    length = np.linalg.norm(along, axis=1, keepdims=True)
    across = np.column_stack([-along[:, 1], along[:, 0]]) / np.maximum(length, 1e-9)
    pairs = list(zip(first.tolist(), second.tolist(), strict=True))
    count = Counter(pairs)
    seen: Counter[tuple[int, int]] = Counter()
    rank = np.zeros(len(pairs))
    for n, pair in enumerate(pairs):
        rank[n] = seen[pair] - (count[pair] - 1) / 2
        seen[pair] += 1
    gap = np.minimum(APART, length[:, 0] / 4) * rank
    shift = across * gap[:, None]
    return np.column_stack([start + shift, end + shift])
