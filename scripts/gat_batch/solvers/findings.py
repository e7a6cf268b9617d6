"""What remains of solved contingencies: their system figures and their violations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .mapping import branches_of
from .ratings import SQRT3, WINDINGS, by_power, ratings
from .readout import BRANCHES, DIGITS, cut_off

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..model import Model
    from ..violations import Limits
    from .arrays import Arrays
    from .contingent import Contingent
    from .fast import Demand

    Rows = NDArray[np.integer[Any]]
    Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Violations:
    """Elements of one kind in violation, in a block of contingencies.

    Attributes:
        number: contingency of each, ascending.
        position: its position in its table.
        quantities: quantity -> values.
        lossless: whether what flows into branches flows out of them: ``p_to_mw`` and ``pl_mw`` are
            left out then, as there are so many and they go from process to process.
    """

    number: Rows
    position: Rows
    quantities: Mapping[str, Reals]
    lossless: bool = False

    def values(self, quantity: str) -> Reals | None:
        """Values of a quantity, None if there are none."""
        if self.lossless and quantity == "p_to_mw":
            return -self.quantities["p_from_mw"]
        if self.lossless and quantity == "pl_mw":
            return np.zeros(len(self.number))
        return self.quantities.get(quantity)


@dataclass(frozen=True)
class Findings:
    """What remains of a block of contingencies.

    Attributes:
        system: column of the system rows -> a value for each contingency.
        violations: element -> those in violation.
    """

    system: dict[str, Any]
    violations: dict[str, Violations]

    def only(self, kept: Rows) -> Findings:
        """What remains of some of the contingencies, by their numbers, ascending."""
        violations = {}
        for element, found in self.violations.items():
            mine = np.isin(found.number, kept)
            violations[element] = Violations(
                np.searchsorted(kept, found.number[mine]),
                found.position[mine],
                {name: values[mine] for name, values in found.quantities.items()},
                found.lossless,
            )
        system = {name: [values[n] for n in kept] for name, values in self.system.items()}
        return Findings(system, violations)


class Reduction:
    """Reduces contingencies of one state; what AC and DC have in common.

    Args:
        model: the model.
        arrays: the equations, with nothing taken out of them.
        demand: what the state asks of them.
        limits: what counts as a violation.
        trafo_loading: what a transformer's loading refers to: ``current`` or ``power``.
    """

    def __init__(
        self, model: Model, arrays: Arrays, demand: Demand, limits: Limits, trafo_loading: str
    ) -> None:
        self._model, self._arrays, self._demand = model, arrays, demand
        self._limit = limits.most_percent
        self._by_power = by_power(arrays, trafo_loading)
        percent = ratings(model.net, arrays, trafo_loading)
        self._percent = np.where(arrays.supplied[arrays.ends], percent, np.nan)
        self._ampere = 1.0 / (arrays.kv[arrays.ends] * SQRT3)
        self._places = {element: branches_of(arrays, element) for element in BRANCHES}
        # Whether power into an end of a branch counts as loss.
        self._counted = np.zeros((len(arrays.ends), 2))
        for element in ("line", "trafo", "impedance"):
            self._counted[slice(*arrays.span.get(element, (0, 0)))] = 1.0
        for winding, (_, end) in enumerate(WINDINGS):
            if len(self._places["trafo3w"]):
                self._counted[self._places["trafo3w"][:, winding], end] = 1.0
        self._load = self._at_rows("load", demand.load.real)
        sgen = self._at_rows("sgen", demand.sgen.real)
        self._generation = self._at_rows("gen", demand.gen) + sgen
        self._need = demand.bus.real + sgen
        self._could_be_lost = demand.bus_in & ~model.cut_off
        rows = arrays.row["bus"][self._could_be_lost]
        self._buses = np.bincount(rows[rows < arrays.buses], minlength=arrays.buses)
        self._lost_before = int((rows >= arrays.buses).sum())
        row, branch = arrays.ends.T.ravel(), np.tile(np.arange(len(arrays.ends)), 2)
        begin = np.searchsorted(np.sort(row), np.arange(len(arrays.kv) + 1))
        self._incident = begin, branch[np.argsort(row, kind="stable")]

    def _at_rows(self, element: str, power: Reals) -> Reals:
        rows = self._arrays.row[element]
        here = rows < self._arrays.buses
        sums = np.bincount(rows[here], power[here], minlength=self._arrays.buses)
        return sums.astype(np.float64)

    def _lost(self, block: Sequence[Contingent]) -> tuple[Rows, Rows]:
        """Rows that contingencies cut off: contingency and row of each."""
        dead = [one.cut.dead for one in block]
        number = np.repeat(np.arange(len(block)), [len(rows) for rows in dead])
        return number, np.concatenate(dead)

    def _out(
        self, block: Sequence[Contingent], lost: tuple[Rows, Rows]
    ) -> tuple[tuple[Rows, Rows], tuple[Rows, Rows]]:
        """Branches that carry nothing, and those among them that are not supplied.

        Returns:
            Contingency and branch of each, twice; some may be there more than once.
        """
        live, (begin, branch) = self._arrays.live, self._incident
        number, row = lost
        count = begin[row + 1] - begin[row]
        number = np.repeat(number, count)
        place = branch[
            np.arange(len(number)) + np.repeat(begin[row] - count.cumsum() + count, count)
        ]
        stubs = [(n, live[p]) for n, one in enumerate(block) for p, _ in one.cut.hanging]
        if stubs:
            which, line = np.array(stubs).T
            all_lines = len(self._arrays.ends)
            kept = ~np.isin(number * all_lines + place, which * all_lines + line)
            number, place = number[kept], place[kept]
        gone = [(n, p) for n, one in enumerate(block) for p in one.branches]
        which, own = np.array(gone, np.int64).reshape(-1, 2).T
        still = np.concatenate([which, number]), np.concatenate([live[own], place])
        return still, (number, place)

    def _branch_figures(
        self, loading: Reals
    ) -> tuple[dict[str, Any], dict[str, tuple[Rows, Rows]]]:
        """The worst loading of each contingency, and where loading is above the limit."""
        count = len(loading)
        worst = np.full(count, -np.inf)
        name = np.full(count, None, object)
        over: dict[str, tuple[Rows, Rows]] = {}
        for element, places in self._places.items():
            if not len(places):
                continue
            values = loading[:, places[0, 0] : places[-1, -1] + 1]
            if places.shape[1] > 1:
                values = values.reshape(count, places.shape[1], -1).max(axis=1)
            found, value = highest(values)
            better = np.round(value, DIGITS) > np.round(worst, DIGITS)
            worst[better] = value[better]
            ids = self._model.ids[element][found[better]]
            name[better] = [f"{element}:{number}" for number in ids.tolist()]
            # Much faster than asking numpy for rows and columns. Few bytes go through pipes faster.
            cells = np.flatnonzero(values > self._limit)
            if len(cells):
                rows = np.divmod(cells, values.shape[1])
                over[element] = rows[0].astype(np.int32), rows[1].astype(np.int32)
        worst[np.isneginf(worst)] = np.nan
        return {"max_loading_percent": worst, "max_loading_element": name}, over

    def _sums(
        self,
        block: Sequence[Contingent],
        lost: tuple[Rows, Rows],
        loss: Reals,
        drawn: Reals | float,
    ) -> dict[str, Any]:
        """Sums over what is still supplied, in MW, and the statuses that follow.

        Args:
            block: the contingencies.
            lost: rows that they cut off, as from :meth:`_lost`.
            loss: losses of branches.
            drawn: what branches and shunts draw in all.
        """
        demand, arrays = self._demand, self._arrays
        off = [
            np.bincount(lost[0], values[lost[1]], minlength=len(block))
            for values in (self._load, self._need, self._generation, self._buses)
        ]
        load = float(demand.load.real.sum()) - off[0]
        need = float(self._need.sum()) - off[1]
        unserved = demand.unserved_mw + off[0]
        lost_generation = demand.lost_generation_mw + off[2]
        buses = self._lost_before + off[3].astype(np.int64)
        for number, one in enumerate(block):
            buses[number] -= int(self._could_be_lost[list(one.buses)].sum())
            for position in one.loads:
                power = float(demand.load[position].real)
                if int(arrays.row["load"][position]) in one.lost_rows:
                    unserved[number] -= power
                else:
                    load[number] -= power
                    need[number] -= power
            for element, positions in (("gen", one.gens), ("sgen", one.sgens)):
                power_of = demand.gen if element == "gen" else demand.sgen.real
                for position in positions:
                    if int(arrays.row[element][position]) in one.lost_rows:
                        lost_generation[number] -= float(power_of[position])
        return {
            "status": ["islanded" if cut else "ok" for cut in buses],
            "detail": [cut_off(int(cut)) for cut in buses],
            "load_mw": load,
            "generation_mw": need + drawn,
            "loss_mw": loss,
            "unserved_mw": unserved,
            "lost_generation_mw": lost_generation,
        }


def highest(values: Reals) -> tuple[Rows, Reals]:
    """The highest value of each row, NaN aside; of values that agree in DIGITS the first one.

    Args:
        values: shape (rows, columns).

    Returns:
        Its column and the value, NaN in rows that have no value.
    """
    top = values.max(axis=1)
    # Asking for the highest number aside from NaN takes much longer.
    some = np.flatnonzero(np.isnan(top))
    top[some] = np.fmax.reduce(values[some], axis=1)
    near = values >= top[:, None] - 2.0 * 10.0**-DIGITS
    found: Rows = near.argmax(axis=1)
    every = np.arange(len(values))
    first = values[every, found]
    for row in np.flatnonzero(np.round(first, DIGITS) < np.round(top, DIGITS)):
        found[row] = np.nanargmax(np.round(values[row], DIGITS))
    return found, np.where(np.isnan(top), np.nan, values[every, found])
