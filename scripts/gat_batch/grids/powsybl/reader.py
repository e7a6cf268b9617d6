"""Reads a file by powsybl and makes a pandapower network of it."""

from __future__ import annotations

import io
import logging
import re
import zipfile
from typing import TYPE_CHECKING, Any

import pandapower as pp

from ...errors import GridError
from ..approximations import APPROXIMATIONS
from ..tap_controllers import TABLE
from .beside_tables.document import BESIDE, document_of
from .beside_tables.raw_text import RawText, raw_json, raw_text
from .buses import add_buses, add_switches
from .generators import add_units
from .hvdc import add_hvdc_lines, dc_converters, hvdc_lines
from .injections import add_batteries, add_loads, add_shunts
from .lines import add_lines
from .source import Source
from .three_windings import add_three_windings
from .transformers import add_transformers
from .units import agree, boundary_units, compensators, generators
from .varying_loads import share_out

if TYPE_CHECKING:
    from pathlib import Path

    from pandapower.auxiliary import pandapowerNet

READ_AS = {"raw": "raw", "rawx": "rawx", "uct": "uct", "cdf": "txt", "dgs": "dgs", "xiidm": "xiidm"}
"""Form of a file -> the suffix by which powsybl knows it."""

FREQUENCY_HZ = 50.0
"""Of files that don't say theirs; only the capacitance of lines in nF depends on it."""

BASE_MVA = 100.0
"""Of files that don't say theirs; no result depends on it."""

NOT_READ = {
    "ntermdc": "DC lines with many terminals",
    "gne": "GNE devices",
    "indmach": "induction machines",
}
"""Sections of PSS/E files that powsybl doesn't read."""

UNHEEDED = {
    "generatorRemoteReactivePowerControl": "control of reactive power elsewhere",
    "secondaryVoltageControl": "secondary voltage control",
    "standbyAutomaton": "the standby automaton of a compensator",
    "voltagePerReactivePowerControl": "a slope of voltage over reactive power",
}
"""Extensions of powsybl that would change a power flow, and what they are."""

COUNTED = {
    "bus": ("bus_breaker_view_buses", "busbar_sections"),
    "load": ("loads",),
    "generator": ("generators",),
    "acline": ("lines",),
    "transformer": ("2_windings_transformers", "3_windings_transformers"),
    "twotermdc": ("lcc_converter_stations",),
    "vscdc": ("vsc_converter_stations",),
    "facts": ("static_var_compensators",),
}
"""Sections that it reads, and what their records become."""


def read_powsybl(path: Path, form: str) -> pandapowerNet:
    """Read a grid.

    Args:
        path: a file, or for CGMES a folder of XML files.
        form: ``raw``, ``rawx``, ``uct``, ``cdf``, ``dgs``, ``cgmes`` or ``xiidm``.

    Returns:
        The network; ``approximations`` lists what isn't exact, one sentence each.

    Raises:
        GridError: if powsybl isn't installed, or can't read it.
    """
    powsybl = _powsybl(path)
    network = _load(powsybl, path, form)
    raw, unread = _raw(path, form)
    net = pp.create_empty_network(
        name=path.stem,
        f_hz=raw.frequency_hz if raw else FREQUENCY_HZ,
        sn_mva=raw.base_mva if raw else BASE_MVA,
        add_stdtypes=False,
    )
    try:
        network.per_unit = False
        source = Source(form, network, net, document_of(network), raw, notes=unread)
        _convert(source)
        # Now, as powsybl's threads are not there in processes that are forked from this one.
        source.network = None
    except GridError:
        raise
    except Exception as error:  # whatever a file holds, it is named
        reason = f"{type(error).__name__}: {error}"
        raise GridError(
            f"powsybl reads it, but it can't be converted: {reason}", file=path
        ) from error
    net[APPROXIMATIONS] = list(dict.fromkeys(source.notes))
    return net


def _convert(source: Source) -> None:
    add_buses(source)
    add_switches(source)
    add_lines(source)
    add_transformers(source)
    add_three_windings(source)
    add_loads(source)
    add_batteries(source)
    converters, pairs = hvdc_lines(source)
    units = [*generators(source), *compensators(source), *boundary_units(source), *converters]
    units += dc_converters(source)
    agree(source, [*units, *(unit for _, _, ends in pairs for unit in ends)])
    add_units(source, units)
    add_hvdc_lines(source, pairs)
    share_out(source)
    add_shunts(source)
    _note_what_is_missing(source)
    if TABLE in source.net:
        source.net[TABLE] = source.net[TABLE].astype({"index": int, "controller": int})


