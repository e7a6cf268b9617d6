"""Points that the AC program may start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..dispatch import Dispatch
    from .program import Form

    Reals = NDArray[np.float64]


def start_of(dispatch: Dispatch, form: Form) -> Reals:
    """A point to start from: the voltages of the grid's power flow, powers amid their limits.

    Angles are unwrapped along branches: a power flow gives them within one turn, and limits on the
    angle across a branch would hold a solver 360 degrees away from where it has to go.
    """
    vm = np.abs(dispatch.admittances.start)
    return _start(dispatch, form, unwrapped(dispatch), vm, _middle(dispatch.units.p))


def start_at(dispatch: Dispatch, form: Form, point: tuple[Reals, Reals] | None) -> Reals:
    """Return a point to start from: 1 p.u. everywhere, at given angles and powers.

    Args:
        dispatch: the snapshot.
        form: what its program consists of.
        point: angles in radians, shape (buses,), and active injections in p.u., shape (units,);
            None for those of the references everywhere and powers amid their limits.
    """
    vm = np.ones(form.buses)
    if point is not None:
        return _start(dispatch, form, point[0], vm, np.clip(point[1], *dispatch.units.p.T))
    first = np.angle(dispatch.admittances.start[dispatch.ref[:1]])
    return _start(dispatch, form, np.full(form.buses, *first), vm, _middle(dispatch.units.p))


def _start(dispatch: Dispatch, form: Form, angle: Reals, vm: Reals, power: Reals) -> Reals:
    units, prices = dispatch.units, dispatch.prices
    injected = np.concatenate([power, _middle(units.q)])
    lines = prices.slope * injected[prices.unit] + prices.offset
    cost = np.full(len(form.priced), -np.inf)
    np.maximum.at(cost, np.searchsorted(form.priced, prices.unit), lines)
    free = injected[form.units + form.free]
    vm = np.clip(vm, *dispatch.vm.T)
    return np.concatenate([angle, vm, injected[: form.units], free, cost])


def unwrapped(dispatch: Dispatch) -> Reals:
    """Return angles of the start, in which no branch of a tree spans more than half a turn.

    The trees grow from the references along the branches that are turned least.

    Returns:
        Angles in radians, shape (buses,); those of the references as they are.
    """
    admittances, kept = dispatch.admittances, dispatch.admittances.solvers
    if "unwrapped" not in kept:
        angle = np.angle(admittances.start)
        ends = dispatch.ends[~admittances.open]
        across = np.abs(_within_half_a_turn(angle[ends[:, 0]] - angle[ends[:, 1]]))
        # A graph has no edges of weight 0, and parallel branches would add up.
        weight = sparse.csr_matrix((1.0 + across, ends.T), (len(angle), len(angle)))
        tree = minimum_spanning_tree(weight)
        for root in dispatch.ref:
            order, before = breadth_first_order(tree, root, directed=False)
            for bus in order[1:]:
                step = _within_half_a_turn(angle[bus] - angle[before[bus]])
                angle[bus] = angle[before[bus]] + step
        kept["unwrapped"] = angle
    angles: Reals = kept["unwrapped"]
    return angles


def _within_half_a_turn(angle: Any) -> Any:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _middle(limits: Reals) -> Reals:
    """Return the middle of limits, or what is nearest to zero where there is none."""
    low, high = limits.T
    bounded = np.isfinite(low) & np.isfinite(high)
    middle = np.where(bounded, low, 0.0) / 2 + np.where(bounded, high, 0.0) / 2
    return np.where(bounded, middle, np.clip(0.0, low, high))
