"""Three-winding transformers: one of pandapower's where it has the same equations, else three.

powsybl joins three legs at a star point of ``rated_u0``, to which their impedances are referred;
each leg has an ideal ratio and then a shunt at its own bus.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandapower as pp

from .source import SQRT3, UNLIMITED
from .taps import Taps, TapStep, add_taps, taps_of
from .transformers import Circuit, add_circuits, signed

if TYPE_CHECKING:
    from .source import Row, Source

SIDES = ("hv", "mv", "lv")
NUMBERS = ("ONE", "TWO", "THREE")
LEAST_SHARE = 1e-3
"""Reactance of a leg in relation to its resistance, below which pandapower loses its digits."""

SLIGHT_SHARE = 5e-3
"""Impedance of a leg in relation to all, below which power flows hardly converge with it."""

PAIRS = ((0, 1), (1, 2), (0, 2))
"""Windings whose impedances together are ``vk_hv``, ``vk_mv`` and ``vk_lv`` in pandapower."""


@dataclass
class Leg:
    """A leg of a three-winding transformer.

    Attributes:
        bus: index of its bus.
        ohm: its series impedance in ohm, referred to the star point.
        kv: voltage at its bus without load, in kV, taps apart.
        degree: by how much the star point lags its bus, taps apart.
        connected: whether it is.
        taps: its tap changer.
        mva: its rating.
    """

    bus: int
    ohm: complex
    kv: float
    degree: float
    connected: bool
    taps: Taps
    mva: float


def add_three_windings(source: Source) -> None:
    """Add the three-winding transformers."""
    limits = source.permanent_limits
    circuits: list[Circuit] = []
    for key, name, trafo in source.rows("3_windings_transformers"):
        # The star point has the voltage of the first winding, which is the same circuit.
        star_kv = float(trafo.rated_u1)
        scale = star_kv / trafo.rated_u0
        buses = [
            source.at(
                getattr(trafo, f"bus_breaker_bus{n}_id"), getattr(trafo, f"voltage_level{n}_id")
            )
            for n in (1, 2, 3)
        ]
        star = star_kv, scale, limits.get(key)
        legs = [
            _leg(source, key, name, trafo, number=number, buses=buses, star=star)
            for number in (1, 2, 3)
        ]
        why = _obstacle(legs)
        if why:
            source.note(f"trafo3w {name} {why}, which pandapower's transformers can't have")
            circuits += _as_circuits(source, name, legs, star_kv)
        else:
            _add(source, name, legs, star_kv)
    add_circuits(source, circuits)


def _leg(
    source: Source,
    key: str,
    name: str,
    trafo: Any,
    *,
    number: int,
    buses: list[int],
    star: tuple[float, float, float | None],
) -> Leg:
    star_kv, scale, limit = star

    def own(column: str) -> Any:
        return getattr(trafo, f"{column.replace('#', str(number))}")

    order = [number - 1, *(n for n in range(3) if n != number - 1)]
    ends = [(SIDES[n], buses[n]) for n in order]
    taps = taps_of(source, key, NUMBERS[number - 1], name, ends)
    rho, bus = own("rho#"), buses[number - 1]
    behind = complex(own("g#_at_current_tap"), own("b#_at_current_tap"))
    connected = bool(own("connected#"))
    if behind:
        source.add_shunt(f"no-load part of {name}", bus, behind * rho**2, in_service=connected)
        source.note(
            f"trafo3w {name}: its no-load part at the current tap is a shunt at bus"
            f" {source.name_of_bus(bus)}, which outages and taps leave as it is"
        )
    rated = own("rated_s#")
    mva = rated if rated > 0 else SQRT3 * limit * source.kv[bus] if limit else UNLIMITED
    return Leg(
        bus=bus,
        ohm=complex(own("r#_at_current_tap"), own("x#_at_current_tap")) * scale**2,
        kv=star_kv / (rho * scale * taps.at_current),
        degree=-own("alpha#") - taps.angle_at_current,
        connected=connected,
        taps=taps,
        mva=float(mva),
    )


def _obstacle(legs: list[Leg]) -> str:
    """Tell why pandapower's own three-winding transformer can't stand for legs; empty if it can."""
    if sum(bool(leg.taps.steps) for leg in legs) > 1:
        return "has several tap changers"
    if any((legs[a].ohm + legs[b].ohm).imag <= 0 for a, b in PAIRS):
        return "has windings without positive reactance between them"
    if any(abs(leg.ohm.imag) < LEAST_SHARE * abs(leg.ohm.real) for leg in legs):
        # pandapower takes a reactance for what is left of the impedance beside the resistance.
        return "has a winding with hardly any reactance"
    if _slight(legs):
        return "has a winding with hardly any impedance"
    if sum(leg.connected for leg in legs) < 2:
        return "is connected at one winding at most"
    return ""


def _slight(legs: list[Leg]) -> bool:
    """Tell whether a leg has so little impedance that Newton's method rarely gets along with it."""
    sizes = [abs(leg.ohm) for leg in legs]
    return min(sizes) < SLIGHT_SHARE * sum(sizes)


