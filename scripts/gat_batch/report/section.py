"""A section of the report: figures, tables, facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .tables import Listing


@dataclass(frozen=True)
class Figure:
    """A figure of the page: name, Vega-Lite specification, and what it shows."""

    name: str
    spec: dict[str, Any]
    caption: str
    title: str = ""
    legend: tuple[tuple[str, float, str], ...] = ()


@dataclass(frozen=True)
class Section:
    """A section of the page."""

    id: str
    title: str
    text: str = ""
    figures: tuple[Figure, ...] = ()
    tables: tuple[Listing, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
