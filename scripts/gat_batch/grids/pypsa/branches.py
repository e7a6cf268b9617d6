"""Lines and transformers as branches of a case.

PyPSA has a transformer's impedances in p.u. of its ``s_nom`` and of its buses' nominal voltages,
the ratio at either side, and the phase shift at ``bus0``. A case has ratio and shift at the
from-bus, so a transformer with its ratio at ``bus1`` is turned round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .standard_types import StandardTypes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .tables import Components

Row = dict[str, object]


def branch_rows(components: Components, buses: Mapping[str, int], base_mva: float) -> list[Row]:
    """Return the branches of a network between some of its buses.

    Args:
        components: the network.
        buses: number of each bus.
        base_mva: base of the p.u. values in MVA.

    Raises:
        GridError: if a parameter is no number, or a type is unknown.
    """
    types = StandardTypes(components)
    with np.errstate(all="ignore"):  # what comes of a division by zero is refused with the case
        rows = [*_lines(components, types, buses, base_mva)]
        first = len(rows)
        rows += _transformers(components, types, buses, base_mva)
    return [
        {**row, "id": position, "index": position - (first if row["transformer"] else 0)}
        for position, row in enumerate(rows)
    ]


def _lines(
    components: Components, types: StandardTypes, buses: Mapping[str, int], base_mva: float
) -> Iterator[Row]:
    ends = [components.texts("lines", end) for end in ("bus0", "bus1")]
    kinds = components.texts("lines", "type")
    values = {
        name: components.numbers("lines", name, default)
        for name, default in (
            ("r", 0.0), ("x", 0.0), ("g", 0.0), ("b", 0.0), ("length", 0.0),
            ("num_parallel", 1.0), ("s_nom", 0.0), ("s_max_pu", 1.0),
        )
    }  # fmt: skip
    kv = components.numbers("buses", "v_nom", 1.0)
    on = components.truths("lines", "active", default=True)
    for position, name in enumerate(components.table("lines").index):
        bus0, bus1 = (end.iloc[position] for end in ends)
        if bus0 not in buses or bus1 not in buses:
            continue
        own = {key: column.iloc[position] for key, column in values.items()}
        r, x, b = own["r"], own["x"], own["b"]
        if kinds.iloc[position]:
            r, x, b = types.line(kinds.iloc[position], own["length"], own["num_parallel"])
        base_ohm = kv[bus0] ** 2 / base_mva
        yield {
            "name": name,
            "transformer": False,
            "from_bus": buses[bus0],
            "to_bus": buses[bus1],
            "status": bool(on[position]),
            "r": r / base_ohm,
            "x": x / base_ohm,
            "b": b * base_ohm,
            "g": own["g"] * base_ohm,
            "tap": 0.0,
            "shift_degree": 0.0,
            "rate_a": own["s_nom"] * own["s_max_pu"],
        }


def _transformers(
    components: Components, types: StandardTypes, buses: Mapping[str, int], base_mva: float
) -> Iterator[Row]:
    kind = "transformers"
    ends = [components.texts(kind, end) for end in ("bus0", "bus1")]
    type_names = components.texts(kind, "type")
    models = components.texts(kind, "model", "t")
    values = {
        name: components.numbers(kind, name, default)
        for name, default in (
            ("r", 0.0), ("x", 0.0), ("g", 0.0), ("b", 0.0), ("s_nom", 0.0), ("s_max_pu", 1.0),
            ("num_parallel", 1.0), ("tap_ratio", 1.0), ("tap_side", 0.0), ("tap_position", 0.0),
            ("phase_shift", 0.0),
        )
    }  # fmt: skip
    on = components.truths(kind, "active", default=True)
    for position, name in enumerate(components.table(kind).index):
        pair = [end.iloc[position] for end in ends]
        if not set(pair) <= set(buses):
            continue
        own = {key: column.iloc[position] for key, column in values.items()}
        if type_names.iloc[position]:
            parallel, tap = own["num_parallel"], own["tap_position"]
            own |= types.transformer(type_names.iloc[position], parallel, tap)
        z, y = complex(own["r"], own["x"]), complex(own["g"], own["b"])
        if models.iloc[position] == "t" and y:
            z, y = _as_pi(z, y)
        # 1 at ``bus1``: the same circuit seen from there.
        turned = own["tap_side"] == 1
        start, end = reversed(pair) if turned else pair
        scale = base_mva / np.float64(own["s_nom"])
        yield {
            "name": name,
            "transformer": True,
            "from_bus": buses[start],
            "to_bus": buses[end],
            "status": bool(on[position]),
            "r": z.real * scale,
            "x": z.imag * scale,
            "b": y.imag / scale,
            "g": y.real / scale,
            "tap": own["tap_ratio"],
            "shift_degree": -own["phase_shift"] if turned else own["phase_shift"],
            "rate_a": own["s_nom"] * own["s_max_pu"],
        }


def _as_pi(z: complex, y: complex) -> tuple[complex, complex]:
    """Return series impedance and shunt admittance of the pi circuit that equals a T circuit."""
    return z + z**2 * y / 4, 2 / (2 / y + z / 2)
