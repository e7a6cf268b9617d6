"""Colours that stand for different things can be told apart, also by the colour-blind."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from gat_batch.report.figures import GREY, SERIES
from gat_batch.report.maps.differences import FALLING, RISING
from gat_batch.report.maps.grid_map import COLOURS, OUT

# Machado, Oliveira and Fernandes (2009), full severity, on linear RGB.
SEEN = {
    "by most": np.eye(3),
    "without red cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "without green cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "without blue cones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
) / np.array([[0.9505], [1.0], [1.089]])


def lab(colour, seen):
    """A colour as seen, in CIELAB, where a difference of 2 is just noticed side by side."""
    part = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)]) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    x, y, z = np.cbrt(TO_XYZ @ np.clip(np.array(seen) @ linear, 0, 1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
@pytest.mark.parametrize("colours", [COLOURS, (*FALLING, GREY, *RISING)])
def test_the_map_is_read_by_everyone(seen, colours):
    papers = "#ffffff", "#12171d"
    for one, other in combinations((*colours, OUT, *papers), 2):
        if {one, other} != set(papers):
            assert np.linalg.norm(lab(one, seen) - lab(other, seen)) > 20, (one, other)


def test_neighbours_in_a_legend_differ():
    for seen in SEEN.values():
        for one, other in pairwise(SERIES):
            assert np.linalg.norm(lab(one, seen) - lab(other, seen)) > 15
