"""Standard types of lines and transformers: their parameters, and what a component makes of them.

Types are those of the file, else those that PyPSA brings along: pandapower's library as PyPSA took
it over, of which six transformers have changed there since, and bundles of conductors.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np
import pandapower as pp

from ...errors import GridError

if TYPE_CHECKING:
    from .tables import Components

CONDUCTORS = {
    "Al/St 240/40 2-bundle 220.0": (0.06, 0.301, 12.5),
    "Al/St 240/40 3-bundle 300.0": (0.04, 0.265, 13.2),
    "Al/St 240/40 4-bundle 380.0": (0.03, 0.246, 13.8),
    "Al/St 490/64 4-bundle 380.0": (0.015, 0.16, 16.5),
    "HTLS 4-bundle 380.0": (0.02, 0.26, 13.9),
    "Al/St 560/50 4-bundle 750.0": (0.013, 0.276, 13.13),
}
"""Bundles of conductors -> ohm, ohm and nF per km.

Source: Oeding and Oswald, Elektrische Kraftwerke und Netze, table 9.2, as cited by PyPSA.
"""

WINDINGS = {
    "25 MVA 110/10 kV": (25.0, 10.04, 0.276, 28.51, 0.073),
    "25 MVA 110/20 kV": (25.0, 11.2, 0.282, 29.0, 0.071),
    "40 MVA 110/10 kV": (40.0, 10.04, 0.295, 30.45, 0.076),
    "40 MVA 110/20 kV": (40.0, 11.2, 0.302, 31.0, 0.08),
    "63 MVA 110/10 kV": (63.0, 10.04, 0.31, 31.51, 0.078),
    "63 MVA 110/20 kV": (63.0, 11.2, 0.322, 33.0, 0.086),
}
"""Transformers that pandapower's library has with other values by now -> MVA, vk and vkr in
percent, iron losses in kW, no-load current in percent.

Source: Oswald, Elektrische Energieversorgung I, as cited by PyPSA.
"""

TRANSFORMER = {
    "s_nom": np.nan, "vsc": np.nan, "vscr": np.nan, "pfe": 0.0, "i0": 0.0, "phase_shift": 0.0,
    "tap_side": 0.0, "tap_neutral": 0.0, "tap_step": 0.0,
}  # fmt: skip
"""Parameters of a type of transformers, and what counts where they are missing."""

FREQUENCY_HZ = 50.0


class StandardTypes:
    """The types that a network's components may name.

    Args:
        components: the network.
    """

    def __init__(self, components: Components) -> None:
        self._components = components
        self._library = pp.create_empty_network().std_types

    def line(self, name: str, km: float, parallel: float) -> tuple[float, float, float]:
        """Return resistance and reactance in ohm, and susceptance in S, of a line.

        Args:
            name: its type.
            km: its length.
            parallel: its parallel circuits.

        Raises:
            GridError: if there is no such type.
        """
        r, x, nf, hz = self._per_km(name)
        siemens = 2 * np.pi * hz * nf * 1e-9
        return r * km / parallel, x * km / parallel, siemens * km * parallel

    def _per_km(self, name: str) -> tuple[float, float, float, float]:
        table = self._components.table("line_types")
        if name in table.index:
            keys = ("r_per_length", "x_per_length", "c_per_length")
            r, x, nf = (self._components.numbers("line_types", key, np.nan)[name] for key in keys)
            return r, x, nf, self._components.numbers("line_types", "f_nom", FREQUENCY_HZ)[name]
        library = self._library["line"]
        if name in library:
            own = library[name]
            return own["r_ohm_per_km"], own["x_ohm_per_km"], own["c_nf_per_km"], FREQUENCY_HZ
        if name in CONDUCTORS:
            return (*CONDUCTORS[name], FREQUENCY_HZ)
        raise self._unknown("line", name, [*table.index, *library, *CONDUCTORS])

    def transformer(self, name: str, parallel: float, tap: float) -> dict[str, float]:
        """Return the parameters of a transformer by PyPSA's names, in p.u. of its rated power.

        Args:
            name: its type.
            parallel: its parallel units.
            tap: position of its tap changer.

        Raises:
            GridError: if there is no such type.
        """
        own = self._transformer_type(name)
        r = own["vscr"] / 100
        x = np.sqrt((own["vsc"] / 100) ** 2 - r**2)
        g = own["pfe"] / (1000 * own["s_nom"])
        b = -np.sqrt(max((own["i0"] / 100) ** 2 - g**2, 0.0))
        return {
            "s_nom": own["s_nom"],
            "r": r / parallel,
            "x": x / parallel,
            "g": g * parallel,
            "b": b * parallel,
            "phase_shift": own["phase_shift"],
            "tap_side": own["tap_side"],
            "tap_ratio": 1 + (tap - own["tap_neutral"]) * own["tap_step"] / 100,
        }

    def _transformer_type(self, name: str) -> dict[str, float]:
        table = self._components.table("transformer_types")
        if name in table.index:
            return {
                key: self._components.numbers("transformer_types", key, default)[name]
                for key, default in TRANSFORMER.items()
            }
        library = self._library["trafo"]
        if name not in library:
            raise self._unknown("transformer", name, [*table.index, *library])
        own = library[name]
        keys = ("sn_mva", "vk_percent", "vkr_percent", "pfe_kw", "i0_percent")
        s_nom, vsc, vscr, pfe, i0 = WINDINGS.get(name) or [own[key] for key in keys]
        return {
            "s_nom": s_nom,
            "vsc": vsc,
            "vscr": vscr,
            "pfe": pfe,
            "i0": i0,
            "phase_shift": own["shift_degree"],
            "tap_side": float(own["tap_side"] == "lv"),
            "tap_neutral": own["tap_neutral"],
            "tap_step": own["tap_step_percent"],
        }

    def _unknown(self, kind: str, name: str, known: list[str]) -> GridError:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "leave it empty and give r, x and b"
        what = f"there is no {kind} type {name!r}"
        return GridError(what, file=self._components.file, field=f"{kind}s", hint=hint)
