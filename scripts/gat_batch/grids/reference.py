"""Which grid is meant: the files that make it up, and a hash of its content.

Nothing is parsed here but the manifest of an Arrow dataset, as a plan is made from references
alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from ..errors import GridError
from ..files.documents import file_hash, named_file

Form = Literal[
    "bundled", "simbench", "json", "xlsx", "arrow", "m", "mat",
    "raw", "rawx", "uct", "cdf", "dgs", "cgmes", "xiidm", "pypsa",
]  # fmt: skip

NAMED: dict[str, Form] = {"pandapower:": "bundled", "simbench:": "simbench"}
"""Prefixes of grids that ship with a package, and what comes behind them."""

PACKAGES: dict[Form, str] = {"bundled": "pandapower", "simbench": "simbench"}
"""The packages."""

CASES = "networks/power_system_test_case_jsons"
READERS = "networks/power_system_test_cases.py"
"""Cases in pandapower's package, and the functions that read them; not every case has one."""

SUFFIXES: dict[str, Form] = {
    ".json": "json", ".xlsx": "xlsx", ".arrow": "arrow", ".m": "m", ".mat": "mat",
    ".raw": "raw", ".rawx": "rawx", ".uct": "uct", ".cdf": "cdf", ".dgs": "dgs", ".zip": "cgmes",
    ".xiidm": "xiidm", ".nc": "pypsa",
}  # fmt: skip

POWSYBL: frozenset[Form] = frozenset(["raw", "rawx", "uct", "cdf", "dgs", "cgmes", "xiidm"])
"""Formats that powsybl reads."""

APPROXIMATED: frozenset[Form] = POWSYBL | {"m", "mat", "pypsa"}
"""Formats that may hold what a network can't."""

FOLDERS: frozenset[Form] = frozenset(["cgmes", "pypsa"])
"""Formats that may be folders, whatever their names."""

PYPSA_BUSES = "buses.csv"
"""The file that a folder of a PyPSA network has for sure."""

FIRST_BYTES = 4096
"""How far a text file is read to find out what it is."""

MANIFEST = "manifest.json"
"""The file of an Arrow dataset that lists its tables."""

ORIGIN = ("created_at", "gat_version", "source")
"""Keys of that file that say where the dataset comes from; a grid is the same without them."""


@dataclass(frozen=True)
class GridRef:
    """A grid that hasn't been read.

    Attributes:
        form: how it is stored.
        name: name of a grid that ships with a package, else the path as text.
    """

    form: Form
    name: str

    @property
    def path(self) -> Path:
        """Where it is stored, if it doesn't ship with a package."""
        return Path(self.name)

    def __str__(self) -> str:
        prefix = next((prefix for prefix, form in NAMED.items() if form == self.form), "")
        return prefix + self.name

    @property
    def approximated(self) -> bool:
        """Whether its format may hold what a network can't."""
        return self.form in APPROXIMATED

    @property
    def ships(self) -> bool:
        """Whether pandapower ships it as a file, so that it can be read for sure."""
        if self.form != "bundled" or not self.name.isidentifier():
            return False
        package = find_spec("pandapower")  # finds it without importing it, which takes seconds
        folders = (package and package.submodule_search_locations) or ()
        return any(
            Path(folder, CASES, f"{self.name}.json").is_file()
            and f"\ndef {self.name}(" in Path(folder, READERS).read_text(encoding="utf-8")
            for folder in folders
        )

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The files that make it up; none if it ships with a package."""
        if self.form in PACKAGES:
            return ()
        if self.form == "cgmes" and self.path.is_dir():
            return tuple(profiles(self.path))
        if self.form == "pypsa" and self.path.is_dir():
            return tuple(sorted(file for file in self.path.glob("*.csv") if file.is_file()))
        if self.form != "arrow":
            return (self.path,)
        tables = sorted(file for file in self.path.glob("*.arrow") if file.is_file())
        return (self.path / MANIFEST, *tables)

    def content_hash(self) -> str:
        """Return a hash of the content, the same wherever it lies and whenever it was written.

        Returns:
            64 hexadecimal digits.

        Raises:
            GridError: if a file can't be read.
        """
        package = PACKAGES.get(self.form)
        if package:
            return _digest([self.name, _version(package)])
        content = [[file.name, _content_of(file)] for file in self.files]
        # What powsybl makes of a file may change with its version, and results with that.
        reader = [_version("pypowsybl")] if self.form in POWSYBL else []
        return _digest([*content, *reader])


def grid_ref(reference: str, folder: Path) -> GridRef:
    """Find out which grid a reference means.

    Args:
        reference: as written in a manifest.
        folder: the folder that paths are relative to.

    Returns:
        The reference; its files exist.

    Raises:
        GridError: if there is no such file, or its format is unknown.
    """
    for prefix, named in NAMED.items():
        if reference.startswith(prefix):
            return GridRef(named, reference.removeprefix(prefix))
    path = named_file(folder, reference)
    form = form_of(path)
    target = path / MANIFEST if form == "arrow" else path
    if not target.is_file() and not (form in FOLDERS and path.is_dir()):
        if not path.exists():
            hint = "paths are relative to the manifest's folder"
            raise GridError("no such file", file=path, hint=hint)
        what = "is not a dataset: it holds no manifest.json" if form == "arrow" else "is no file"
        raise GridError(what, file=path)
    return GridRef(form, str(path))


def form_of(path: Path) -> Form:
    """Return the format that a path's suffix stands for, or else what lies there.

    A folder of XML files is a CGMES model, one with ``buses.csv`` a PyPSA network, and a text file
    may hold the IEEE common data format.

    Raises:
        GridError: if it is unknown.
    """
    form = SUFFIXES.get(path.suffix.lower())
    if form is None and path.suffix.lower() == ".txt" and _is_cdf(path):
        form = "cdf"
    if form is None and (path / PYPSA_BUSES).is_file():
        form = "pypsa"
    if form is None and path.is_dir() and profiles(path):
        form = "cgmes"
    if form is None:
        names = " and ".join(f"{prefix}NAME" for prefix in NAMED)
        folders = "folders of CGMES profiles or of PyPSA's CSV files"
        hint = f"known are {', '.join(SUFFIXES)}, {folders}, {names}"
        raise GridError(f"unknown kind of grid {path.suffix!r}", file=path, hint=hint)
    return form


def profiles(folder: Path) -> list[Path]:
    """Return the files of a folder that make up a CGMES model, sorted."""
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in (".xml", ".zip") and file.is_file()
    )


def _is_cdf(path: Path) -> bool:
    """Tell whether a text file holds the IEEE common data format."""
    try:
        with path.open("rb") as file:
            return b"BUS DATA FOLLOW" in file.read(FIRST_BYTES).upper()
    except OSError:
        return False


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""  # that it is missing is said when the grid is read


def _content_of(path: Path) -> object:
    """Return what a file contributes to the hash: of a manifest, all but its :data:`ORIGIN`."""
    if path.name != MANIFEST:
        return file_hash(path, GridError)
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise GridError(f"can't be read: {error.strerror}", file=path) from None
    except (ValueError, RecursionError):
        return file_hash(path, GridError)  # what is wrong with it is said when it is read
    if not isinstance(content, dict):
        return file_hash(path, GridError)
    return {key: content[key] for key in content if key not in ORIGIN}


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
