"""A process that draws figures for the commands that server.py runs.

vl-convert starts a JavaScript engine of its own, which a fork doesn't take along. To start it takes
as long as a dozen figures, in each report anew.
"""

from __future__ import annotations

import json
import os
import select
from contextlib import suppress
from functools import lru_cache
from socket import AF_UNIX, socket
from typing import TYPE_CHECKING, Any

import vl_convert

if TYPE_CHECKING:
    from pathlib import Path


def draw_elsewhere(address: Path, users: int) -> None:
    """Have SVG files of this process and its forks drawn by another, until all users are gone."""
    draw_here = vl_convert.vegalite_to_svg

    def drawn(spec: dict[str, Any]) -> str:
        with socket(AF_UNIX) as link:
            link.connect(str(address))
            with link.makefile("rw", encoding="utf-8") as asked:
                asked.write(json.dumps(spec) + "\n")
                asked.flush()
                # What can't be drawn is tried here, so that the fault is raised as it is.
                return asked.read() or draw_here(spec)

    with socket(AF_UNIX) as door:
        door.bind(str(address))
        door.listen()
        if os.fork():
            vl_convert.vegalite_to_svg = drawn
            return
        # Batches that are run again have most figures as before.
        image = lru_cache(1000)(lambda spec: draw_here(json.loads(spec)))
        while users not in select.select([door, users], [], [])[0]:
            link, _ = door.accept()
            asked = link.makefile("rw", encoding="utf-8")
            with link, asked, suppress(ValueError, OSError):
                asked.write(image(asked.readline()))
    os._exit(0)
