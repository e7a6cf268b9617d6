"""How a group of scenarios stands, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...files.words import numbered
from ..section import Verdict
from .changes import changes
from .standing import Extreme
from .violations import ITEM

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from .pairs import Pairs
    from .standing import Standing

MOST_NAMED = 1
"""Most violations of a kind that a sentence names."""


def verdict(
    found: Standing,
    names: Mapping[str, str],
    reference: tuple[str, Standing] | None,
    pairs: Pairs | None = None,
) -> Verdict:
    """Return how a group stands.

    Args:
        found: what its rows come to.
        names: ``line:12`` -> name of the element.
        reference: name and figures of the group that it is compared with, or None for that itself.
        pairs: both state by state, or None to compare the worst of each.
    """
    before = reference[1] if reference else None
    how = "state by state" if pairs else "worst of each"
    told = {
        "highest loading:": loading(found, names),
        "voltages:": _broken_voltages(found, names),
        f"against {reference[0]}, {how}:" if reference else "": _against(
            found, before, names, pairs
        ),
        "cost:": cost(found, before),
    }
    return Verdict(
        _headline(found), found.holds, {lead: text for lead, text in told.items() if text}
    )


def _headline(found: Standing) -> str:
    """Return whether limits hold, and if not how often they are broken."""
    solved = found.states + found.optima
    parts = []
    if len(found.violations):
        where = []
        if found.broken_states:
            where.append(f"{found.broken_states:,} of {_states(found.states)}")
        if found.broken_optima:
            where.append(f"{found.broken_optima:,} of {_optima(found.optima)}")
        text = f"limits are broken in {' and '.join(where)}"
        if found.contingencies:
            by = found.violations.index.get_level_values("contingency")
            text += f", after {len(set(by) - {''}):,} of {_contingencies(found)}"
            text += f" and in {found.broken_before:,} before any" * bool(found.broken_before)
        parts.append(text)
    if found.unsolved:
        have = "has" if found.unsolved == 1 else "have"
        parts.append(f"{found.unsolved:,} of {_states(solved)} {have} no solution")
    if found.lost:
        have = "contingency has" if found.lost == 1 else "contingencies have"
        parts.append(f"{found.lost:,} {have} no solution")
    if found.failed:
        parts.append(f"{found.failed:,} of {numbered(found.scenarios, 'scenario')} failed")
    if parts:
        return f"fails: {'; '.join(parts)}"
    where = [_states(found.states)] * bool(found.states) + [_optima(found.optima)] * bool(
        found.optima
    )
    after_any = f", nor after any of {_contingencies(found)}" if found.contingencies else ""
    return f"passes: no limit is broken in {' and '.join(where)}{after_any}"


def _states(count: int) -> str:
    return "1 state" if count == 1 else f"{count:,} states"


def _optima(count: int) -> str:
    return f"{count:,} optimal power flow{'s' * (count != 1)}"


def _contingencies(found: Standing) -> str:
    count = len(found.contingencies)
    return "1 contingency" if count == 1 else f"{count:,} contingencies"


def loading(found: Standing, names: Mapping[str, str]) -> str:
    """Return the highest loading, and where it is."""
    worst = found.loading
    return f"{worst.value:.1f} %, {_place(worst, names)}" if worst else ""


def voltage(worst: Extreme | None, names: Mapping[str, str]) -> str:
    """Return a voltage, and where it is."""
    return f"{worst.value:.3f} p.u., {_place(worst, names)}" if worst else ""


def _broken_voltages(found: Standing, names: Mapping[str, str]) -> str:
    """Return the voltage that is furthest below its band, and the one furthest above."""
    if found.violations.empty:
        return ""
    told = []
    buses = found.violations[found.violations.index.get_level_values("element") == "bus"]
    for _, rows in buses.groupby(level="side", sort=False):
        at = int(rows["excess"].to_numpy().argmax())
        row = rows.iloc[at]
        _, number, _, contingency = parts_of(rows.index[at])
        place = f"bus:{number}", contingency, str(row["scenario"]), str(row["snapshot"])
        told.append(Extreme(float(row["value"]), *place))
    ordered = sorted(told, key=lambda worst: worst.value)
    return "; ".join(voltage(worst, names) for worst in ordered)


def unserved(found: Standing, names: Mapping[str, str]) -> str:
    """Return the most load that is cut off, and where; empty if none is."""
    most = found.unserved
    return f"{most.value:,.1f} MW, {_place(most, names)}" if most else ""


def cost(found: Standing, reference: Standing | None) -> str:
    """Return what the optimal power flows cost, and how much more than those of the reference."""
    if found.cost is None:
        return ""
    text = f"{found.cost:,.0f} for {_optima(found.priced)}"
    if reference is None or reference.cost is None or reference.priced != found.priced:
        return text
    return f"{text}, {_more(found.cost, reference.cost, '.0f', '')}"


def losses(found: Standing, reference: Standing | None) -> str:
    """Return the mean losses, and how much more they are than those of the reference."""
    if found.losses is None:
        return ""
    text = f"{found.losses:,.1f} MW"
    if reference is None or reference.losses is None or reference.balanced != found.balanced:
        return text
    return f"{text}, {_more(found.losses, reference.losses, '.1f', ' MW')}"


def _more(value: float, before: float, digits: str, unit: str) -> str:
    """Return by how much a value is above another one, or below it."""
    change = value - before
    amount = format(abs(change), f",{digits}")
    if float(amount.replace(",", "")) == 0:
        return "as before"
    share = f" ({abs(change / before):.1%})" if before else ""
    return f"{amount}{unit}{share} {'more' if change > 0 else 'less'}".replace("%", " %")


def _against(
    found: Standing, reference: Standing | None, names: Mapping[str, str], pairs: Pairs | None
) -> str:
    """Return which violations are new, worse, better and gone."""
    if reference is None:
        return ""
    told = pairs.changes if pairs else changes(reference.violations, found.violations)
    gone = told.gone
    if found.lowest is None and len(gone):
        # DC has no voltages.
        gone = gone[gone.index.get_level_values("element") != "bus"]
    # States that one of both has no solution for aren't held against each other.
    known, known_before = (not one.partial if pairs else one.whole for one in (found, reference))
    parts = []
    for rows, what in (
        (told.new, "new"),
        (told.worse, "worse"),
        (told.better, "better"),
        (gone, "gone"),
    ):
        unsure = (what == "new" and not known_before) or (what == "gone" and not known)
        if len(rows) and unsure:
            parts.append(f"what is {what} can't be told, as not all is solved or kept")
        elif len(rows):
            parts.append(f"{len(rows):,} {what}{_in_states(rows)} ({_named(rows, names)})")
        elif what in ("new", "gone"):
            parts.append(f"none {what}")
    if told.same:
        parts.append(f"{told.same:,} as bad")
    return "; ".join([*parts, *(_left_out(pairs) if pairs else ())])


def _in_states(rows: pd.DataFrame) -> str:
    """Return in how many states violations are so, if each is of one."""
    if "snapshot" not in rows.index.names:
        return ""
    return f" in {_states(len(rows.index.droplevel(ITEM).unique()))}"


def _left_out(pairs: Pairs) -> Iterator[str]:
    """Yield what isn't held against each other."""
    if pairs.left_out:
        have = "is" if pairs.left_out == 1 else "are"
        yield f"{_states(pairs.left_out)} that one of both hasn't got or solved {have} left out"
    if pairs.lost:
        what = "contingency" if pairs.lost == 1 else "contingencies"
        yield f"{pairs.lost:,} {what} without a solution left out"