def _as_circuits(source: Source, name: str, legs: list[Leg], star_kv: float) -> list[Circuit]:
    lone = [leg for leg in legs if leg.ohm == 0 and leg.connected and not leg.taps.steps]
    if lone:
        return _at_its_bus(source, name, legs, lone[0], star_kv)
    if _slight(legs) and all(leg.ohm and leg.connected for leg in legs):
        return _as_delta(source, name, legs, star_kv)
    source.note(f"trafo3w {name} is three transformers at a star bus")
    on = any(leg.connected for leg in legs)
    star = source.add_bus(f"star point of {name}", star_kv, in_service=on)
    source.node[star] = f"star point of {name}"
    return [
        Circuit(
            f"{name} {side}",
            (leg.bus, star),
            leg.ohm,
            (leg.connected, leg.connected),
            rated_kv=(leg.kv, star_kv),
            shift_degree=leg.degree,
            rated_mva=leg.mva,
            taps=replace(leg.taps, name=f"{name} {side}", side="hv", regulation=_own(leg.taps)),
        )
        for side, leg in zip(SIDES, legs, strict=True)
    ]


def _at_its_bus(
    source: Source, name: str, legs: list[Leg], star: Leg, star_kv: float
) -> list[Circuit]:
    """Return two transformers that meet at the bus of a leg without impedance."""
    source.note(
        f"trafo3w {name} is two transformers at bus {source.name_of_bus(star.bus)}, as its winding"
        " there has no impedance"
    )
    return [
        Circuit(
            f"{name} {side}",
            (leg.bus, star.bus),
            leg.ohm * (star.kv / star_kv) ** 2,
            (leg.connected, leg.connected),
            rated_kv=(leg.kv, star.kv),
            shift_degree=leg.degree - star.degree,
            rated_mva=leg.mva,
            taps=replace(leg.taps, name=f"{name} {side}", side="hv", regulation=_own(leg.taps)),
        )
        for side, leg in zip(SIDES, legs, strict=True)
        if leg is not star
    ]


def _as_delta(source: Source, name: str, legs: list[Leg], star_kv: float) -> list[Circuit]:
    """Return three transformers between the windings, which is the same circuit (star to delta)."""
    source.note(f"trafo3w {name} is three transformers, each between two of its windings")
    product = sum(legs[a].ohm * legs[b].ohm for a, b in PAIRS)
    circuits = []
    for a, b in PAIRS:
        if legs[b].taps.steps and not legs[a].taps.steps:
            a, b = b, a  # noqa: PLW2901 - taps are at a transformer's first bus
        first, second = legs[a], legs[b]
        (third,) = (leg for leg in legs if leg is not first and leg is not second)
        # The second one's taps stay as they are here.
        kv = second.kv * second.taps.at_current
        label = f"{name} {SIDES[a]}-{SIDES[b]}"
        if first.taps.steps:
            source.note(f"trafo {label}: its taps have to move with those of its siblings")
        circuits.append(
            Circuit(
                label,
                (first.bus, second.bus),
                product / third.ohm * (kv / star_kv) ** 2,
                (True, True),
                rated_kv=(first.kv, kv),
                shift_degree=first.degree - second.degree - second.taps.angle_at_current,
                rated_mva=min(first.mva, second.mva),
                taps=replace(first.taps, name=label, side="hv", regulation=None),
            )
        )
    return circuits


def _own(taps: Taps) -> Row | None:
    """Return the controller of a leg on its own: it can hold the voltage at its own bus only."""
    held = taps.regulation
    return {**held, "side": "hv"} if held and held["side"] == taps.side else None


def _add(source: Source, name: str, legs: list[Leg], star_kv: float) -> None:
    net = source.net
    size = [leg.mva for leg in legs]
    index = pp.create_transformer3w_from_parameters(
        net,
        *(leg.bus for leg in legs),
        *(leg.kv for leg in legs),
        *size,
        **_impedances(legs, star_kv),
        pfe_kw=0.0,
        i0_percent=0.0,
        shift_mv_degree=legs[0].degree - legs[1].degree,
        shift_lv_degree=legs[0].degree - legs[2].degree,
        name=name,
        in_service=True,
        max_loading_percent=100.0,
        tap_at_star_point=False,
    )
    for leg in legs:
        if leg.taps.steps:
            at_step = partial(_at_step, legs, leg, star_kv)
            add_taps(source, "trafo3w", index, leg.taps, at_step)
        if not leg.connected:
            pp.create_switch(net, leg.bus, index, "t3", closed=False, name=f"open end of {name}")


def _at_step(legs: list[Leg], moved: Leg, star_kv: float, step: TapStep) -> Row:
    """Return the impedances with one leg at another step."""
    changed = [replace(leg, ohm=step.of(leg.ohm)) if leg is moved else leg for leg in legs]
    return _impedances(changed, star_kv)


def _impedances(legs: list[Leg], star_kv: float) -> Row:
    """Return the impedances between pairs of windings in percent of the smaller rating."""
    values: Row = {}
    for side, (a, b) in zip(SIDES, PAIRS, strict=True):
        ohm = legs[a].ohm + legs[b].ohm
        percent = 100.0 * min(legs[a].mva, legs[b].mva) / star_kv**2
        values[f"vk_{side}_percent"] = float(signed(ohm) * percent)
        values[f"vkr_{side}_percent"] = float(np.real(ohm) * percent)
    return values
