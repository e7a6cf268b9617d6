"""Solver options by pandapower's names: which there are, and which values they may have.

Light on purpose: a manifest's options are checked before pandapower is imported. Left out are
options that would make a result depend on another one (``init: results``, ``recycle``) or on what
happens to be installed (``lightsim2grid``, ``helm``), and one that results rely on
(``check_connectivity``). What an option means to the admittance model is in
``powerflow.admittances``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import GatBatchError, ManifestError
from ..files.words import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        meaning: what it does.
        choices: texts that it may be.
        boolean: whether it may be true or false.
        number: the type of number that it may be, if any.
        low: its least value as a number.
        high: its greatest value as a number.
        open_low: whether a number must be greater than ``low``, not equal to it.
        several: whether a list of such numbers will do as well.
    """

    meaning: str
    choices: tuple[str, ...] = ()
    boolean: bool = False
    number: type[int] | type[float] | None = None
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    several: bool = False

    @property
    def allowed(self) -> str:
        """The values that it may have, in words."""
        kinds = list(self.choices)
        if self.boolean:
            kinds += ["true", "false"]
        if self.number is not None:
            lower = f"more than {self.low:g}" if self.open_low else f"from {self.low:g}"
            kind = "an integer" if self.number is int else "a number"
            kinds.append(f"{kind} {lower} up to {self.high:g}")
        if self.several:
            kinds.append("a list of such numbers")
        return " or ".join([", ".join(kinds[:-1]), kinds[-1]] if kinds[1:] else kinds)

    def allows(self, value: Any) -> bool:
        """Return whether it may have a value."""
        if self.several and isinstance(value, list):
            return bool(value) and all(map(self._is_number, value))
        if isinstance(value, bool):
            return self.boolean
        if isinstance(value, str):
            return value in self.choices
        return self._is_number(value)

    def _is_number(self, value: Any) -> bool:
        if self.number is None or isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if self.number is int and not isinstance(value, int):
            return False
        # Written so that NaN fails.
        above = value > self.low if self.open_low else value >= self.low
        return above and value <= self.high


def _switch(meaning: str) -> Option:
    return Option(meaning, boolean=True)


DC = {
    "trafo_model": Option("equivalent circuit of transformers", ("t", "pi")),
    "trafo_loading": Option("what a transformer's loading refers to", ("current", "power")),
    "trafo3w_losses": Option(
        "side of a three-winding transformer that has its no-load losses",
        ("hv", "mv", "lv", "star"),
    ),
    "switch_rx_ratio": Option(
        "r/x of closed bus-bus switches with an impedance", number=float, low=0, high=1e6
    ),
}
"""Options of ``pandapower.rundcpp``."""

AC = DC | {
    "algorithm": Option("solution method", ("nr", "iwamoto_nr", "bfsw", "gs", "fdbx", "fdxb")),
    "calculate_voltage_angles": Option(
        "whether transformers' phase shifts count", ("auto",), boolean=True
    ),
    "init": Option("starting point", ("auto", "flat", "dc")),
    "init_vm_pu": Option(
        "starting voltage in p.u.; needs init: auto",
        ("auto", "flat"),
        number=float,
        low=0,
        high=2,
        open_low=True,
    ),
    "init_va_degree": Option(
        "starting angle in degrees; needs init: auto",
        ("auto", "flat", "dc"),
        number=float,
        low=-360,
        high=360,
    ),
    "max_iteration": Option("most iterations", ("auto",), number=int, low=1, high=1_000_000),
    "tolerance_mva": Option(
        "largest mismatch of a solution, in MVA", number=float, low=0, high=10, open_low=True
    ),
    "enforce_p_lims": _switch("generators stay within their limits of active power"),
    "enforce_q_lims": _switch("generators at a limit of reactive power give up their voltage"),
    "delta_q": Option("tolerance of enforce_q_lims, in MVAr", number=float, low=0, high=1e6),
    "voltage_depend_loads": _switch("loads' shares of constant current and impedance count"),
    "consider_line_temperature": _switch("lines' resistance follows their given temperature"),
    "distributed_slack": _switch("slack_weight shares the imbalance among generators"),
    "neglect_open_switch_branches": _switch("branches with an open switch carry nothing at all"),
    "tap_control": _switch("transformers with a tap controller hold a bus within its band"),
    "tdpf": _switch("lines' resistance follows the temperature that their current makes"),
    "tdpf_delay_s": Option(
        "time for which lines warm up with tdpf, in s", number=float, low=0, high=1e9
    ),
    "tdpf_update_r_theta": _switch("lines' thermal resistance is recalculated with tdpf"),
}
"""Options of ``pandapower.runpp``; ``tap_control`` is its ``run_control``."""

