"""Names of elements as people know them, from the ids that powsybl gives them."""

from __future__ import annotations

import re

RAW_KINDS = {
    "bus_breaker_view_buses": r"B(\d+)",
    "busbar_sections": None,
    "loads": r"B(\d+)-L(.*)",
    "generators": r"B(\d+)-G(.*)",
    "lines": r"L-(\d+)-(\d+)-(.*)",
    "2_windings_transformers": r"T-(\d+)-(\d+)-(.*)",
    "3_windings_transformers": r"T-(\d+)-(\d+)-(\d+)-(.*)",
    "static_var_compensators": r"FactsDevice-(.*)",
}
"""Patterns of powsybl's ids of PSS/E elements: bus numbers, then the id of circuit or machine."""

RAW_SHUNT = re.compile(r"B(\d+)-(SH|SwSH)(.*)")

CDF_KINDS = {
    "bus_breaker_view_buses": r"B(\d+)",
    "loads": r"B(\d+)-L",
    "generators": r"B(\d+)-G",
    "shunt_compensators": r"B(\d+)-SH",
    "lines": r"L(\d+)-(\d+)-(.*)",
    "2_windings_transformers": r"T(\d+)-(\d+)-(.*)",
}
"""The same of IEEE CDF, where a bus has one load, generator and shunt at most."""


def name_of(form: str, kind: str, key: str, name: str) -> str:
    """Return the name of an element.

    Args:
        form: form of the file, as a grid reference has it.
        kind: powsybl's kind of element.
        key: powsybl's id.
        name: powsybl's name, which is the id or empty where the file has none.

    Returns:
        Of PSS/E and CDF bus numbers and ids joined by ``-``, as ``101-102-1``; of CGMES the name;
        else the id.
    """
    if form in ("raw", "rawx"):
        return _raw_name(kind, key, name)
    if form == "cdf":
        return _joined(CDF_KINDS.get(kind), key) or key.strip()
    if form == "cgmes" and name.strip():
        return name.strip()
    return key.strip()


def _raw_name(kind: str, key: str, name: str) -> str:
    if kind == "shunt_compensators":
        found = RAW_SHUNT.fullmatch(key)
        if not found:
            return key.strip()
        number, sort, own = found.groups()
        switched = "-switched" if sort == "SwSH" else ""
        return f"{number}{switched}-{own.strip()}"
    if kind == "hvdc_lines" and name.strip():
        return name.strip()
    return _joined(RAW_KINDS.get(kind), key) or key.strip()


def _joined(pattern: str | None, key: str) -> str:
    found = re.fullmatch(pattern, key) if pattern else None
    return "-".join(part.strip() for part in found.groups()) if found else ""


def bus_number(key: str) -> int | None:
    """Return the number of a bus of a PSS/E or CDF file by powsybl's id; None if it has none."""
    found = re.fullmatch(r"B(\d{1,9})", key)
    return int(found[1]) if found else None
