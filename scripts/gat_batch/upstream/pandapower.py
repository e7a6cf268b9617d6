"""What pandapower 3.5 needs to run on the scipy that is installed; its inner names stand here only.

Its AC optimal power flow takes the conjugate transpose of a sparse matrix by the attribute ``H``,
which scipy removed from ``csr_matrix`` in 1.14. It does so only where flows are limited by power
(``OPF_FLOW_LIM`` 0), and whether or not there is numba.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pandapower.pypower import d2ASbr_dV2 as flow_derivatives
from scipy.sparse import csr_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


class _WithAdjoint(csr_matrix):  # type: ignore[misc] # scipy has no types
    """A sparse matrix that has its conjugate transpose as the attribute ``H``."""

    @property
    def H(self) -> Any:  # noqa: N802 - the name that pandapower uses
        return self.conj().T


@contextmanager
def power_limits_on_new_scipy() -> Iterator[None]:
    """Let ``runopp`` limit flows by power meanwhile."""
    original = flow_derivatives.d2Sbr_dV2

    def with_adjoint(
        ends: Any, admittance: Any, voltage: NDArray[Any], multipliers: NDArray[Any]
    ) -> Any:
        return original(ends, _WithAdjoint(admittance), voltage, multipliers)

    flow_derivatives.d2Sbr_dV2 = with_adjoint
    try:
        yield
    finally:
        flow_derivatives.d2Sbr_dV2 = original
