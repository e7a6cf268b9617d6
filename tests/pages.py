"""Blocks of code of the documentation's pages, as a reader would copy them."""

from __future__ import annotations

import re
from typing import NamedTuple

from conftest import ROOT


class Block(NamedTuple):
    """A block: its language, the file that its caption names, its text."""

    language: str
    caption: str
    text: str


def blocks(page: str, indent: str = "") -> list[Block]:
    """All blocks of a page, those in a list with its indent."""
    head = rf"^{indent}```(?:\{{code-block\}} )?(\w*)\n(?:{indent}:caption: ([^\n]*)\n\n)?"
    pattern = rf"{head}(.*?)^{indent}```"
    found = re.findall(pattern, (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    return [
        Block(language, caption, re.sub(f"^{indent}", "", text, flags=re.MULTILINE))
        for language, caption, text in found
    ]
