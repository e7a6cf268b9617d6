"""A section of the report: figures, tables, facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .tables import Listing


@dataclass(frozen=True)
class Figure:
    """A figure of the page.

    Attributes:
        name: its name, and that of its SVG file.
        spec: its Vega-Lite specification.
        caption: what it shows.
        title: its heading, or empty.
        legend: colour, width in pixels (0 for a dot) and meaning of each entry.
    """

    name: str
    spec: dict[str, Any]
    caption: str
    title: str = ""
    legend: tuple[tuple[str, float, str], ...] = ()


@dataclass(frozen=True)
class Verdict:
    """How something stands.

    Attributes:
        text: in a few words.
        good: whether that is as it should be.
        reasons: what there is to say: ``where``, say, and the sentence.
    """

    text: str
    good: bool
    reasons: dict[str, str]


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
        id: its anchor.
        title: its heading.
        text: what to know, or empty.
        figures: its figures, in order.
        tables: its tables, in order.
        facts: name -> fact.
        verdicts: name -> verdict; they come first.
        short: its name in the bar of sections, or empty for its title.
    """

    id: str
    title: str
    text: str = ""
    figures: tuple[Figure, ...] = ()
    tables: tuple[Listing, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    short: str = ""
