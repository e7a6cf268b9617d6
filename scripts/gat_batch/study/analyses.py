"""What a configuration asks of the analytics stage. Light, as each Snakemake job parses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Over = Literal["scenario", "batch"]

OPTIONS: dict[str, dict[str, Any]] = {
    "ptdf": {"least": 1e-3},
    "lodf": {"least": 1e-3},
    "congestion": {"threshold_percent": None},
    "reliability": {"hours": 8760.0, "tolerance_mw": 1e-3},
    "compare": {"other": None, "tolerance": 1e-6},
}
"""Kind of analysis -> option -> default."""


@dataclass(frozen=True)
class Analysis:
    """One analysis of a batch.

    Attributes:
        name: its name and that of its table.
        kind: a key of :data:`OPTIONS`, or ``function``.
        function: ``module:function`` of the user's own, or empty.
        over: whether a function is called for each ``scenario`` or for all rows of the ``batch``.
        timeout_secs: wall-clock limit of one attempt at one part, in seconds.
        options: options of the kind, or keyword arguments of the function.
    """

    name: str
    kind: str
    function: str = ""
    over: Over = "scenario"
    timeout_secs: float = 300.0
    options: Mapping[str, Any] = field(default_factory=dict)


def analyses_of(entries: Sequence[Mapping[str, Any]]) -> tuple[Analysis, ...]:
    """Read the configuration's ``analytics``, which has passed the schema.

    Args:
        entries: the entries.

    Returns:
        The analyses, with options that were left out filled in.

    Raises:
        ConfigError: if two have one name, or an option is unknown, missing or of no use.
    """
    names = [entry["name"] for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise _fault(f"two analyses are called {name!r}", "names of tables must be unique")
    return tuple(_analysis(entry) for entry in entries)


def module_file(function: str, folders: Sequence[Path]) -> Path | None:
    """Return the file of a function's module, or None if it lies in none of the folders.

    Args:
        function: ``module:function``.
        folders: where to look, the first one first.
    """
    path = "/".join(function.partition(":")[0].split("."))
    files = (
        file
        for folder in folders
        for file in (folder / f"{path}.py", folder / path / "__init__.py")
    )
    return next((file for file in files if file.is_file()), None)


def _analysis(entry: Mapping[str, Any]) -> Analysis:
    name, options = entry["name"], dict(entry.get("options", {}))
    given = {key: entry[key] for key in ("over", "timeout_secs") if key in entry}
    if "function" in entry:
        return Analysis(name, "function", entry["function"], options=options, **given)
    known = OPTIONS[entry["kind"]]
    if "over" in given:
        raise _fault(f"{name}: over is for functions", "take it out")
    for option, value in options.items():
        if option not in known:
            hint = f"{entry['kind']} knows {', '.join(known)}"
            raise _fault(f"{name}: unknown option {option!r}", hint)
        wrong = isinstance(value, bool) or not isinstance(
            value, str if option == "other" else (int, float)
        )
        if wrong or (option != "other" and not value >= 0):
            what = "the folder of a batch" if option == "other" else "a number from 0 up"
            raise _fault(f"{name}: {option} is {value!r}", f"it is {what}")
    if entry["kind"] == "compare" and "other" not in options:
        raise _fault(f"{name}: other is missing", "name the folder of the batch to compare with")
    return Analysis(name, entry["kind"], options={**known, **options}, **given)


def _fault(what: str, hint: str) -> ConfigError:
    return ConfigError(what, file="config", field="analytics", hint=hint)