def _note_what_is_missing(source: Source) -> None:
    for extension, what in UNHEEDED.items():
        ids = list(dict.fromkeys(map(str, source.extension(extension).index)))
        if ids:
            named = f"{', '.join(ids[:3])}{' and others' if len(ids) > 3 else ''}"
            source.note(f"{what} isn't followed: {named}")
    for kind, count in source.document.beside.items():
        source.note(f"{count} {BESIDE[kind]} have no element in pandapower")
    counts = source.raw.counts if source.raw else {}
    for section, what in NOT_READ.items():
        if counts.get(section):
            source.note(f"{counts[section]} {what} aren't read")
    for section, kinds in COUNTED.items():
        found = sum(len(source.frame(kind)) for kind in kinds)
        found //= 2 if section in ("twotermdc", "vscdc") else 1
        missing = counts.get(section, 0) - found
        if missing > 0:
            source.note(
                f"{missing} of {counts[section]} records of {section} aren't read by powsybl"
            )


def _powsybl(path: Path) -> Any:
    # It warns on import of what nobody here needs.
    log = logging.getLogger("powsybl")
    log.setLevel(logging.ERROR)
    log.propagate = False
    try:
        import pypowsybl.network
    except ImportError:
        hint = 'pip install "gat-batch[formats]"'
        raise GridError("needs powsybl to be read", file=path, hint=hint) from None
    return pypowsybl.network


def _raw(path: Path, form: str) -> tuple[RawText | None, list[str]]:
    """Read what powsybl leaves out of a PSS/E file; what can't be read is a sentence."""
    if form not in ("raw", "rawx"):
        return None, []
    text = _bytes(path).decode("utf-8", errors="replace")
    try:
        return (raw_json(text) if form == "rawx" else raw_text(text)), []
    except Exception as error:  # noqa: BLE001 - any content may be in such a file
        reason = f"{type(error).__name__}: {error}"
        return None, [f"areas, ratings B and C and base values of the file aren't read: {reason}"]


def _load(powsybl: Any, path: Path, form: str) -> Any:
    """Have powsybl read a file by its content, so that its name and suffix don't matter."""
    content = _zipped(path) if form == "cgmes" else _bytes(path)
    causes = _Causes()
    log = logging.getLogger("powsybl")
    log.addHandler(causes)
    try:
        if form == "cgmes":
            return powsybl.load_from_binary_buffer(io.BytesIO(content))
        text = content.decode("utf-8", errors="replace")
        return powsybl.load_from_string(f"{path.stem}.{READ_AS[form]}", text)
    except Exception as error:  # noqa: BLE001 - powsybl fails in many ways on other content
        reason = causes.after(str(error))
        hint = "a model needs its boundary profiles, too" if "BaseVoltage" in reason else None
        raise GridError(f"powsybl can't read it: {reason}", file=path, hint=hint) from None
    finally:
        log.removeHandler(causes)


class _Causes(logging.Handler):
    """Keeps what powsybl logs on why it failed, as its exceptions often don't say."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.text += record.getMessage()

    def after(self, reason: str) -> str:
        """Return a reason with its cause and the record of the file that it is about, if known."""
        causes = re.findall(r"Caused by: [\w.$]+: (.*)", self.text)
        records = re.findall(r"Psse(\w+)\.fromRecord", self.text)
        parts = [reason, *causes[-1:], *(f"in a record of type {name}" for name in records[:1])]
        return ": ".join(dict.fromkeys(parts))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise GridError(f"can't be read: {error.strerror}", file=path) from None


def _zipped(path: Path) -> bytes:
    """Return the XML files of a CGMES model as one archive, whatever archives they come in."""
    files: dict[str, bytes] = {}
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.suffix.lower() in (".xml", ".zip"):
                files |= _profiles(file.name, _bytes(file), path)
    else:
        files = _profiles(path.name, _bytes(path), path)
    if not files:
        raise GridError("holds no XML files of a CGMES model", file=path)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _profiles(name: str, content: bytes, path: Path) -> dict[str, bytes]:
    if not name.lower().endswith(".zip"):
        return {name.rpartition("/")[2]: content} if name.lower().endswith(".xml") else {}
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for inner in sorted(archive.namelist()):
                if inner.lower().endswith((".xml", ".zip")):
                    found |= _profiles(inner, archive.read(inner), path)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise GridError(f"{name} is not a zip archive: {error}", file=path) from None
    return found
