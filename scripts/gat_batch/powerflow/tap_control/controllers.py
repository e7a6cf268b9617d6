"""Discrete tap controllers, as pandapower's ``DiscreteTapControl`` steps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...grids.tap_controllers import TABLE

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from ...model.admittance_model import AdmittanceModel
    from ..injections.state_columns import Columns

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]
    Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class TapControllers:
    """Controllers at work in a state, one a transformer, all of shape (controllers,).

    Attributes:
        element: ``trafo`` or ``trafo3w``.
        position: position of the transformer in its table.
        row: row of the bus whose voltage is held.
        low, high: band in p.u.
        rising: 1 where a higher tap raises that voltage, -1 where it lowers it.
        tap: position of the tap as given.
        tap_min, tap_max: its limits.
        level: controllers of a level settle before those of the next one step.
    """

    element: NDArray[np.str_]
    position: Rows
    row: Rows
    low: Reals
    high: Reals
    rising: Reals
    tap: Reals
    tap_min: Reals
    tap_max: Reals
    level: Reals

    def steps(self, tap: Reals, vm_pu: Reals) -> Reals:
        """Return by how much each tap moves: -1, 0 or 1; never beyond its limits.

        Args:
            tap: positions of the taps.
            vm_pu: voltages that are held, NaN where nothing is supplied.
        """
        with np.errstate(invalid="ignore"):
            wanted = np.where(vm_pu < self.low, 1.0, np.where(vm_pu > self.high, -1.0, 0.0))
        wanted = wanted * self.rising
        stuck = ((wanted < 0) & (tap <= self.tap_min)) | ((wanted > 0) & (tap >= self.tap_max))
        return np.where(stuck, 0.0, wanted)


def has_controllers(column: Columns) -> bool:
    """Return whether a grid has tap controllers at all."""
    return TABLE in column.net and len(column.net[TABLE]) > 0


def controllers_of(admittances: AdmittanceModel, column: Columns) -> TapControllers | str:
    """Return the controllers that are at work in a state.

    Args:
        admittances: the equations of its topology.
        column: the state.

    Returns:
        The controllers, or why pandapower has to step them.
    """
    net = column.net
    table: pd.DataFrame = net[TABLE]
    table = table[table["in_service"].to_numpy(bool)]
    if (table["kind"] != "discrete").any():
        return "it has tap controllers that aren't discrete"
    if table.duplicated(["element", "index"]).any():
        return "several tap controllers are at one transformer"
    fed = net.ext_grid["bus"][column("ext_grid", "in_service").astype(bool)].to_numpy()
    sizes = table.groupby("controller")["index"].transform("size").to_numpy()
    rows: list[dict[str, Any]] = []
    for entry, size in zip(table.itertuples(index=False), sizes, strict=True):
        element = str(entry.element)
        trafo = net[element]
        at = trafo.index.get_loc(entry.index)
        bus = trafo[f"{entry.side}_bus"].iloc[at]
        if not column(element, "in_service")[at] or bus in fed:
            if size > 1:
                return "a tap controller is at several transformers of which some are out"
            continue
        own = {name: float(trafo[name].iloc[at]) for name in ("tap_pos", "tap_min", "tap_max")}
        step, degree = (float(trafo[f"tap_step_{unit}"].iloc[at]) for unit in ("percent", "degree"))
        if not np.isfinite([*own.values(), step]).all():
            return "a tap controller is at a transformer without a tap"
        sign = (1 if trafo["tap_side"].iloc[at] == "hv" else -1) * (-1 if entry.side == "hv" else 1)
        turned = np.sign(np.cos(np.radians(degree))) if np.isfinite(degree) else 1.0
        rows.append({
            "element": element, "position": at, "row": admittances.row["bus"][
                net.bus.index.get_loc(bus)], "low": entry.vm_lower_pu, "high": entry.vm_upper_pu,
            "rising": -sign * (-1 if step < 0 else 1) * (turned or 1.0), "level": entry.level,
            "tap": own["tap_pos"], "tap_min": own["tap_min"], "tap_max": own["tap_max"],
        })  # fmt: skip

    def of(name: str, kind: type) -> NDArray[Any]:
        return np.array([row[name] for row in rows], kind)

    numbers = ("low", "high", "rising", "tap", "tap_min", "tap_max", "level")
    return TapControllers(
        of("element", str),
        of("position", int),
        of("row", int),
        *(of(name, float) for name in numbers),
    )
