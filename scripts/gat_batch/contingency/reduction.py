"""What remains of solved contingencies: their system figures and their violations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.nodal_power import UNSERVED
from ..powerflow.branch_flows import at_branches, branches_of
from ..powerflow.extremes import DIGITS
from ..powerflow.nodal_results import shunt_powers
from ..powerflow.plain.results import CONSUMPTION, cut_off
from ..powerflow.ratings import SQRT3, WINDINGS, by_power, ratings
from ..study.scenario import BRANCHES
from .outage_effect import failing_power

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from ..model.criteria import Criteria
    from ..model.grid_model import GridModel
    from ..powerflow.injections.demand import Demand
    from .outage_effect import OutageEffect

    Rows = NDArray[np.integer[Any]]
    Reals = NDArray[np.float64]

FEW = 32
"""Heavily loaded branches among which the worst of most contingencies is."""


class Reduction:
    """Reduces contingencies of one state; what AC and DC have in common.

    Args:
        model: the model.
        admittances: the equations, with nothing taken out of them.
        demand: what the state asks of them.
        criteria: what counts as a violation, and the ratings that loadings refer to.
        trafo_loading: what a transformer's loading refers to: ``current`` or ``power``.
    """

    def __init__(
        self,
        model: GridModel,
        admittances: AdmittanceModel,
        demand: Demand,
        criteria: Criteria,
        trafo_loading: str,
    ) -> None:
        self._model, self._admittances, self._demand = model, admittances, demand
        self._limit = criteria.limits.most_percent
        self._by_power = by_power(admittances, trafo_loading)
        percent = ratings(model.net, admittances, trafo_loading)
        percent = percent * at_branches(admittances, criteria.share)[:, None]
        self._percent = np.where(admittances.supplied[admittances.ends], percent, np.nan)
        self._ampere = 1.0 / (admittances.kv[admittances.ends] * SQRT3)
        self._places = {element: branches_of(admittances, element) for element in BRANCHES}
        # Branches that are elements.
        own = [places[:, 0] for places in self._places.values() if places.shape[1] == 1]
        self._simple = np.concatenate(own)
        # Whether power into an end of a branch counts as loss.
        self._counted = np.zeros((len(admittances.ends), 2))
        for element in ("line", "trafo", "impedance", "switch"):
            self._counted[slice(*admittances.span.get(element, (0, 0)))] = 1.0
        for winding, (_, end) in enumerate(WINDINGS):
            if len(self._places["trafo3w"]):
                self._counted[self._places["trafo3w"][:, winding], end] = 1.0
        self._failing = failing_power(admittances, demand)
        self._sum_at_rows()
        self._could_be_lost = demand.bus_in & ~model.cut_off
        rows = admittances.row["bus"][self._could_be_lost]
        self._buses = np.bincount(rows[rows < admittances.buses], minlength=admittances.buses)
        self._lost_before = int((rows >= admittances.buses).sum())
        row, branch = admittances.ends.T.ravel(), np.tile(np.arange(len(admittances.ends)), 2)
        begin = np.searchsorted(np.sort(row), np.arange(len(admittances.kv) + 1))
        self._incident = begin, branch[np.argsort(row, kind="stable")]

    def _sum_at_rows(self) -> None:
        """Sum up what elements draw and inject at each row, in MW, all shape (buses,)."""
        admittances, demand = self._admittances, self._demand
        count = admittances.buses
        # Load that is given, shunts at 1 p.u., what all draw net, what can be cut off, DC lines.
        self._load, self._shunt_load, self._unserved, self._generation, self._sent = np.zeros(
            (5, count)
        )
        self._need = demand.bus.real.copy()
        for element, power in demand.power.items():
            own = self._at_rows(element, power.real)
            if element in CONSUMPTION:
                self._load += own
            else:
                self._need += own
                self._generation += own
            if element in UNSERVED:
                self._unserved += own
        if "storage" in demand.power:
            stored = demand.power["storage"].real
            self._unserved += self._at_rows("storage", np.maximum(stored, 0.0))
            self._generation -= self._at_rows("storage", np.minimum(stored, 0.0))
        self._generation += self._at_rows("gen", self._failing["gen"].real)
        for element in ("shunt", "ward", "xward"):
            if element in admittances.row:
                fixed = shunt_powers(self._model, admittances, element)
                self._shunt_load += self._at_rows(element, fixed.real)
        lines = admittances.units.span["dcline"]
        rows = admittances.units.row[lines]
        here = rows < count
        np.add.at(self._sent, rows[here], demand.unit_mw[lines][here])

    def _at_rows(self, element: str, power: Reals) -> Reals:
        rows = self._admittances.row[element]
        here = rows < self._admittances.buses
        sums = np.bincount(rows[here], power[here], minlength=self._admittances.buses)
        return sums.astype(np.float64)

    def _lost(self, block: Sequence[OutageEffect]) -> tuple[Rows, Rows]:
        """Return rows that contingencies cut off: contingency and row of each."""
        dead = [one.cut.dead for one in block]
        number = np.repeat(np.arange(len(block)), [len(rows) for rows in dead])
        return number, np.concatenate(dead)

    def _out(
        self, block: Sequence[OutageEffect], lost: tuple[Rows, Rows]
    ) -> tuple[tuple[Rows, Rows], tuple[Rows, Rows]]:
        """Return branches that carry nothing, and those among them that are not supplied.

        Returns:
            Contingency and branch of each, twice; some may be there more than once.
        """
        live, (begin, branch) = self._admittances.live, self._incident
        number, row = lost
        count = begin[row + 1] - begin[row]
        number = np.repeat(number, count)
        place = branch[
            np.arange(len(number)) + np.repeat(begin[row] - count.cumsum() + count, count)
        ]
        stubs = [(n, live[p]) for n, one in enumerate(block) for p, _ in one.cut.hanging]
        if stubs:
            which, line = np.array(stubs).T
            all_lines = len(self._admittances.ends)
            kept = ~np.isin(number * all_lines + place, which * all_lines + line)
            number, place = number[kept], place[kept]
        gone = [(n, p) for n, one in enumerate(block) for p in one.branches]
        which, own = np.array(gone, np.int64).reshape(-1, 2).T
        still = np.concatenate([which, number]), np.concatenate([live[own], place])
        return still, (number, place)

    def _branch_figures(
        self, count: int, peak: Reals, loading_of: Callable[[Rows], Reals]
    ) -> tuple[dict[str, Any], dict[str, tuple[Rows, Rows, Reals]]]:
        """Return the worst loading of each contingency, and where loading is above the limit.

        Args:
            count: contingencies.
            peak: highest loading of each branch in any of the contingencies in percent, NaN for
                none.
            loading_of: tells the loading of some branches in each contingency in percent, NaN for
                none, shape (contingencies, branches).

        Returns:
            Columns of the system rows; element -> contingency, position and loading of those above
            the limit.
        """
        least = self._least(peak, loading_of)
        worst, name = np.full(count, -np.inf), np.full(count, None, object)
        over: dict[str, tuple[Rows, Rows, Reals]] = {}
        for element, places in self._places.items():
            mine = np.flatnonzero((peak[places] >= least).any(axis=1))
            if not len(mine):
                continue
            values = loading_of(places[mine].ravel())
            values = values.reshape(count, *places[mine].shape).max(axis=2)
            found, value, (number, column) = highest(values, self._limit)
            ids = self._model.ids[element][mine[found]]
            names = np.array([f"{element}:{own}" for own in ids.tolist()], object)
            better = np.round(value, DIGITS) > np.round(worst, DIGITS)
            worst[better], name[better] = value[better], names[better]
            if len(number):
                position = mine[column].astype(np.min_scalar_type(len(places)))
                over[element] = number, position, values[number, column]
        worst[np.isneginf(worst)] = np.nan
        return {"max_loading_percent": worst, "max_loading_element": name}, over

    def _least(self, peak: Reals, loading_of: Callable[[Rows], Reals]) -> float:
        """A loading in percent that branches have to reach once to matter to any contingency.

        It is the limit, or what the heaviest loaded ones already reach in every contingency.
        """
        some = self._simple
        if len(some) > FEW:
            some = some[np.argpartition(-peak[some], FEW)[:FEW]]
        reached = np.fmax.reduce(loading_of(some), axis=1, initial=-np.inf).min()
        return min(self._limit, float(reached) - 2.0 * 10.0**-DIGITS)

    def _sums(
        self,
        block: Sequence[OutageEffect],
        lost: tuple[Rows, Rows],
        loss: Reals,
        drawn: tuple[Reals | float, Reals | float],
    ) -> dict[str, Any]:
        """Return sums over what is still supplied, in MW, and the statuses that follow.

        Args:
            block: the contingencies.
            lost: rows that they cut off, as from :meth:`_lost`.
            loss: losses of branches.
            drawn: what branches and shunts draw in all, and how much of it is load.
        """
        demand, admittances = self._demand, self._admittances
        off = [
            np.bincount(lost[0], values[lost[1]], minlength=len(block))
            for values in (
                self._load,
                self._need,
                self._sent,
                self._unserved,
                self._generation,
                self._buses,
            )
        ]
        load, need, sent = (
            float(values.sum()) - gone
            for values, gone in zip((self._load, self._need, self._sent), off[:3], strict=True)
        )
        unserved = demand.unserved_mw + off[3]
        lost_generation = demand.lost_generation_mw + off[4]
        buses = self._lost_before + off[5].astype(np.int64)
        for number, one in enumerate(block):
            for position in one.failing.get("bus", ()):
                buses[number] -= int(self._could_be_lost[position])
            for position in one.failing.get("load", ()):
                power = float(self._failing["load"][position].real)
                if int(admittances.row["load"][position]) in one.lost_rows:
                    unserved[number] -= power
                else:
                    load[number] -= power
                    need[number] -= power
            for element in ("gen", "sgen"):
                for position in one.failing.get(element, ()):
                    if int(admittances.row[element][position]) in one.lost_rows:
                        lost_generation[number] -= float(self._failing[element][position].real)
        return {
            "status": ["islanded" if cut else "ok" for cut in buses],
            "detail": [cut_off(int(cut)) for cut in buses],
            "load_mw": load + drawn[1],
            "generation_mw": need + drawn[0] - sent,
            "loss_mw": loss - sent,
            "unserved_mw": unserved,
            "lost_generation_mw": lost_generation,
        }


def highest(values: Reals, limit: float = np.inf) -> tuple[Rows, Reals, tuple[Rows, Rows]]:
    """The highest value of each row, NaN aside; of values that agree in DIGITS the first one.

    Args:
        values: shape (rows, columns).
        limit: what other values are asked for as well.

    Returns:
        Its column and the value, NaN in rows that have no value; rows and columns of values above
        the limit, in their order.
    """
    top = np.fmax.reduce(values, axis=1)
    near = top - 2.0 * 10.0**-DIGITS
    # One look at all values for both questions. Much faster than asking numpy for rows and columns.
    cells = np.flatnonzero(values >= np.minimum(near, limit)[:, None])
    row, column = np.divmod(cells.astype(np.uint32), np.uint32(values.shape[1]))
    # Few bytes go from process to process faster.
    row = row.astype(np.min_scalar_type(len(values)))
    value = values[row, column]
    some = np.flatnonzero(value >= near[row])
    some = some[np.round(value[some], DIGITS) >= np.round(top[row[some]], DIGITS)][::-1]
    found = np.zeros(len(values), np.int64)
    # Of several in a row the first one comes last, and stays.
    found[row[some]] = column[some]
    over = value > limit
    return found, values[np.arange(len(values)), found], (row[over], column[over])
