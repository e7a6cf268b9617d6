"""What an upgrade of lightsim2grid breaks, in a sentence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from gat_batch.upstream.lightsim2grid import klu_newton


def test_newtons_method_takes_admittances_and_rows():
    line = 1 / 0.1j
    bus = sparse.csc_matrix(np.array([[line, -line], [-line, line]]))
    solver = klu_newton()
    start, power = np.ones(2, complex), np.array([0.0, -0.5])
    rows = [np.array(one, np.int32) for one in ([0], [], [1])]
    told = "lightsim2grid's Newton takes other arguments, or hands its voltages over otherwise"
    arguments = (
        bus,
        start.copy(),
        power.astype(complex),
        rows[0],
        np.ones(2),
        *rows[1:],
        10,
        1e-10,
    )
    try:
        converged = solver.compute_pf(*arguments)
    except (TypeError, RuntimeError) as error:
        pytest.fail(f"{told}: {error}")
    voltage = solver.get_V()
    assert converged, told
    assert voltage * np.conj(bus @ voltage) == pytest.approx([0.5 + 0.02506j, -0.5], abs=1e-4), told
    assert solver.get_nb_iter() > 0, told
