"""Tap changers: a step in percent where ratios are linear in the position, else a table of steps.

powsybl multiplies the voltage at a side by ``rho`` and turns it by ``alpha``; pandapower divides by
the rated voltage there, so it is 1/rho that has to be linear.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..tap_controllers import COLUMNS, TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .source import Row, Source

STRAIGHT = 1e-9
"""Relative deviation from a straight line up to which ratios are linear in the position."""


@dataclass(frozen=True)
class TapStep:
    """A position of a tap changer.

    Attributes:
        position: its number.
        ratio: factor on the rated voltage at its side.
        degree: angle by which the voltage behind lags more.
        r, x: factors on the series resistance and reactance, relative to the current position.
    """

    position: int
    ratio: float
    degree: float = 0.0
    r: float = 1.0
    x: float = 1.0

    def of(self, ohm: complex) -> complex:
        """Return the impedance at this position by that at the current one."""
        return complex(ohm.real * self.r, ohm.imag * self.x)


@dataclass
class Taps:
    """What a transformer's tap changers become.

    Attributes:
        name: of the transformer.
        side: winding of the tap changer: ``hv``, ``mv`` or ``lv``.
        position: the current one.
        steps: all positions in order; empty without a tap changer that can be moved.
        regulation: columns of a tap controller; None without one.
    """

    name: str
    side: str = "hv"
    position: int = 0
    steps: list[TapStep] = field(default_factory=list)
    regulation: Row | None = None

    @property
    def now(self) -> TapStep:
        """The current position."""
        return next((s for s in self.steps if s.position == self.position), TapStep(0, 1.0))

    @property
    def at_current(self) -> float:
        """Factor on the rated voltage at the current position."""
        return self.now.ratio

    @property
    def angle_at_current(self) -> float:
        """Shift in degrees at the current position."""
        return self.now.degree

    @property
    def straight(self) -> bool:
        """Whether a step in percent says everything."""
        ratio = np.array([step.ratio for step in self.steps])
        rest = [(step.degree, step.r, step.x) for step in self.steps]
        plain = np.allclose(rest, (0.0, 1.0, 1.0), rtol=0, atol=STRAIGHT)
        line = np.linspace(ratio[0], ratio[-1], len(ratio))
        return bool(plain and np.allclose(ratio, line, rtol=STRAIGHT, atol=0))


def changer(source: Source, kind: str, key: str, side: str) -> Any | None:
    """Return powsybl's row of a tap changer; None if there is none.

    Args:
        source: the network.
        kind: ``ratio`` or ``phase``.
        key: id of the transformer.
        side: ``ONE``, ``TWO`` or ``THREE``; empty for two windings.
    """
    table = source.frame(f"{kind}_tap_changers")
    if key not in table.index:
        return None
    own = table.loc[[key]]
    own = own[own["side"].astype(str) == side] if side else own
    return next(own.itertuples(index=False), None)


def steps_of(source: Source, kind: str, key: str, side: str) -> pd.DataFrame:
    """Return powsybl's steps of a tap changer, by position."""
    own = source.frame(f"{kind}_tap_changer_steps").loc[[key]].reset_index()
    own = own[own["side"].astype(str) == side] if side else own
    return own.set_index("position")


def taps_of(
    source: Source, key: str, side: str, name: str, ends: Sequence[tuple[str, int]]
) -> Taps:
    """Return the tap changer of a winding.

    With both a ratio and a phase tap changer that can be moved, one stays at its position.

    Args:
        source: the network.
        key: id of the transformer.
        side: ``ONE``, ``TWO`` or ``THREE``; empty for two windings.
        name: its name.
        ends: names of its windings in pandapower and their buses, the tap changer's first.
    """
    found = {kind: changer(source, kind, key, side) for kind in ("ratio", "phase")}
    movable = [kind for kind, row in found.items() if row is not None and row.step_count > 1]
    if not movable:
        return Taps(name, ends[0][0])
    kind = movable[-1]
    if len(movable) == 2:
        ratio, phase = found["ratio"], found["phase"]
        if ratio is not None and ratio.regulating and phase is not None and not phase.regulating:
            kind = "ratio"
        fixed = "phase" if kind == "ratio" else "ratio"
        source.note(f"trafo {name}: its {fixed} tap changer stays at its position")
    row = found[kind]
    assert row is not None  # noqa: S101 - it is movable
    table = steps_of(source, kind, key, side)
    position = int(row.tap)
    angles = table["alpha"] if "alpha" in table else np.zeros(len(table))
    steps = [
        TapStep(int(number), 1.0 / rho, -float(alpha), *scale)
        for number, rho, alpha, scale in zip(
            table.index, table["rho"], angles, _scales(table, position), strict=True
        )
    ]
    taps = Taps(name, ends[0][0], position, steps)
    if kind == "phase" and row.regulating:
        source.note(f"trafo {name}: its phase tap changer regulates nothing, it stays as it is")
    if kind == "ratio":
        taps.regulation = _regulation(source, taps, row, ends)
    return taps


