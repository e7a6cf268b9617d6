"""Random quantities: which keys go together, and how numbers from 0 to 1 become values.

Every distribution is drawn by its inverse, so that plain random numbers, Latin hypercubes and Sobol
points will all do: they only fill the unit cube in different ways.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import betaincinv, ndtr, ndtri

from ..files.words import nearest
from .loadability import shares
from .tables.impedances import BRANCHES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

INJECTIONS = ("load", "gen", "sgen")
OUTAGES = ("line", "trafo", "trafo3w", "gen", "sgen", "load")
SCALARS = ("load_scale", "gen_scale")

PARAMETERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "normal": (("std",), ("mean",)),
    "lognormal": (("std",), ("mean",)),
    "uniform": (("low", "high"), ()),
    "triangular": (("low", "mode", "high"), ()),
    "beta": (("alpha", "beta"), ("low", "high")),
    "weibull": (("shape", "scale"), ("cut_in", "rated", "cut_out")),
    "empirical": (("file", "column"), ("low", "high")),
}
"""Keys of each distribution: those it needs, and those it can do without."""

OF_ELEMENTS = ("correlation", "covariance", "each", "power", "keep_total", "set")
"""Keys that mean something to factors on elements alone."""

_ALL = sorted({key for pair in PARAMETERS.values() for keys in pair for key in keys})

_Fault = tuple[str, str | None, str | None]


def quantity_faults(quantity: Mapping[str, Any], scales: Mapping[str, Any]) -> Iterator[_Fault]:
    """Find the faults of a random quantity that has passed the schema.

    Args:
        quantity: its keys.
        scales: name -> factor of the scenario on some elements.

    Yields:
        What is wrong, the key at fault and a hint, the last two if there are any.
    """
    of = quantity["of"]
    if of != "load_scale":
        for key in shares(quantity):
            yield "is a share of what all loads can be scaled by", key, "it goes with load_scale"
    if "rate" in quantity:
        yield from _outage_faults(quantity)
        return
    if of == "cost":
        yield from _cost_faults(quantity)
        return
    if "impedance" in quantity:
        yield from _impedance_faults(quantity)
        return
    scalar = of in SCALARS or of.startswith("scale.")
    if not scalar and of not in INJECTIONS:
        known = [*INJECTIONS, *SCALARS, "cost", "scale.NAME"]
        hint = nearest(of, known)
        if of in OUTAGES:
            hint = "give a rate, or say which impedance" if of in BRANCHES else "give a rate"
        yield f"{of!r} is nothing to draw factors for", "of", hint
    name = of.removeprefix("scale.")
    if of.startswith("scale.") and name not in scales:
        yield f"there is no scale {name!r}", "of", nearest(name, scales) if scales else None
    yield from _misplaced(quantity, scalar=scalar)
    yield from _distribution_faults(quantity)


def combination_faults(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Find keys of a family that say what its random quantities say already.

    Args:
        values: the keys.

    Yields:
        What is wrong, the key at fault and a hint.
    """
    random = values.get("draws", {}).get("random", {}).values()
    given = {*values, *values.get("sweep", {}), *values.get("zip", {})}
    if "impedances" in given and any("impedance" in one for one in random):
        what = "does not combine with impedances that are drawn"
        yield what, "impedances", "keep one of the two"
    if "costs" in given and any(one["of"] == "cost" for one in random):
        yield "does not combine with costs that are drawn", "costs", "keep one of the two"
    if "load_scale" in given and any(True for one in random for _ in shares(one)):
        what = "does not combine with loads that are drawn up to the loadability limit"
        yield what, "load_scale", "leave it out, as the limit is one of the loads as given"


