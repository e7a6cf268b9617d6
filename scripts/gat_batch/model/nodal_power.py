"""Power that elements draw or inject at one bus, whatever its voltage, by pandapower's formulas.

Compare ``pandapower.build_bus``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]

SIGN = {
    "load": 1.0,
    "sgen": -1.0,
    "storage": 1.0,
    "motor": 1.0,
    "ward": 1.0,
    "xward": 1.0,
    "asymmetric_load": 1.0,
    "asymmetric_sgen": -1.0,
}
"""Elements with a given power: 1 where their tables count what they draw, -1 what they inject."""

AC_ONLY = ("asymmetric_load", "asymmetric_sgen")
"""Elements that pandapower's DC power flow leaves out of its equations, though not of its results,
and so do we."""

UNSERVED = ("load", "motor", "asymmetric_load")
"""Elements that count as load where they are cut off; so does a storage that charges."""

PHASES = ("a", "b", "c")


class Read(Protocol):
    """Returns a column of an element's table, NaN where numbers are missing."""

    def __call__(self, element: str, column: str, /) -> NDArray[Any]:
        """Return a column of the element's table."""


def given_power(element: str, read: Read, options: Mapping[str, Any]) -> Complexes:
    """Return the power of elements in MVA, in their table's sign, 0 where out of service.

    Args:
        element: one of :data:`SIGN`.
        read: returns columns of its table.
        options: solver options; ``enforce_p_lims`` and ``enforce_q_lims`` hold static generators
            within their limits.
    """
    if element == "motor":
        power = _motor_power(read)
    elif element in ("ward", "xward"):
        power = read(element, "ps_mw") + 1j * read(element, "qs_mvar")
    elif element.startswith("asymmetric"):
        real = sum(read(element, f"p_{phase}_mw") for phase in PHASES)
        reactive = sum(read(element, f"q_{phase}_mvar") for phase in PHASES)
        power = (real + 1j * reactive) * read(element, "scaling")
    else:
        real, reactive = read(element, "p_mw"), read(element, "q_mvar")
        if element == "sgen" and options.get("enforce_p_lims"):
            real = within(real, read(element, "min_p_mw"), read(element, "max_p_mw"))
        if element == "sgen" and options.get("enforce_q_lims"):
            reactive = within(reactive, read(element, "min_q_mvar"), read(element, "max_q_mvar"))
        power = (real.astype(float) + 1j * reactive) * read(element, "scaling")
    live = read(element, "in_service").astype(bool)
    return np.where(live, power, 0.0).astype(np.complex128)


def within(values: NDArray[Any], low: Reals, high: Reals) -> Reals:
    """Return values held between limits; limits that aren't numbers are none."""
    held: Reals = np.fmin(np.fmax(values.astype(np.float64), low), high)
    return held


def _motor_power(read: Read) -> Complexes:
    share = read("motor", "loading_percent") / 100 * read("motor", "scaling")
    real = read("motor", "pn_mech_mw") / read("motor", "efficiency_percent") * 100 * share
    apparent = real / read("motor", "cos_phi")
    power: Complexes = real + 1j * np.sqrt(apparent**2 - real**2)
    return power
