"""Where to draw the buses of a grid without coordinates: its graph, laid out with little stress.

Stress is the sum over pairs of buses of ((distance drawn - steps between them) / steps)². It is
brought down by majorisation (Gansner, Koren and North 2005) from a start by classical scaling of
the distances to some pivots (Brandes and Pich 2007). Only pairs a few steps apart and pairs with
a pivot count, so that ten thousand buses take seconds; nothing is random.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse.linalg import splu

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Reals = NDArray[np.float64]

PIVOTS = 80
ROUNDS = 80
NEAR = 3
"""Most pivots, rounds of majorisation, and steps up to which all pairs of buses count."""


def bus_positions(count: int, ends: NDArray[np.int64]) -> Reals:
    """Lay out a graph: return positions of its nodes.

    Args:
        count: number of nodes.
        ends: the two nodes that each edge joins, shape (edges, 2).

    Returns:
        Positions in units of an edge's length, shape (nodes, 2). Parts that aren't connected lie
        side by side, the largest first.
    """
    ones = np.ones(len(ends))
    graph = sparse.coo_matrix((ones, (ends[:, 0], ends[:, 1])), (count, count)).tocsr()
    graph = ((graph + graph.T) > 0).astype(float)
    graph.setdiag(0)
    graph.eliminate_zeros()
    _, part = csgraph.connected_components(graph, directed=False)
    order = np.argsort(part, kind="stable")
    borders = [*np.flatnonzero(np.diff(part[order], prepend=-1)), count]
    parts = [order[start:end] for start, end in pairwise(borders)]
    positions = np.zeros((count, 2))
    right = 0.0
    for nodes in sorted(parts, key=len, reverse=True):
        own = _one_part(graph[nodes][:, nodes])
        low, high = own.min(axis=0), own.max(axis=0)
        positions[nodes] = own - (low + high) / 2 + [right - low[0] + (low + high)[0] / 2, 0.0]
        right += high[0] - low[0] + 1.5
    return positions


def _one_part(graph: Any) -> Reals:
    """Lay out a connected graph: return positions of its nodes, shape (nodes, 2)."""
    count = graph.shape[0]
    if count <= 2:
        return np.column_stack([np.arange(count, dtype=float), np.zeros(count)])
    pivots, steps = _pivots(graph)
    start = _scaled(steps)
    # Nodes with the same distances to all pivots would lie on each other for good.
    turn = np.arange(count) * np.pi * (3 - np.sqrt(5))
    start += 0.05 * np.column_stack([np.cos(turn), np.sin(turn)])
    return _majorised(start, *_pairs(graph, pivots, steps))


def _pivots(graph: Any) -> tuple[NDArray[np.int64], Reals]:
    """Return nodes far from each other, and the steps to them, shape (nodes, pivots)."""
    count = graph.shape[0]
    pivots: list[int] = []
    nearest = np.full(count, np.inf)
    columns = []
    following = 0
    for _ in range(min(PIVOTS, count)):
        steps = csgraph.dijkstra(graph, indices=following, unweighted=True)
        pivots.append(following)
        columns.append(steps)
        nearest = np.minimum(nearest, steps)
        following = int(np.argmax(nearest))
    return np.array(pivots), np.column_stack(columns)


def _scaled(steps: Reals) -> Reals:
    """Return positions by classical scaling of distances to pivots, the widest extent first."""
    square = steps**2
    centred = square - square.mean(axis=0) - square.mean(axis=1, keepdims=True) + square.mean()
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, :-3:-1]
    drawn = centred @ axes
    drawn *= np.where(drawn[np.argmax(np.abs(drawn), axis=0), range(2)] < 0, -1.0, 1.0)
    extent = np.sqrt((drawn**2).sum(axis=1).mean())
    return np.asarray(drawn / max(extent, 1e-9) * np.sqrt(square.mean()) / np.sqrt(2))


def _pairs(
    graph: Any, pivots: NDArray[np.int64], steps: Reals
) -> tuple[NDArray[np.int64], NDArray[np.int64], Reals]:
    """Return the pairs of nodes that count, and the steps between them, each of shape (pairs,)."""
    count = graph.shape[0]
    reached = sparse.identity(count, format="csr")
    first, second, apart = [], [], []
    seen = reached
    for step in range(1, NEAR + 1):
        reached = ((reached @ graph) > 0).astype(float)
        new = reached - reached.multiply(seen > 0)
        new.eliminate_zeros()
        seen = seen + new
        pair = sparse.triu(new, 1).tocoo()
        first.append(pair.row)
        second.append(pair.col)
        apart.append(np.full(pair.nnz, float(step)))
    far, column = np.nonzero(steps > NEAR)
    first.append(far)
    second.append(pivots[column])
    apart.append(steps[far, column])
    return np.concatenate(first), np.concatenate(second), np.concatenate(apart)


def _majorised(
    drawn: Reals, first: NDArray[np.int64], second: NDArray[np.int64], apart: Reals
) -> Reals:
    """Improve positions until they have little stress; the first node stays where it is."""
    count = len(drawn)
    weight = apart**-2
    links = sparse.coo_matrix((weight, (first, second)), (count, count))
    links = (links + links.T).tocsr()
    laplacian = sparse.diags(np.asarray(links.sum(axis=1)).ravel()) - links
    solve = splu(laplacian[1:, 1:].tocsc()).solve
    pull = np.asarray(laplacian[1:, :1].todense())
    for _ in range(ROUNDS):
        gap = drawn[first] - drawn[second]
        length = np.sqrt((gap**2).sum(axis=1))
        wanted = gap * (weight * apart / np.maximum(length, 1e-9))[:, None]
        target = np.column_stack(
            [
                np.bincount(first, wanted[:, axis], count)
                - np.bincount(second, wanted[:, axis], count)
                for axis in range(2)
            ]
        )
        drawn = np.vstack([drawn[:1], solve(target[1:] - pull * drawn[0])])
    return drawn
