"""Tells what the newest versions of all packages would break: python .ci/upgrade_check.py.

Makes an environment in .venv-upgrade from what pyproject.toml pins, that or newer, so that
pip picks the newest ones that go together. Says which differ from requirements.txt, then runs the
tests of inner names, whose failures are sentences, and all others.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".venv-upgrade"


def main() -> int:
    """Make the environment, compare and test."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = sorted({one.replace("==", ">=") for one in asked})
    subprocess.run([sys.executable, "-m", "venv", "--clear", HOME], check=True)
    python = HOME / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *names], check=True)
    frozen = subprocess.run(
        [python, "-m", "pip", "freeze", "--all"], capture_output=True, text=True, check=True
    )
    new, old = pins(frozen.stdout), pins((ROOT / "requirements.txt").read_text())
    for name in sorted(new.keys() | old.keys()):
        if new.get(name) != old.get(name):
            print(f"{name}: {old.get(name, 'none')} -> {new.get(name, 'none')}")
    path = os.pathsep.join([str(HOME / "bin"), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path}
    for tests in (["tests/upstream"], ["tests", "--ignore=tests/upstream"]):
        print(f"==> {' '.join(tests)}", flush=True)
        run = subprocess.run(
            [python, "-m", "pytest", "-q", *tests], cwd=ROOT, env=environment, check=False
        )
        if run.returncode:
            print(f"==> the newest versions break {tests[0]}")
            return 1
    print("==> the newest versions pass all tests")
    return 0


def pins(text: str) -> dict[str, str]:
    """Name -> version of packages pinned by lines of a file."""
    found = re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE)
    return {name.lower().replace("_", "-"): version for name, version in found}


if __name__ == "__main__":
    sys.exit(main())
