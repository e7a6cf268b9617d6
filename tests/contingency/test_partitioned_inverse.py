"""Partitioned inverses solve what SuperLU solves, with and without pivots beside the diagonal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from gat_batch.contingency.partitioned_inverse import PartitionedInverse


@pytest.mark.parametrize("kind", ["laplacian", "skewed", "dense", "diagonal"])
def test_solutions_satisfy_the_equations(kind):
    rng = np.random.default_rng(3)
    count = 120
    density = {"dense": 0.9, "diagonal": 0.0}.get(kind, 0.02)
    links = sparse.random(count, count, density, random_state=4)
    links = links + links.T
    if kind == "skewed":
        # Zeros on the diagonal force pivots beside it.
        links = links.multiply(rng.uniform(0.5, 2.0, (count, 1)))
        matrix = (
            links + sparse.diags(np.where(np.arange(count) % 3, 1.0, 0.0)) + sparse.eye(count, k=1)
        )
    else:
        matrix = sparse.diags(np.asarray(links.sum(axis=0)).ravel() + 0.1) - links
    inverse = PartitionedInverse(matrix.tocsc())
    right = sparse.random(count, 30, 0.05, random_state=5, format="csc")
    solutions = inverse.solve_sparse(right)
    assert inverse._good == (kind != "skewed")
    np.testing.assert_allclose(matrix @ solutions, right.toarray(), rtol=0, atol=1e-11)
    one = right[:, 0].toarray().ravel()
    np.testing.assert_allclose(inverse.solve(one), solutions[:, 0], rtol=0, atol=1e-11)