DC_OPF = DC | {
    "objective": Option(
        "least cost of all power, or of deviating from the dispatch that is given",
        ("cost", "redispatch"),
    ),
    "value_of_lost_load": Option(
        "load may stay unserved at this cost in currency per MWh",
        number=float,
        low=0,
        high=1e9,
        open_low=True,
    ),
    "secure": _switch("all ratings are kept after every contingency of the scenario, too"),
    "ramps": _switch("snapshots are solved together, and max_ramp_mw ties them"),
    "storage": _switch("snapshots are solved together, and what storages hold ties them"),
    "snapshot_hours": Option(
        "how long each snapshot lasts for storages, in hours",
        number=float,
        low=0,
        high=1e6,
        open_low=True,
        several=True,
    ),
}
"""Options of a DC optimal power flow."""

AC_OPF = {name: option for name, option in DC_OPF.items() if name != "secure"} | {
    "calculate_voltage_angles": _switch("transformers' phase shifts count"),
    "consider_line_temperature": AC["consider_line_temperature"],
    "flow_limit": Option("what ratings of branches limit", ("power", "current")),
    "ext_grid_voltage": Option(
        "external grids' voltage is chosen, or held unless they are controllable",
        ("free", "held"),
    ),
}
"""Options of an AC optimal power flow."""

GIVEN = {
    "dispatch": Option(
        "optimal power flow of the state before its outages, whose generation is then given",
        ("dc_opf", "ac_opf"),
    ),
}
"""Options of power flows alone."""

OPTIONS: dict[str, dict[str, Option]] = {
    "dc": DC | GIVEN,
    "ac": AC | GIVEN,
    "dc_opf": DC_OPF,
    "ac_opf": AC_OPF,
}
"""Solver -> option -> what it is: the source of the documentation too."""

RUNGS: dict[str, dict[str, Any]] = {
    "flat": {"init": "flat"},
    "dc": {"init": "dc"},
    "iwamoto": {"algorithm": "iwamoto_nr", "init": "dc"},
}
"""Further ways to a solution where an AC power flow does not converge as asked: the same equations
and the same tolerance, from another start or by another method."""

APART = (("secure", "ramps"), ("secure", "storage"), ("secure", "value_of_lost_load"))
"""Pairs of options that don't go together."""

TYING = ("ramps", "storage")
"""Options by which snapshots are solved together."""

NEWTON_ONLY = {"distributed_slack": ("nr",), "tdpf": ("nr",)}
"""Options that only some algorithms have."""


def check_options(solver: str, options: Mapping[str, Any]) -> list[GatBatchError]:
    """Check the options of one scenario.

    Args:
        solver: kind of study.
        options: values by name.

    Returns:
        A fault for each option that the solver doesn't know or whose value it can't take; without
        any, one for each option that contradicts another one.
    """
    known = OPTIONS.get(solver, {})
    faults: list[GatBatchError] = []
    for name, value in options.items():
        if name not in known:
            hint = nearest(name, known)
            faults.append(ManifestError(f"{solver} has no option {name!r}", hint=hint))
        elif not known[name].allows(value):
            what = f"{name}: {_shown(value)} is not {known[name].allowed}"
            faults.append(ManifestError(what, hint=known[name].meaning))
    return faults or list(_contradictions(options))


def rungs(
    options: Mapping[str, Any], ladder: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the ways to try, one after the other, beginning with the options as given.

    Args:
        options: options of an AC power flow.
        ladder: names of :data:`RUNGS`.

    Yields:
        Name, empty for the first, and options of each way. Ways that the other options rule out
        are left out.
    """
    yield "", dict(options)
    starts = ("init_vm_pu", "init_va_degree")
    common = {name: value for name, value in options.items() if name not in starts}
    for rung in ladder:
        changed = common | RUNGS[rung]
        if not check_options("ac", changed):
            yield rung, changed


def _contradictions(options: Mapping[str, Any]) -> Iterator[GatBatchError]:
    algorithm = options.get("algorithm", "nr")
    for name, algorithms in NEWTON_ONLY.items():
        if options.get(name) and algorithm not in algorithms:
            hint = f"use algorithm: {' or '.join(algorithms)}, or leave {name} out"
            yield ManifestError(f"{name} doesn't go with algorithm {algorithm!r}", hint=hint)
    for first, second in APART:
        if options.get(first) and options.get(second):
            yield ManifestError(f"{first} doesn't go with {second}", hint="give one of the two")
    if options.get("init", "auto") != "auto":
        for name in ("init_vm_pu", "init_va_degree"):
            if name in options:
                what = f"{name} doesn't go with init {options['init']!r}"
                yield ManifestError(what, hint="give one of the two")


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python converts
        text = "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:57]}..."
