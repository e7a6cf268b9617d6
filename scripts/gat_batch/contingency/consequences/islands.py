"""Islands of a state, and how each balances itself.

Generators change in proportion to the room that their limits leave; where that isn't enough, load
is shed in proportion. An island without a slack has one in its largest generator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from pandapower.topology import connected_components, create_nxgraph

from ...model.nodal_power import AC_ONLY, SIGN, given_power
from ...model.state import Change, State, applied
from ...powerflow.injections.state_columns import Columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...model.grid_model import GridModel
    from ...model.solution import Solution

    Reals = NDArray[np.float64]

BALANCED_MW = 1e-6
"""Imbalance of an island below which it is none."""

Island = frozenset[int]
"""Positions of the buses of an island."""


@dataclass(frozen=True)
class Balanced:
    """A state whose islands are balanced.

    Attributes:
        state: the state.
        islands: its islands.
        shed_mw: load shed so far, in MW.
        own_slack: whether an island has a slack of its own making.
    """

    state: State
    islands: frozenset[Island] = frozenset()
    shed_mw: float = 0.0
    own_slack: bool = False


def islands_of(model: GridModel, state: State) -> frozenset[Island]:
    """Return the islands of a state, by the positions of their buses."""
    with applied(model.net, state):
        graph = create_nxgraph(model.net, include_dclines=False, multi=False)
        groups = [sorted(group) for group in connected_components(graph)]
    place = model.net.bus.index
    return frozenset(frozenset(place.get_indexer(group).tolist()) for group in groups)


class _Balance:
    """Powers of a state in MW by island, and what is changed of them."""

    def __init__(self, model: GridModel, state: State, solution: Solution, *, dc: bool) -> None:
        self.model, self.state = model, state
        self.column = column = Columns(model, state)
        net = model.net
        count = len(net.bus)
        # What is drawn and not to be chosen, by bus; loads apart.
        self.drawn = np.zeros(count)
        for element, sign in SIGN.items():
            if element in ("load", "sgen") or not len(net[element]):
                continue
            if dc and element in AC_ONLY:
                continue
            own = sign * given_power(element, column.numbers, {}).real
            np.add.at(self.drawn, model.position[element], own)
        self.load = given_power("load", column.numbers, {}).real
        self.sgen = given_power("sgen", column.numbers, {}).real
        self.gen = column("gen", "p_mw").astype(float) * column("gen", "scaling").astype(float)
        self.gen_on = column("gen", "in_service").astype(bool)
        self.slack = column.flags("gen", "slack", default=False).copy()
        ext = solution.elements.get("ext_grid", {}).get("p_mw", np.zeros(len(net.ext_grid)))
        self.ext = np.nan_to_num(ext)
        self.ext_on = column("ext_grid", "in_service").astype(bool)
        found = solution.elements.get("gen", {}).get("p_mw")
        if found is not None:  # what a slack among them gives follows from the others
            self.gen = np.where(self.slack, np.nan_to_num(found), self.gen)
        self.keep, self.curtailed = np.ones(len(self.load)), np.ones(len(self.sgen))
        self.shed_mw, self.own_slack = 0.0, False

    def _members(self, element: str, island: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.flatnonzero(np.isin(self.model.position[element], island))

    def balance(self, island: Island, losses_mw: float) -> None:
        """Balance one island."""
        buses = np.array(sorted(island))
        gens, exts = self._members("gen", buses), self._members("ext_grid", buses)
        gens, exts = gens[self.gen_on[gens]], exts[self.ext_on[exts]]
        loads, sgens = self._members("load", buses), self._members("sgen", buses)
        if not len(gens) and not len(exts):
            return
        low, high = (
            np.concatenate(
                [
                    self.column.numbers("gen", f"{end}_p_mw")[gens],
                    self.column.numbers("ext_grid", f"{end}_p_mw")[exts],
                ]
            )
            for end in ("min", "max")
        )
        given = np.concatenate([self.gen[gens], self.ext[exts]])
        # Without a limit a generator keeps to what it gives, and an external grid has none.
        unlimited = np.concatenate([np.zeros(len(gens), bool), np.ones(len(exts), bool)])
        high = np.where(np.isnan(high), np.where(unlimited, np.inf, given), high)
        # Whatever it is given at least, a generator may come down to nothing.
        low = np.where(np.isnan(low), np.where(unlimited, -np.inf, 0.0), np.minimum(low, 0.0))
        given = np.clip(given, low, high)
        need = self.drawn[buses].sum() + losses_mw - self.sgen[sgens].sum()
        missing = need + self.load[loads].sum() - given.sum()
        chosen, left = spread(given, low, high, missing)
        self._give(gens, exts, chosen)
        if left > BALANCED_MW:
            self._shed(loads, left)
        elif left < -BALANCED_MW:
            self._curtail(sgens, -left)
        if not len(exts) and not self.slack[gens].any():
            largest = gens[np.argmax(np.nan_to_num(high[: len(gens)], posinf=0.0))]
            self.slack[largest], self.own_slack = True, True

    def _give(self, gens: NDArray[np.int64], exts: NDArray[np.int64], chosen: Reals) -> None:
        self.gen[gens] = chosen[: len(gens)]
        self.ext[exts] = chosen[len(gens) :]

    def _shed(self, loads: NDArray[np.int64], amount: float) -> None:
        drawing = loads[self.load[loads] > 0]
        total = self.load[drawing].sum()
        share = min(1.0, amount / total) if total else 0.0
        self.keep[drawing] *= 1 - share
        self.shed_mw += share * total

    def _curtail(self, sgens: NDArray[np.int64], amount: float) -> None:
        feeding = sgens[self.sgen[sgens] > 0]
        total = self.sgen[feeding].sum()
        if total:
            self.curtailed[feeding] *= 1 - min(1.0, amount / total)

    def changed(self) -> State:
        """Return the state with all that was changed."""
        net, column = self.model.net, self.column
        changes: list[Change] = []
        if len(net.gen):
            scaling = column("gen", "scaling").astype(float)
            power = np.divide(self.gen, scaling, out=self.gen.copy(), where=scaling != 0)
            changes += [Change("gen", "p_mw", power), Change("gen", "slack", self.slack)]
        for element, share in (("load", self.keep), ("sgen", self.curtailed)):
            if (share != 1).any():
                changes += [
                    Change(element, name, column(element, name).astype(float) * share)
                    for name in ("p_mw", "q_mvar")
                ]
        named = {(one.element, one.column) for one in changes}
        kept = [one for one in self.state.changes if (one.element, one.column) not in named]
        return replace(self.state, changes=(*kept, *changes))


def balanced(
    model: GridModel, before: Balanced, state: State, solution: Solution, *, dc: bool
) -> Balanced:
    """Balance the islands of a state that weren't there before.

    Args:
        model: the model, with no state laid over its network.
        before: the state before, whose islands are balanced.
        state: the state to balance.
        solution: the solution of the state before.
        dc: whether powers are those of a DC power flow, which loses nothing.
    """
    islands = islands_of(model, state)
    fresh = islands - before.islands
    if not fresh:
        return replace(before, state=state, islands=islands)
    work = _Balance(model, state, solution, dc=dc)
    lost = _losses(model, solution)
    for island in sorted(fresh, key=min):
        buses = np.array(sorted(island))
        work.balance(island, float(lost[buses].sum()))
    return Balanced(
        work.changed(),
        islands,
        before.shed_mw + work.shed_mw,
        before.own_slack or work.own_slack,
    )


def _losses(model: GridModel, solution: Solution) -> Reals:
    """Return the losses of branches in MW, half of them at either end's bus, shape (buses,)."""
    net, lost = model.net, np.zeros(len(model.net.bus))
    ends = {"line": ("from_bus", "to_bus"), "trafo": ("hv_bus", "lv_bus")}
    ends |= {"impedance": ("from_bus", "to_bus"), "trafo3w": ("hv_bus", "mv_bus")}
    for element, sides in ends.items():
        loss = np.nan_to_num(solution.elements.get(element, {}).get("pl_mw", np.zeros(0)))
        for side in sides:
            if len(loss):
                place = net.bus.index.get_indexer(net[element][side])
                np.add.at(lost, place, loss / 2)
    return lost


def spread(given: Reals, low: Reals, high: Reals, missing: float) -> tuple[Reals, float]:
    """Spread what is missing over units in proportion to the room that their limits leave.

    Args:
        given: power of each unit in MW.
        low: its least power; where it is infinite, it takes it all, in equal parts.
        high: its most power, likewise.
        missing: power that is missing in MW, less than zero if there is too much.

    Returns:
        The units' power, and what is still missing.
    """
    room = high - given if missing > 0 else given - low
    room = np.maximum(room, 0.0)
    boundless = np.isinf(room)
    if boundless.any():
        share = boundless / boundless.sum()
        return given + missing * share, 0.0
    total = room.sum()
    taken = min(abs(missing), float(total))
    moved = room * (taken / total) if total else np.zeros(len(given))
    sign = 1.0 if missing > 0 else -1.0
    return given + sign * moved, missing - sign * taken