def _misplaced(quantity: Mapping[str, Any], *, scalar: bool) -> Iterator[_Fault]:
    """Find keys that mean nothing to what the factors are on."""
    of = quantity["of"]
    if scalar:
        for key in ("where", *OF_ELEMENTS):
            if key in quantity:
                yield "is for elements, and this is one number", key, None
    if "set" in quantity and of != "gen":
        yield "is for gens", "set", "factors are for the others"
    for key in ("power", "keep_total"):
        if "set" in quantity and key in quantity:
            yield "is for factors, and this sets values", key, None
    if of == "gen" and "power" in quantity:
        yield "is for loads and sgens: a gen holds its voltage", "power", None
    matrix = quantity.get("covariance", quantity.get("correlation"))
    if "each" in quantity and isinstance(matrix, str):
        yield "goes with one correlation for all pairs", "each", "a matrix is one of elements"
    if "drawn_rate" in quantity:
        yield "is for forced outages", "drawn_rate", "give a rate as well"
    if "permute" in quantity:
        yield "is for costs", "permute", None


def _cost_faults(quantity: Mapping[str, Any]) -> Iterator[_Fault]:
    for key in ("where", *OF_ELEMENTS, "drawn_rate", "impedance"):
        if key in quantity and (key != "correlation" or isinstance(quantity[key], str)):
            yield "does not go with costs", key, None
    if not quantity.get("permute"):
        yield from _distribution_faults(quantity)
        return
    for key in ("distribution", "correlation", *_ALL):
        if key in quantity:
            yield "does not go with permute", key, "draw factors by a quantity of their own"


def _impedance_faults(quantity: Mapping[str, Any]) -> Iterator[_Fault]:
    if quantity["of"] not in BRANCHES:
        hint = f"known are {', '.join(BRANCHES)}"
        yield f"impedances of {quantity['of']!r} are not drawn", "of", hint
    for key in (*OF_ELEMENTS, "drawn_rate", "permute"):
        if key in quantity and key not in ("correlation", "covariance"):
            yield "does not go with impedances", key, None
    yield from _distribution_faults(quantity)


def _outage_faults(quantity: Mapping[str, Any]) -> Iterator[_Fault]:
    if quantity["of"] not in OUTAGES:
        yield f"{quantity['of']!r} has no forced outages", "of", nearest(quantity["of"], [*OUTAGES])
    for key in ("distribution", "impedance", *OF_ELEMENTS, *_ALL):
        if key in quantity:
            yield "does not go with a rate", key, None


def _distribution_faults(quantity: Mapping[str, Any]) -> Iterator[_Fault]:
    kind = quantity.get("distribution", "normal")
    needed, further = PARAMETERS[kind]
    if "covariance" in quantity:
        if kind != "normal" or "correlation" in quantity or "std" in quantity:
            hint = "it stands for std and correlation of normal factors"
            yield "does not go with the other keys", "covariance", hint
        needed = ()
    for key in needed:
        if key not in quantity:
            yield "missing", key, f"a {kind} distribution needs it"
    for key in _ALL:
        if key in quantity and key not in (*PARAMETERS[kind][0], *further):
            yield f"is no parameter of a {kind} distribution", key, None
    if kind == "lognormal" and quantity.get("mean", 1) <= 0:
        yield "must be above 0", "mean", None
    curve = [key for key in ("cut_in", "rated", "cut_out") if key in quantity]
    if kind == "weibull" and 0 < len(curve) < 3:
        yield "is only a part of a power curve", curve[0], "it takes cut_in, rated and cut_out"
    yield from order_faults(quantity)


def order_faults(quantity: Mapping[str, Any]) -> Iterator[_Fault]:
    """Find bounds of a random quantity that are not in ascending order.

    Of those that are shares of a limit nothing is known before it is found. Yields as
    :func:`quantity_faults` does.
    """
    triangular = quantity.get("distribution") == "triangular"
    ordered = ("low", "mode", "high") if triangular else ("low", "high")
    unknown = {*shares(quantity)}
    for keys in (ordered, ("cut_in", "rated", "cut_out")):
        numbers = [quantity[key] for key in keys if key in quantity and key not in unknown]
        if numbers != sorted(numbers) or (len(numbers) > 1 and numbers[0] == numbers[-1]):
            yield f"{', '.join(keys)} are not in ascending order", keys[0], None


