"""Draw docs/images/report.png from the figures of a batch's report.

python docs/images/make_report.py runs/batch/ieee118 docs/images/report.png
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import vl_convert

COLUMNS = (("map_1",), ("loadings", "voltages", "worst_branches"))
WIDTHS = (560, 430)
GAP = 16
SIZE = re.compile(r'<svg[^>]*?width="([\d.]+)" height="([\d.]+)"')


def draw(folder: Path) -> bytes:
    """The figures side by side: the map left, the histograms right.

    Args:
        folder: the folder ``summary/plots`` of a batch.

    Returns:
        A PNG file.
    """
    parts, heights, left = [], [], GAP
    for names, width in zip(COLUMNS, WIDTHS, strict=True):
        top = GAP
        for name in names:
            text = (folder / f"{name}.svg").read_text(encoding="utf-8")
            text = text[text.index("<svg") :]
            # Names of clips and gradients are unique in a figure, not among several.
            text = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}_", text)
            found = SIZE.search(text)
            if found is None:
                raise ValueError(f"{name}.svg has no size")
            factor = width / float(found[1])
            place = f'<g transform="translate({left} {top}) scale({factor:.4f})">'
            parts.append(f"{place}{text}</g>")
            top += round(float(found[2]) * factor) + GAP
        heights.append(top)
        left += width + GAP
    size = f'width="{left}" height="{max(heights)}"'
    whole = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    background = f'<rect {size} fill="white"/>'
    picture: bytes = vl_convert.svg_to_png(f"{whole}{background}{''.join(parts)}</svg>", scale=1.5)
    return picture


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(draw(Path(sys.argv[1]) / "summary" / "plots"))
