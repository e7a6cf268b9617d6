"""What pypowsybl's tables leave out, read from powsybl's own file format (XIIDM)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

CONVERTED = {
    "bus", "busbarSection", "switch", "generator", "load", "shuntCompensator", "battery", "line",
    "tieLine", "boundaryLine", "danglingLine", "twoWindingsTransformer",
    "threeWindingsTransformer", "staticVarCompensator", "vscConverterStation",
    "lccConverterStation", "hvdcLine", "voltageSourceConverter", "lineCommutatedConverter",
}  # fmt: skip
"""Elements that become something in pandapower."""

BESIDE = {
    "ground": "grounds, which switches may connect",
    "dcNode": "nodes of DC grids",
    "dcLine": "lines of DC grids",
    "dcSwitch": "switches of DC grids",
    "dcGround": "grounds of DC grids",
    "overloadManagementSystem": "overload management systems",
}
"""Elements that become nothing, and what they are."""


@dataclass(frozen=True)
class LoadModel:
    """How a load depends on its voltage: shares of constant impedance and current, 0 to 1.

    Attributes:
        z_p, i_p: shares of the active power.
        z_q, i_q: shares of the reactive power.
        exact: whether the shares say all; false for exponents that are no whole numbers.
    """

    z_p: float
    i_p: float
    z_q: float
    i_q: float
    exact: bool = True


@dataclass
class Document:
    """What was found.

    Attributes:
        loads: id of a load -> its model, of those that aren't of constant power.
        beside: kinds of elements that become nothing -> how many there are.
        converters: attributes of line-commutated converters of DC grids, which no table has.
    """

    loads: dict[str, LoadModel] = field(default_factory=dict)
    beside: Counter[str] = field(default_factory=Counter)
    converters: list[dict[str, str]] = field(default_factory=list)


def document_of(network: Any) -> Document:
    """Read what tables leave out of a network of powsybl."""
    found = Document()
    text: str = network.save_to_string("XIIDM")
    for _, element in ElementTree.iterparse(_Chunks(text)):  # noqa: S314 - powsybl's own
        kind = element.tag.rpartition("}")[2]
        if kind == "load":
            _learn_load(found, element)
        elif kind in BESIDE:
            found.beside[kind] += 1
        elif kind == "lineCommutatedConverter":
            found.converters.append(dict(element.attrib))
        if kind not in ("zipModel", "exponentialModel"):
            element.clear()
    return found


class _Chunks:
    """Text as a file that the parser reads piece by piece, so that no second copy is held."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def read(self, size: int = -1) -> bytes:
        """Return the next piece."""
        end = len(self._text) if size < 0 else self._at + size
        piece, self._at = self._text[self._at : end], end
        return piece.encode()


def _learn_load(found: Document, element: Element) -> None:
    for child in element:
        kind = child.tag.rpartition("}")[2]
        value = {name: float(number) for name, number in child.attrib.items()}
        if kind == "zipModel":
            model = LoadModel(value["c2p"], value["c1p"], value["c2q"], value["c1q"])
            if any((model.z_p, model.i_p, model.z_q, model.i_q)):
                found.loads[element.attrib["id"]] = model
        elif kind == "exponentialModel":
            similar = _of_exponents(value["np"], value["nq"])
            if similar:
                found.loads[element.attrib["id"]] = similar


def _of_exponents(active: float, reactive: float) -> LoadModel | None:
    """Return shares with the same slope at 1 p.u.; exact for exponents 0, 1 and 2."""
    if not active and not reactive:
        return None
    (z_p, i_p), (z_q, i_q) = (_shares(exponent) for exponent in (active, reactive))
    exact = all(exponent in (0.0, 1.0, 2.0) for exponent in (active, reactive))
    return LoadModel(z_p, i_p, z_q, i_q, exact)


def _shares(exponent: float) -> tuple[float, float]:
    """Return shares of constant impedance and current whose slope at 1 p.u. is the exponent."""
    if exponent <= 1:
        return 0.0, exponent
    return exponent - 1, 2 - exponent
