"""What a manifest says of a scenario: in its entry, or for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..solver_options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..scenario import Solver


def solver_of(entry: Mapping[str, Any], document: Mapping[str, Any]) -> Solver:
    """Return the solver of a scenario: its own, or the manifest's."""
    solver: Solver = entry.get("solver", document.get("solver", "dc"))
    return solver


def timeout_of(entry: Mapping[str, Any], document: Mapping[str, Any]) -> float:
    """Return the time limit of a scenario in seconds: its own, or the manifest's."""
    return float(entry.get("timeout_secs", document.get("timeout_secs", 60)))


def keep_of_entry(entry: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """Return which rows of a scenario are kept as written; None leaves it to the configuration."""
    return entry.get("keep", document.get("keep"))


def options_of(entry: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a scenario: its own, and of the manifest's those its solver knows."""
    known = OPTIONS.get(solver_of(entry, document), {})
    common = {name: value for name, value in document.get("options", {}).items() if name in known}
    return {**common, **entry.get("options", {})}


def contingencies_of_entry(entry: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """Return the contingencies of a scenario as written: its own, or the manifest's."""
    return entry.get("contingencies", document.get("contingencies"))
