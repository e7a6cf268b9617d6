"""The highest value of each contingency, and all that are above a limit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gat_batch.contingency.block_results import Violations
from gat_batch.contingency.reduction import highest
from gat_batch.powerflow.extremes import DIGITS

HAIR = 10.0**-DIGITS / 10

VALUES = st.one_of(
    st.floats(-200, 200),
    st.sampled_from([100.0, 100.0 + HAIR, 100.0 - HAIR, 0.0, math.nan, math.inf, -math.inf]),
)


@given(
    hnp.arrays(float, st.tuples(st.integers(1, 6), st.integers(1, 8)), elements=VALUES),
    st.sampled_from([100.0, 150.0, -50.0, math.inf]),
)
def test_the_highest_values_are_those_of_a_plain_search(values: np.ndarray, limit: float) -> None:
    column, top, (rows, columns) = highest(np.asfortranarray(values), limit)
    for row, own in enumerate(values):
        known = own[~np.isnan(own)]
        if not len(known):
            assert math.isnan(top[row])
            continue
        best = np.round(known.max(), DIGITS)
        assert column[row] == np.flatnonzero(np.round(own, DIGITS) == best)[0]
        assert top[row] == own[column[row]]
    with np.errstate(invalid="ignore"):
        expected = np.nonzero(values > limit)
    assert rows.tolist() == expected[0].tolist()
    assert columns.tolist() == expected[1].tolist()


def test_many_rows_and_columns_keep_their_numbers() -> None:
    values = np.zeros((300, 700))
    values[299, 699] = values[256, 0] = 120.0
    column, _, (rows, columns) = highest(values, 100.0)
    assert rows.tolist() == [256, 299]
    assert columns.tolist() == [0, 699]
    assert column[[256, 299]].tolist() == [0, 699]


def test_what_follows_from_power_alone_is_worked_out_when_asked_for() -> None:
    per_mw = {"i_ka": np.array([0.1, 0.2]), "loading_percent": np.array([2.0, np.inf])}
    power = {"p_from_mw": np.array([-60.0, 0.0])}
    found = Violations(np.array([0, 3]), np.array([0, 1]), power, per_mw)
    known = {name: found.values(name) for name in ("p_to_mw", "pl_mw", "i_ka", "loading_percent")}
    assert {name: values.tolist() for name, values in known.items() if values is not None} == {
        "p_to_mw": [60.0, 0.0],
        "pl_mw": [0.0, 0.0],
        "i_ka": pytest.approx([6.0, 0.0]),
        "loading_percent": [120.0, math.inf],
    }
    assert found.values("q_from_mvar") is None
