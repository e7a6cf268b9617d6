"""Histograms with edges at round numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

BINS = 40
STEPS = (1, 2, 2.5, 5, 10)


@dataclass
class Histogram:
    """How often values occur, between edges at round numbers.

    Attributes:
        edges: edges of the bins, ascending, shape (bins + 1,); a value on one counts above it.
        counts: kind of element -> number of values in each bin, shape (bins,).
    """

    edges: NDArray[np.float64]
    counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def add(self, kind: str, values: NDArray[np.float64]) -> None:
        """Count the values of a kind of element, leaving out those that aren't finite."""
        values = values[np.isfinite(values)]
        if len(values):
            found = np.searchsorted(self.edges, values, side="right") - 1
            counted = np.bincount(
                np.clip(found, 0, len(self.edges) - 2), minlength=len(self.edges) - 1
            )
            self.counts[kind] = self.counts.get(kind, np.zeros_like(counted)) + counted


def round_edges(low: float, high: float) -> NDArray[np.float64]:
    """Return the edges of about :data:`BINS` bins, round numbers that enclose a range."""
    # Values that are all the same still get bins that one can read.
    raw = max(high - low, 0.05 * abs(high), 1e-6) / BINS
    power = 10.0 ** np.floor(np.log10(raw))
    step = power * next(step for step in STEPS if step * power >= raw * (1 - 1e-9))
    first, last = np.floor(low / step + 1e-9), np.floor(high / step + 1e-9) + 1
    # Rounded, so that an edge is the number that is written: 0.95, not 0.9500000000000001.
    edges: NDArray[np.float64] = np.round(np.arange(first, last + 1) * step, 9)
    return edges


def histogram_of(elements: pd.DataFrame, *, from_zero: bool) -> Histogram | None:
    """Make an empty histogram that has room for the values of elements.

    Args:
        elements: rows of the table of elements.
        from_zero: whether it begins at zero, and not at the lowest value.

    Returns:
        The histogram; None if nothing was computed.
    """
    seen = elements.dropna(subset=["min"])
    if not len(seen):
        return None
    low = 0.0 if from_zero else float(seen["min"].min())
    return Histogram(round_edges(low, float(seen["max"].max())))


def spread_of(values: pd.Series) -> Histogram:
    """Return how often the values of scenarios occur, those that are missing left out."""
    known = values.dropna().to_numpy(float)
    found = Histogram(round_edges(float(known.min()), float(known.max())))
    found.add("scenario", known)
    return found
