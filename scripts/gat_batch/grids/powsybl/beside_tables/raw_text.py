"""What powsybl leaves out of PSS/E files: base values, ratings, areas, what isn't converted.

Records are read by their position, as PSS/E does, or by the names of their fields (``.rawx``).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Record = list[str]

SECTIONS = (
    "bus", "load", "fixshunt", "generator", "acline", "sysswd", "transformer", "area",
    "twotermdc", "vscdc", "impcor", "ntermdc", "msline", "zone", "iatrans", "owner", "facts",
    "swshunt", "gne", "indmach", "sub",
)  # fmt: skip
"""Sections of version 35 in their order, by the names that ``.rawx`` has for them."""

SINCE_34 = ("sysswd", "sub")
"""Sections that older versions don't have."""

BUS = ("ibus", "name", "baskv", "ide", "area", "zone", "owner", "vm", "va", "nvhi", "nvlo")
"""Fields of a bus record, in order."""

TOKEN = re.compile(r"'((?:[^']|'')*)'|\"([^\"]*)\"|([^\s,'\"/]+)|(,)")


@dataclass
class RawText:
    """What was found.

    Attributes:
        base_mva: system base in MVA.
        frequency_hz: frequency in Hz.
        buses: number of a bus -> its fields by name; what the file leaves out is empty.
        mbase: name of a generator -> its rated power in MVA.
        ratings: name of a branch -> its second and third rating in MVA, 0 for none.
        counts: section -> number of its records.
        switched: name of a switched shunt, as bus and id -> its MVAr at 1 p.u. in the file.
        admittances: names of loads with reactive power of constant admittance.
        distributed: names of loads with distributed generation in service.
    """

    base_mva: float = 100.0
    frequency_hz: float = 60.0
    buses: dict[int, dict[str, str]] = field(default_factory=dict)
    mbase: dict[str, float] = field(default_factory=dict)
    ratings: dict[str, tuple[float, float]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    switched: dict[str, float] = field(default_factory=dict)
    admittances: list[str] = field(default_factory=list)
    distributed: list[str] = field(default_factory=list)


def raw_text(text: str) -> RawText:
    """Read a file of text (``.raw``).

    Args:
        text: the whole file.

    Raises:
        ValueError, IndexError: if it isn't laid out as PSS/E's files are.
    """
    lines = [line for line in text.splitlines() if not line.startswith("@!")]
    head = tokens(lines[0])
    revision = int(number(head, 2, 33))
    found = RawText(number(head, 1, 100.0), number(head, 5, 60.0))
    sections = _sections(lines[3:], revision)
    for record in sections.get("bus", []):
        found.buses[int(float(record[0]))] = dict(zip(BUS, record, strict=False))
    for record in sections.get("generator", []):
        found.mbase[_joined(record[:2])] = number(record, 8, found.base_mva)
    first = 7 if revision >= 34 else 6
    for record in sections.get("acline", []):
        found.ratings[_joined(record[:3])] = _others(record, first)
    transformers = list(_transformers(sections.get("transformer", [])))
    for name, winding in transformers:
        found.ratings[name] = _others(winding, 3)
    for record in sections.get("load", []):
        _learn_load(found, _joined(record[:2]), [number(record, n) for n in (10, 14, 15, 16)])
    for record in sections.get("swshunt", []):
        own = [record[1]] if revision >= 35 else ["1"]
        susceptance = number(record, 11 if revision >= 35 else 9)
        found.switched[_joined([record[0], *own])] = susceptance
    found.counts = {name: len(records) for name, records in sections.items()}
    found.counts["transformer"] = len(transformers)
    for name in ("twotermdc", "vscdc"):
        # Each of these has a record for the line and one for either end.
        found.counts[name] = found.counts.get(name, 0) // 3
    return found


def raw_json(text: str) -> RawText:
    """Read a file of JSON (``.rawx``).

    Args:
        text: the whole file.

    Raises:
        ValueError, KeyError, TypeError: if it isn't laid out as PSS/E's files are.
    """
    tables = {
        name: [_fields(table["fields"], row) for row in _rows(table)]
        for name, table in json.loads(text)["network"].items()
        if isinstance(table, dict) and "fields" in table
    }
    (case,) = tables["caseid"]
    found = RawText(float(case.get("sbase") or 100), float(case.get("basfrq") or 60))
    found.buses = {int(float(row["ibus"])): row for row in tables.get("bus", [])}
    for row in tables.get("generator", []):
        name = _joined([row["ibus"], row.get("machid", "1")])
        found.mbase[name] = _float(row, "mbase") or found.base_mva
    for row in tables.get("acline", []):
        name = _joined([row["ibus"], row["jbus"], row.get("ckt", "1")])
        found.ratings[name] = (_float(row, "rate2"), _float(row, "rate3"))
    for row in tables.get("transformer", []):
        third = [] if row.get("kbus", "0") in ("", "0") else [row["kbus"]]
        name = _joined([row["ibus"], row["jbus"], *third, row.get("ckt", "1")])
        found.ratings[name] = (_float(row, "wdg1rate2"), _float(row, "wdg1rate3"))
    for row in tables.get("load", []):
        values = [_float(row, name) for name in ("yq", "dgenp", "dgenq", "dgenm")]
        _learn_load(found, _joined([row["ibus"], row.get("loadid", "1")]), values)
    for row in tables.get("swshunt", []):
        name = _joined([row["ibus"], row.get("shntid", "1")])
        found.switched[name] = _float(row, "binit")
    found.counts = {name: len(rows) for name, rows in tables.items()}
    return found


def _rows(table: dict[str, Any]) -> list[list[Any]]:
    data = table.get("data") or []
    return data if isinstance(data[0] if data else [], list) else [data]


def _fields(names: list[str], row: list[Any]) -> dict[str, str]:
    return {
        name: "" if value is None else str(value) for name, value in zip(names, row, strict=False)
    }


def _float(row: dict[str, str], name: str) -> float:
    return float(row.get(name) or 0)


def _learn_load(found: RawText, name: str, values: list[float]) -> None:
    admittance, active, reactive, mode = values
    if admittance:
        found.admittances.append(name)
    if mode and (active or reactive):
        found.distributed.append(name)


def _sections(lines: list[str], revision: int) -> dict[str, list[Record]]:
    names = [name for name in SECTIONS if revision >= 34 or name not in SINCE_34]
    if revision >= 34:
        names.insert(0, "system")
    found: dict[str, list[Record]] = {}
    order = iter(names)
    name = next(order)
    for line in lines:
        record = tokens(line)
        if record[:1] == ["Q"]:
            break
        if record[:1] == ["0"] and not line.lstrip().startswith(("'", '"')):
            name = next(order, "")
            if not name:
                break
        elif record:
            found.setdefault(name, []).append(record)
    return found


def _transformers(lines: list[Record]) -> Iterator[tuple[str, Record]]:
    """Yield name and first winding of each transformer, which has four lines, or five of three."""
    at = 0
    while at + 3 < len(lines):
        first = lines[at]
        three = int(number(first, 2)) != 0
        circuit = first[3] if len(first) > 3 and first[3] else "1"
        yield _joined([*first[: 3 if three else 2], circuit]), lines[at + 2]
        at += 5 if three else 4


def _others(record: Record, first: int) -> tuple[float, float]:
    """Return the two ratings after the first, which stands at a position of a record."""
    return number(record, first + 1), number(record, first + 2)


def _joined(parts: list[str]) -> str:
    """Return the name of an element, as ``names`` makes it."""
    return "-".join(part.strip().lstrip("-") or "1" for part in parts)


def tokens(line: str) -> Record:
    """Return the fields of a record: separated by commas or blanks, in quotes or not.

    A slash outside quotes ends the record; nothing between two commas is an empty field.
    """
    fields: Record = []
    empty = True  # nothing yet since the last comma
    position = 0
    while position < len(line):
        if line[position] == "/":
            break
        match = TOKEN.match(line, position)
        if match is None:
            position += 1
            continue
        position = match.end()
        if match[4]:
            if empty:
                fields.append("")
            empty = True
            continue
        fields.append(next(group for group in match.groups() if group is not None))
        empty = False
    return fields


def number(record: Record, position: int, default: float = 0.0) -> float:
    """Return the number at a position of a record, or the default where there is none."""
    if position >= len(record) or not record[position].strip():
        return default
    return float(record[position].replace("D", "E").replace("d", "e"))
