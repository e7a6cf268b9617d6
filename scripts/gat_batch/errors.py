"""Faults that a user can mend, each naming what is wrong, where, and what to do.

Every error that ``gat_batch`` raises on purpose derives from :class:`GatBatchError`; anything
else that escapes is a bug. Messages fit on one line so that they can be collected and listed.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


MOST_LISTED = 100
"""Most faults that one message lists; nobody reads more before mending some."""

MOST_NAMED = 2
"""Most scenarios that the message of a fault names, if it is the same in several."""


class GatBatchError(Exception):
    """Base of all faults.

    Args:
        what: what is wrong, as a clause without a final full stop.
        file: the file at fault, as the user wrote it.
        scenario: id of the scenario at fault.
        field: key, column or element at fault.
        hint: what to do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        file: object = None,
        scenario: str | None = None,
        field: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.what = _one_line(what)
        self.file = None if file is None else _one_line(str(file))
        self.scenario = scenario
        self.field = field
        self.hint = None if hint is None else _one_line(hint)
        super().__init__(self.what)

    def __str__(self) -> str:
        return self.of([] if self.scenario is None else [self.scenario])

    def of(self, scenarios: Sequence[str]) -> str:
        """Return the message of a fault that is the same in some scenarios."""
        place = [self.file or ""]
        if scenarios:
            named = [repr(_one_line(name)) for name in scenarios[:MOST_NAMED]]
            more = len(scenarios) - len(named)
            told = f"{', '.join(named)} and {more} more" if more else " and ".join(named)
            place.append(f"{'scenario' if len(scenarios) == 1 else 'scenarios'} {told}")
        if self.field is not None:
            place.append(_one_line(self.field))
        message = ": ".join([*filter(None, place), self.what])
        return f"{message} ({self.hint})" if self.hint else message

    def at(self, *, scenario: str | None = None, field: str | None = None) -> Self:
        """Fill in the scenario or the field where it isn't known yet; return the same fault."""
        if self.scenario is None:
            self.scenario = scenario
        if self.field is None:
            self.field = field
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions cross process boundaries; keyword-only arguments need help to do so.
        keywords = {
            "file": self.file,
            "scenario": self.scenario,
            "field": self.field,
            "hint": self.hint,
        }
        return (_rebuild, (type(self), self.what, keywords))


class ManifestError(GatBatchError):
    """A manifest that is malformed or contradicts itself."""


class SpecificationError(GatBatchError):
    """A specification of scenarios that can't be followed."""


class ConfigError(GatBatchError):
    """A configuration value that can't be used."""


class TableError(GatBatchError):
    """A load, generator, cost or limit table that can't be used."""


class UnreadableError(GatBatchError):
    """A file that the system failed to read; it may succeed the next time."""


class GridError(GatBatchError):
    """A grid that can't be read or written, or that lacks what a scenario names."""


class SolverError(GatBatchError):
    """A study that can't be posed: bad data, not bad convergence."""


class DeviationError(SolverError):
    """A solution that pandapower contradicts."""


class ResultError(GatBatchError):
    """A result file that is missing, damaged or can't be written."""


class EndedError(GatBatchError):
    """A process of ours that was ended from outside, for lack of memory say."""


class InputErrors(GatBatchError):  # noqa: N818 - it stands for many
    """All faults found in the input of a batch, reported together.

    Args:
        faults: the single faults; at least one.
    """

    def __init__(self, faults: Iterable[GatBatchError]) -> None:
        self.faults = list(faults)
        super().__init__(f"{len(self.faults)} faults in the input")

    def __str__(self) -> str:
        # A table that a thousand scenarios read is at fault once.
        alike: dict[tuple[str | None, ...], list[GatBatchError]] = {}
        for fault in self.faults:
            place = (fault.file, fault.field, fault.what, fault.hint)
            alike.setdefault(place, []).append(fault)
        lines = []
        for same in islice(alike.values(), MOST_LISTED):
            named = dict.fromkeys(one.scenario for one in same if one.scenario is not None)
            lines.append(same[0].of([*named]))
        if len(alike) > MOST_LISTED:
            lines.append(f"and {len(alike) - MOST_LISTED} more faults")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        return (InputErrors, (self.faults,))


def described(error: BaseException) -> str:
    """Return the type and message of any exception, on one line."""
    return f"{type(error).__name__}: {_one_line(str(error))}"


def _rebuild(kind: type[GatBatchError], what: str, keywords: dict[str, Any]) -> GatBatchError:
    return kind(what, **keywords)


def _one_line(text: str) -> str:
    return " ".join(text.split())