def _named(rows: pd.DataFrame, names: Mapping[str, str]) -> str:
    shown = []
    for row in rows.head(MOST_NAMED).reset_index().to_dict("records"):
        what = label(f"{row['element']}:{int(row['id'])}", names)
        unit, digits = (" p.u.", 3) if row["element"] == "bus" else (" %", 1)
        values = f"{row['value']:.{digits}f}{unit}"
        if "reference" in row:
            values = f"{row['reference']:.{digits}f} → {values}"
        when = f", {row['snapshot']}" if "snapshot" in rows.index.names and row["snapshot"] else ""
        shown.append(f"{what}{_after(row['contingency'], names)}{when}, {values}")
    more = len(rows) - len(shown)
    return "; ".join([*shown, *([f"{more:,} more"] if more else [])])


def parts_of(key: Any) -> tuple[str, int, str, str]:
    """Return the parts of the index of a violation."""
    element, number, side, contingency = key
    return str(element), int(number), str(side), str(contingency)


def _place(worst: Extreme, names: Mapping[str, str]) -> str:
    """Return where, after what and when something is worst."""
    where = label(worst.element, names)
    when = f"{worst.snapshot} " if worst.snapshot else ""
    return f"{where}{_after(worst.contingency, names)}, {when}in {worst.scenario}".strip()


def _after(contingency: str, names: Mapping[str, str]) -> str:
    return f" after {after(contingency, names)}" if contingency else ""


def after(contingency: str, names: Mapping[str, str]) -> str:
    """Return a contingency such as ``line:12+line:13`` with the names of what fails."""
    return "+".join(label(part, names) for part in contingency.split("+")) if contingency else ""


def label(element: str, names: Mapping[str, str]) -> str:
    """Return an element such as ``line:12`` with its name, if it has one of its own."""
    name = names.get(element)
    return f"{element} ({name})" if name else element
