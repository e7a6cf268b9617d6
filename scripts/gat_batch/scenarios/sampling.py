"""Draws: points of the unit cube, by chance or by design, and what random quantities make of them.

Every number has an address: seed, name of the quantity, draw and position. Adding a quantity, a
draw or a scenario changes no other number; only a Latin hypercube depends on the number of draws,
as it splits every margin into as many parts. Scenarios with the same seed and quantities get the
same numbers, so that chance is not what they differ in.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from ..errors import TableError
from ..files.columns import read_texts
from .profiles import read_profiles
from .quantities import OUTAGES, uniform_of, values_of
from .selection import read_matrix

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from .selection import Elements

Method = Literal["random", "latin_hypercube", "sobol"]

LARGEST_DESIGN = 30_000_000
"""Most numbers of a Latin hypercube, which is made in one piece."""

SMALLEST, LARGEST = 2.0**-54, 1 - 2.0**-53
"""Bounds that keep numbers inside the unit interval, where inverses are finite."""


@dataclass(frozen=True)
class Quantity:
    """A random quantity, with the elements of a grid that it concerns.

    Attributes:
        name: its name.
        entry: its keys.
        positions: positions of these elements, shape (elements,); empty for a parameter.
        root: matrix that correlates standard normal numbers, shape (elements, elements); or one
            correlation for all pairs; or None.
        rates: probabilities of outages, shape (elements,); or None.
        group: number of the factor that each element has, shape (elements,); None if each has one
            of its own.
    """

    name: str
    entry: Mapping[str, Any]
    positions: NDArray[np.int64]
    root: NDArray[np.float64] | float | None = None
    rates: NDArray[np.float64] | None = None
    group: NDArray[np.int64] | None = None

    @property
    def dimensions(self) -> int:
        """How many random numbers a draw takes."""
        factors = len(self.positions) if self.group is None else int(self.group.max()) + 1
        return max(factors, 1) + isinstance(self.root, float)

    def values(self, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn points of the unit cube into factors.

        Args:
            uniform: the points, shape (draws, dimensions).

        Returns:
            The factors, shape (draws, elements), or (draws, 1) for a parameter.
        """
        factors = self._factors(uniform)
        return factors if self.group is None else factors[:, self.group]

    def _factors(self, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.root is None:
            return values_of(self.entry, uniform)
        normal = ndtri(uniform)
        if isinstance(self.root, float):
            shared, own = normal[:, :1], normal[:, 1:]
            normal = np.sqrt(self.root) * shared + np.sqrt(1 - self.root) * own
        else:
            # One sum after the other: the order of a product's sums differs between machines.
            normal = np.einsum("de,fe->df", normal, self.root, optimize=False)
        if "covariance" in self.entry:
            factors: NDArray[np.float64] = self.entry.get("mean", 1.0) + normal
            return factors
        return values_of(self.entry, uniform_of(normal))

    def outages(
        self, uniform: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Turn points of the unit cube into forced outages.

        Args:
            uniform: the points, shape (draws, dimensions).

        Returns:
            Which elements are out, shape (draws, elements); weights of the draws, shape (draws,),
            which make up for outages drawn more often than they happen.
        """
        assert self.rates is not None  # noqa: S101 - the caller looked
        drawn = np.where(self.rates > 0, self.entry.get("drawn_rate", self.rates), 0.0)
        out = uniform < drawn
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(out, self.rates / drawn, (1 - self.rates) / (1 - drawn))
        return out, np.where(self.rates == drawn, 1.0, ratio).prod(axis=1)


@dataclass
class Design:
    """Points of the unit cube for a number of draws.

    Attributes:
        method: how they fill the cube.
        seed: start of all random numbers.
        count: number of draws.
        dimensions: quantity -> how many numbers a draw takes.
    """

    method: Method
    seed: int
    count: int
    dimensions: Mapping[str, int]
    _cubes: dict[str, NDArray[np.float64]] = field(default_factory=dict, init=False)

    def fault(self) -> str | None:
        """Return why such points can't be made, or None if they can."""
        total = sum(self.dimensions.values())
        if self.method == "sobol" and total > qmc.Sobol.MAXDIM:
            return f"Sobol points have {qmc.Sobol.MAXDIM} dimensions at most, not {total}"
        if self.method == "latin_hypercube" and total * self.count > LARGEST_DESIGN:
            return f"a Latin hypercube of {self.count} draws of {total} numbers is too large"
        return None

    def points(self, first: int, last: int) -> dict[str, NDArray[np.float64]]:
        """Return the random numbers of some draws.

        Args:
            first: the first draw, from 0.
            last: the draw after the last one.

        Returns:
            Quantity -> numbers above 0 and below 1, shape (last - first, dimensions).
        """
        make = {
            "random": self._random,
            "latin_hypercube": self._latin_hypercube,
            "sobol": self._sobol,
        }[self.method]
        return {name: np.clip(cube, SMALLEST, LARGEST) for name, cube in make(first, last).items()}

    def _random(self, first: int, last: int) -> dict[str, NDArray[np.float64]]:
        return {
            name: np.stack(
                [generator(self.seed, name, draw).random(size) for draw in range(first, last)]
            )
            for name, size in self.dimensions.items()
        }

    def _latin_hypercube(self, first: int, last: int) -> dict[str, NDArray[np.float64]]:
        for name, size in self.dimensions.items():
            if name not in self._cubes:
                rng = generator(self.seed, name)
                self._cubes[name] = qmc.LatinHypercube(d=size, rng=rng).random(self.count)
        return {name: self._cubes[name][first:last] for name in self.dimensions}

    def _sobol(self, first: int, last: int) -> dict[str, NDArray[np.float64]]:
        # Shifted digit by digit and not scrambled by scipy, whose scrambling of one dimension
        # depends on how many there are.
        engine = qmc.Sobol(d=sum(self.dimensions.values()), scramble=False)
        if first:
            engine.fast_forward(first)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a forecast tells of it
            digits = np.ldexp(engine.random(last - first), 53).astype(np.uint64)
        cubes, start = {}, 0
        for name, size in self.dimensions.items():
            shift = generator(self.seed, name).integers(2**53, size=size, dtype=np.uint64)
            cubes[name] = np.ldexp((digits[:, start : start + size] ^ shift).astype(float), -53)
            start += size
        return cubes


def generator(seed: int, name: str, *draw: int) -> np.random.Generator:
    """Return the random numbers of an address: a seed, a name, the number of a draw, and so on."""
    words = np.frombuffer(hashlib.sha256(name.encode()).digest()[:16], np.uint32).tolist()
    # The seed's length goes first: it may be of one word or of two.
    entropy = [seed >> 32, seed & 0xFFFFFFFF, *words, *draw]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


def quantity_on(
    elements: Elements | None, name: str, entry: Mapping[str, Any], folder: Path
) -> Quantity:
    """Make a random quantity, with the elements of a grid that it concerns.

    Args:
        elements: the grid's elements; None will do for parameters.
        name: its name.
        entry: its keys, as specified.
        folder: where its files lie.

    Raises:
        GatBatchError: if elements or files are at fault.
    """
    of = entry["of"]
    if entry.get("distribution") == "empirical":
        values = read_profiles(folder / entry["file"]).factors(entry["column"])[0]
        entry = {**entry, "values": np.sort(values)}
    if of not in (*OUTAGES, "gen", "sgen", "load"):
        return Quantity(name, entry, np.array([], dtype=np.int64))
    assert elements is not None  # noqa: S101 - the caller reads the grid for these
    chosen = elements.chosen(of, entry.get("where"))
    rate = entry.get("rate")
    if isinstance(rate, str):
        positions, rates = _read_rates(folder / rate, elements, of)
        kept = np.isin(positions, chosen)
        return Quantity(name, entry, positions[kept], rates=rates[kept])
    if rate is not None:
        return Quantity(name, entry, chosen, rates=np.full(len(chosen), float(rate)))
    correlation = entry.get("covariance", entry.get("correlation"))
    if isinstance(correlation, str):
        positions, matrix = read_matrix(folder / correlation, elements, of)
        if not np.isin(positions, chosen).all() or len(positions) < len(chosen) > 0:
            what = f"its {of}s are not those that {name} is about"
            raise TableError(what, file=folder / correlation, field=of)
        if "covariance" not in entry and not np.allclose(np.diag(matrix), 1):
            what = "is no matrix of correlations: its diagonal is not 1"
            raise TableError(what, file=folder / correlation)
        return Quantity(name, entry, positions, _root(matrix, folder / correlation))
    root = None if correlation is None else float(correlation)
    group = None
    if "each" in entry:
        _, group = np.unique(elements.groups(of, entry["each"])[chosen], return_inverse=True)
    elif entry.get("set") == "vm_pu":
        # Generators at one bus hold one voltage.
        _, group = np.unique(elements.buses_of(of)[chosen], return_inverse=True)
    return Quantity(name, entry, chosen, root, group=group)


def _root(matrix: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    """Return a matrix whose product with its transpose is the one given."""
    root: NDArray[np.float64]
    try:
        root = np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(matrix)
    else:
        return root
    if values.min() < -1e-9 * max(values.max(), 1e-300):
        hint = "a matrix of covariances or correlations has no negative eigenvalues"
        raise TableError(f"has the eigenvalue {values.min():.3g}", file=path, hint=hint)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    return root


def _read_rates(
    path: Path, elements: Elements, element: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    positions, rates = [], []
    for number, (label, text) in enumerate(read_texts(path, (element, "rate")), 2):
        try:
            rate = float(text)
        except ValueError:
            rate = np.nan
        if not 0 <= rate <= 1:
            raise TableError(f"row {number}: {text!r} is no probability", file=path, field="rate")
        positions.append(elements.index.position(element, label))
        rates.append(rate)
    order = np.argsort(positions, kind="stable")
    if len(set(positions)) < len(positions) or not positions:
        raise TableError("names an element twice, or none", file=path, field=element)
    return np.array(positions, dtype=np.int64)[order], np.array(rates)[order]
