"""Arrays of samples, filled in from what was asked and how it was solved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .rows.inner_rows import fill_voltages
from .sample_arrays import SampleArrays, branch_admittances, branch_flows, summed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .rows.generators import Generators
    from .rows.grid_arrays import Branches, GridArrays
    from .sample import Sample

    Complexes = NDArray[np.complex128]


def arrays_of(
    grid: GridArrays,
    generators: Generators,
    samples: Sequence[Sample],
    asked: tuple[Mapping[str, NDArray[Any]], Branches],
    solved: tuple[Complexes, Complexes, Complexes],
) -> SampleArrays:
    """Return the arrays of samples, without DC solutions and prices.

    Args:
        grid: the rows.
        generators: the generators.
        samples: the samples.
        asked: what :func:`.rows.asked.asked_of` says, with samples first, and parameters of
            branches, likewise.
        solved: demand of rows in MVA and their voltages in p.u., shape (samples, rows), where those
            of inner rows are filled in; what generators feed in, shape (samples, generators).
    """
    (state, branches), (demand, voltage, generation) = asked, solved
    live = state["live"]
    series = (branches.impedance, branches.charging, branches.tap, branches.shift)
    admittance = branch_admittances(live, *series)
    beyond = np.where(live[..., None], branches.beyond, 0.0)
    shunt = state["shunt"] + summed(
        beyond.reshape(len(samples), -1), grid.ends.ravel(), len(grid.kv)
    )
    fill_voltages(grid, voltage, admittance, shunt)
    flow = branch_flows(admittance, grid.ends, voltage) * grid.base_mva
    numbers = [-1 if one.number is None else one.number for one in samples]
    return SampleArrays(
        base_mva=grid.base_mva,
        number=np.array(numbers, np.int64),
        load=np.array([one.load for one in samples], np.int64),
        seconds=np.array([one.seconds for one in samples]),
        kv=grid.kv,
        demand=demand,
        voltage=voltage,
        type=state["type"],
        vm=state["vm"],
        shunt=shunt,
        generator_row=generators.row,
        generation=np.where(state["running"], np.nan_to_num(generation), 0.0),
        running=state["running"],
        p=state["p"],
        q=state["q"],
        cost=state["cost"],
        ends=grid.ends,
        live=live,
        impedance=series[0],
        charging=series[1],
        tap=series[2],
        shift=series[3],
        admittance=admittance,
        beyond=beyond,
        flow=np.where(live[..., None], flow, 0.0),
        rating=state["rating"],
        angle=state["angle"],
    )
