"""A batch on a screen: how far, how long, what failed and why, where to look."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .batch_record import span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

MOST_SHOWN = 5
"""Most reasons, most scenarios at work and most slow ones that are shown."""

QUIET_SECS = 60.0
"""Without news for so long, the screen says so."""


def screen(status: Mapping[str, Any]) -> RenderableType:
    """Lay out the state of a batch on one screen.

    Args:
        status: as from ``read_status``.
    """
    done = status["completed"] + status["failed"]
    share = f", {done / status['total']:.0%}" if status["total"] else ""
    name = (status["name"], "bold")
    title = Text.assemble(name, f": {done} of {status['total']} scenarios done{share}")
    bar = Table.grid()
    bar.add_row(ProgressBar(total=max(status["total"], 1), completed=done, width=60))
    lines: list[RenderableType] = [title, bar, Text(_counts(status)), _pace(status, done)]
    if status["active"] and status["at_work"]:
        lines.append(Text(f"at work: {_named(status['at_work'])}"))
    if status["reasons"]:
        lines += [
            Text(f"failed ({status['failed']})", style="bold red"),
            _reasons(status["reasons"]),
        ]
    if status["slowest"]:
        table = Table.grid(padding=(0, 2))
        for job in status["slowest"]:
            table.add_row(Text(job["id"]), f"{job['duration_ms'] / 1000:.3f} s")
        lines += [Text("slowest", style="bold"), table]
    if status["look_at"]:
        table = Table.grid(padding=(0, 2))
        for what, path in status["look_at"].items():
            table.add_row(Text(what), Text(path, overflow="fold"))
        lines += [Text("where to look", style="bold"), table]
    return Group(*lines)


def _counts(status: Mapping[str, Any]) -> str:
    solved = f"{status['completed']} solved"
    if status["otherwise"]:
        kinds = (f"{count} {kind.replace('_', ' ')}" for kind, count in status["otherwise"].items())
        solved += f" ({', '.join(kinds)})"
    counts = [f"{status[key]} {key}" for key in ("failed", "running", "pending") if status[key]]
    return ", ".join([solved, *counts])


def _pace(status: Mapping[str, Any], done: int) -> Text:
    if not status["active"]:
        told = f"no run is at work; the last one took {span(status['elapsed_secs'])}"
        if status["pending"] or status["failed"]:
            told += "; the next run goes on with what is missing"
        return Text(told, style="dim")
    parts = [f"a run is at work, for {span(status['elapsed_secs'])}"]
    if status["rate"]:
        parts.append(f"{status['rate']:.3g} scenarios/s")
    if done == status["total"]:
        parts.append("summary and report are being made")
    elif status["left_secs"] is not None:
        end = datetime.now().astimezone() + timedelta(seconds=status["left_secs"])
        when = end.strftime("%H:%M" if status["left_secs"] < 20 * 3600 else "%a %H:%M")
        parts.append(f"about {span(status['left_secs'])} left, until {when}")
    text = Text("; ".join(parts), style="dim")
    if status["quiet_secs"] > QUIET_SECS and done < status["total"]:
        text.append(f"; nothing new for {span(status['quiet_secs'])}", style="yellow")
    return text


def _named(names: list[str]) -> str:
    more = len(names) - MOST_SHOWN
    return ", ".join(names[:MOST_SHOWN]) + (f" and {more} others" if more > 0 else "")


def _reasons(reasons: list[dict[str, Any]]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for reason in reasons[:MOST_SHOWN]:
        table.add_row(f"{len(reason['ids'])}", Text(reason["error"]), Text(_named(reason["ids"])))
    if len(reasons) > MOST_SHOWN:
        others = sum(len(reason["ids"]) for reason in reasons[MOST_SHOWN:])
        table.add_row(f"{others}", "for other reasons", "")
    return table
