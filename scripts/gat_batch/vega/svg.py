"""Figures drawn as SVG, in this process or in one that has nothing else to do."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import vl_convert

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

EMPTY = {"width": 10, "data": {"values": []}, "mark": "point"}
"""A figure without anything in it, to start drawing with."""


def svg(spec: dict[str, Any]) -> str:
    """Draw a figure: return the text of an SVG file."""
    text: str = vl_convert.vegalite_to_svg(fixed(spec))
    return text


def fixed(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the specification of a figure that doesn't depend on where it is put."""
    width = 720 if spec["width"] == "container" else spec["width"]
    return {**spec, "width": width, "background": "white"}


@contextmanager
def draughtsman() -> Iterator[Executor]:
    """Yield a process that draws, and that starts to at once.

    Its first figure takes ten times as long as another. So this is best called before other things
    that take long, imports included, and before there is much in memory.
    """
    with ProcessPoolExecutor(1) as process:
        process.submit(svg, EMPTY)
        yield process