def values_of(quantity: Mapping[str, Any], uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn numbers from the unit interval into values of a distribution.

    Args:
        quantity: the distribution and its parameters.
        uniform: numbers above 0 and below 1, of any shape.

    Returns:
        Values, of the same shape.
    """
    given = quantity.get
    values: NDArray[np.float64]
    match quantity.get("distribution", "normal"):
        case "normal":
            values = given("mean", 1.0) + given("std", 1.0) * ndtri(uniform)
        case "lognormal":
            mean = given("mean", 1.0)
            variance = math.log1p((quantity["std"] / mean) ** 2)
            values = mean * np.exp(math.sqrt(variance) * ndtri(uniform) - variance / 2)
        case "uniform":
            values = quantity["low"] + (quantity["high"] - quantity["low"]) * uniform
        case "triangular":
            values = _triangular(quantity["low"], quantity["mode"], quantity["high"], uniform)
        case "beta":
            low, high = given("low", 0.0), given("high", 1.0)
            values = low + (high - low) * betaincinv(quantity["alpha"], quantity["beta"], uniform)
        case "empirical":
            values = _empirical(quantity, uniform)
        case "weibull":
            values = quantity["scale"] * (-np.log1p(-uniform)) ** (1 / quantity["shape"])
            if "rated" in quantity:
                values = _turbine(quantity, values)
        case other:
            raise AssertionError(f"no case draws {other!r}")
    return values


def _triangular(
    low: float, mode: float, high: float, uniform: NDArray[np.float64]
) -> NDArray[np.float64]:
    split = (mode - low) / (high - low)
    rising = low + np.sqrt(uniform * (high - low) * (mode - low))
    falling = high - np.sqrt((1 - uniform) * (high - low) * (high - mode))
    return np.where(uniform < split, rising, falling)


def _empirical(quantity: Mapping[str, Any], uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values that occur, each as likely as the others; from low to high if that is given."""
    known = np.asarray(quantity["values"], np.float64)
    least, most = known[0], known[-1]
    low, high = quantity.get("low", least), quantity.get("high", most)
    drawn = known[(uniform * len(known)).astype(np.int64)]
    share = np.divide(drawn - least, most - least, out=np.zeros_like(drawn), where=most > least)
    spread: NDArray[np.float64] = low + (high - low) * share
    return spread


def _turbine(curve: Mapping[str, Any], speed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of its rated power that a wind turbine gives, from the wind's speed.

    Between cut-in and rated speed it grows with the cube of the wind, as the wind's own power does.
    """
    cut_in, rated = curve["cut_in"], curve["rated"]
    share = (speed**3 - cut_in**3) / (rated**3 - cut_in**3)
    return np.where(speed > curve["cut_out"], 0.0, np.clip(share, 0.0, 1.0))


def on_powers(
    factors: NDArray[np.float64], quantity: Mapping[str, Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return factors of active and of reactive power."""
    power = quantity.get("power", "both")
    ones = np.ones_like(factors)
    return ones if power == "reactive" else factors, ones if power == "active" else factors


def with_total_kept(factors: NDArray[np.float64], p_mw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return factors that leave the sum of active power as it is.

    Args:
        factors: shape (draws, elements).
        p_mw: active power of the elements as given, in MW, shape (elements,).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        kept: NDArray[np.float64] = factors * (p_mw.sum() / (factors * p_mw).sum(axis=1))[:, None]
    return kept


def uniform_of(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn standard normal numbers into numbers between 0 and 1: margins of a Gaussian copula."""
    uniform: NDArray[np.float64] = np.clip(ndtr(normal), np.finfo(float).tiny, 1 - 2**-53)
    return uniform
