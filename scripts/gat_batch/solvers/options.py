"""Solver options by pandapower's names: which there are, and what they may be.

Light on purpose: a manifest's options are checked before pandapower is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..documents import nearest
from ..errors import GatBatchError, ManifestError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        kind: the Python type of its values.
        meaning: what it does.
        choices: the values that it may have, if they can be listed.
        above: the value must be greater than this.
    """

    kind: type
    meaning: str
    choices: tuple[str, ...] = ()
    above: float | None = None

    def fault(self, value: Any) -> str | None:
        """What is wrong with a value, or None."""
        # In Python, but not in a manifest, True is an integer and an integer is no float.
        fits = isinstance(value, bool) == (self.kind is bool) and isinstance(
            value, (int, float) if self.kind is float else self.kind
        )
        if not fits:
            return f"{value!r} is not of type {self.kind.__name__}"
        if self.choices and value not in self.choices:
            return f"{value!r} is none of {', '.join(self.choices)}"
        if self.above is not None and not value > self.above:
            return f"{value!r} is not greater than {self.above:g}"
        return None


DC = {
    "trafo_model": Option(str, "equivalent circuit of transformers", ("t", "pi")),
    "trafo_loading": Option(str, "what transformer loading refers to", ("current", "power")),
    "trafo3w_losses": Option(
        str, "where iron losses of three-winding transformers sit", ("hv", "mv", "lv", "star")
    ),
    "switch_rx_ratio": Option(float, "r/x of switches with an impedance", above=0),
}

AC = DC | {
    "calculate_voltage_angles": Option(bool, "transformer phase shifts count"),
    "algorithm": Option(str, "solution method", ("nr", "iwamoto_nr", "bfsw", "gs", "fdbx", "fdxb")),
    "init": Option(str, "starting point", ("auto", "flat", "dc")),
    "max_iteration": Option(int, "most iterations", above=0),
    "tolerance_mva": Option(float, "largest mismatch of a solution, in MVA", above=0),
    "enforce_q_lims": Option(bool, "generators at a reactive limit give up their voltage"),
    "voltage_depend_loads": Option(bool, "loads' constant current and impedance shares count"),
    "consider_line_temperature": Option(bool, "line resistance follows temperature"),
    "distributed_slack": Option(bool, "slack_weight shares the imbalance among generators"),
    "neglect_open_switch_branches": Option(bool, "branches behind an open switch carry no charge"),
    "tdpf": Option(bool, "line temperature follows the flow"),
}

OPTIONS: dict[str, dict[str, Option]] = {"dc": DC, "ac": AC}


def check_options(solver: str, options: Mapping[str, Any]) -> list[GatBatchError]:
    """Check the options of one scenario.

    Args:
        solver: kind of study.
        options: values by name.

    Returns:
        A fault for each option that the solver doesn't know or can't take.
    """
    known = OPTIONS.get(solver, {})
    faults: list[GatBatchError] = []
    for name, value in options.items():
        if name not in known:
            hint = nearest(name, known)
            faults.append(ManifestError(f"{solver} has no option {name!r}", hint=hint))
        elif (what := known[name].fault(value)) is not None:
            faults.append(ManifestError(f"{name}: {what}", hint=known[name].meaning))
    return faults