def _scales(table: pd.DataFrame, position: int) -> list[tuple[float, float]]:
    """Return factors on resistance and reactance at each step, relative to a position."""
    whole = 100.0 + table[["r", "x"]].to_numpy(np.float64)
    now = whole[table.index.get_loc(position)]
    factors = np.where(now != 0, whole / np.where(now != 0, now, 1.0), 1.0)
    return [(float(r), float(x)) for r, x in factors]


def taps_of_two(source: Source, key: str, name: str, ends: tuple[int, int]) -> Taps:
    """Return the tap changer of a two-winding transformer."""
    return taps_of(source, key, "", name, [("hv", ends[0]), ("lv", ends[1])])


def _regulation(
    source: Source, taps: Taps, row: Any, ends: Sequence[tuple[str, int]]
) -> Row | None:
    """Return a controller for a tap changer that holds the voltage at one of its windings."""
    if not np.isfinite(row.target_v) or not (row.regulating or row.oltc):
        return None
    node = str(row.regulating_bus_id)
    at = [(side, bus) for side, bus in ends if node and source.node[bus] == node]
    if not at:
        if row.regulating:
            source.note(
                f"trafo {taps.name} holds the voltage of bus {node or 'that is cut off'}, which"
                " isn't its own: its tap stays as it is"
            )
        return None
    side, bus = at[0]
    kv = source.kv[bus]
    half = row.target_deadband / 2 if row.target_deadband > 0 else 0.0
    ratios = np.array([step.ratio for step in taps.steps])
    least = float(np.abs(np.diff(ratios)).max()) * kv / 2
    if half == 0.0 and row.regulating:
        half = least
        source.note(
            f"trafo {taps.name} has no deadband: it holds its voltage within half a step, as a"
            " controller of whole steps needs"
        )
    return {
        "kind": "discrete",
        "side": side,
        "vm_lower_pu": (row.target_v - half) / kv,
        "vm_upper_pu": (row.target_v + half) / kv,
        "tol": 1e-3,
        "check_tap_bounds": True,
        "level": 0,
        "order": 0,
        "in_service": bool(row.regulating),
    }


def add_taps(
    source: Source, element: str, index: int, taps: Taps, impedances: Callable[[TapStep], Row]
) -> None:
    """Give a transformer its tap changer.

    Args:
        source: the network.
        element: ``trafo`` or ``trafo3w``.
        index: its index.
        taps: the tap changer.
        impedances: columns of impedances at a position.
    """
    if not taps.steps:
        return
    table = source.net[element]
    ratios = [step.ratio for step in taps.steps]
    straight = taps.straight
    # The position whose ratio is nearest to 1 is neutral for a step in percent.
    neutral = min(taps.steps, key=lambda step: abs(step.ratio - 1.0))
    slope = (ratios[-1] - ratios[0]) / (len(ratios) - 1)
    table.loc[index, "tap_side"] = taps.side
    values = {
        "tap_neutral": neutral.position,
        "tap_min": taps.steps[0].position,
        "tap_max": taps.steps[-1].position,
        "tap_pos": taps.position,
        "tap_step_percent": 100.0 * slope / neutral.ratio,
        "tap_step_degree": 0.0,
    }
    for name, value in values.items():
        table.loc[index, name] = float(value)
    table.loc[index, "tap_changer_type"] = "Ratio" if straight else "Tabular"
    if straight:
        # What pandapower multiplies by is relative to the neutral position.
        side = f"vn_{taps.side}_kv"
        table.loc[index, side] *= neutral.ratio
    else:
        _add_table(source, table, index, taps, impedances)
    if taps.regulation is not None and slope:
        _add_controller(source, element, index, taps.regulation)


def _add_table(
    source: Source,
    table: pd.DataFrame,
    index: int,
    taps: Taps,
    impedances: Callable[[TapStep], Row],
) -> None:
    """Write a table of steps; each transformer has one of its own, as pandapower needs it."""
    net = source.net
    known = net.get("trafo_characteristic_table", pd.DataFrame())
    number = int(known["id_characteristic"].max()) + 1 if len(known) else 0
    added = pd.DataFrame(
        [
            {
                "id_characteristic": number,
                "step": step.position,
                "voltage_ratio": step.ratio,
                "angle_deg": step.degree,
                **impedances(step),
            }
            for step in taps.steps
        ]
    )
    net["trafo_characteristic_table"] = (
        pd.concat([known, added], ignore_index=True) if len(known) else added
    )
    table.loc[index, "id_characteristic_table"] = number
    table.loc[index, "tap_dependency_table"] = True


def _add_controller(source: Source, element: str, index: int, regulation: Row) -> None:
    known = source.net.get(TABLE, pd.DataFrame(columns=list(COLUMNS)))
    row = {**regulation, "controller": len(known), "element": element, "index": index}
    row["vm_set_pu"] = (row["vm_lower_pu"] + row["vm_upper_pu"]) / 2
    added = pd.DataFrame([row], columns=list(COLUMNS))
    source.net[TABLE] = pd.concat([known, added], ignore_index=True) if len(known) else added
