"""Take docs/images/report.png, the first screen of a batch's report, with Chromium.

python docs/images/make_report.py runs/batch/data_centre docs/images/report.png
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WINDOW = "--window-size=1280,910"
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", WINDOW)
DRAWN = "--virtual-time-budget=10000"
"""Milliseconds of the page's own clock, in which its figures are drawn."""


def take(page: Path, picture: Path) -> None:
    """Take a picture of the first screen of a page.

    Args:
        page: the page, ``summary/report.html`` of a batch.
        picture: the PNG file to write.

    Raises:
        subprocess.CalledProcessError: if Chromium fails.
    """
    shot = f"--screenshot={picture.resolve()}"
    command = ["chromium", *FLAGS, DRAWN, shot, page.resolve().as_uri()]
    subprocess.run(command, check=True, timeout=60)  # noqa: S603 - our own page


if __name__ == "__main__":
    take(Path(sys.argv[1]) / "summary" / "report.html", Path(sys.argv[2]))
