"""Grids of SimBench, a package of benchmark grids (``simbench:CODE``), with a year of profiles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..errors import GridError
from ..files.times import time_name
from .time_series import KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

CASES = "loadcases"
"""What such a grid holds beside its elements and profiles: load cases, which no scenario reads."""

FOLLOWERS = {
    "load": ("p_mw", "q_mvar"),
    "sgen": ("p_mw",),
    "gen": ("p_mw",),
    "storage": ("p_mw",),
}
"""Columns that follow profiles."""


@dataclass(frozen=True)
class SimbenchSeries:
    """The profiles of a grid of SimBench.

    Attributes:
        file: the grid's reference.
        times: names of the times.
        profiles: kind of element -> factors, one column a profile.
    """

    file: Path
    times: tuple[str, ...]
    profiles: Mapping[str, pd.DataFrame]

    def values(
        self, net: pandapowerNet, times: Sequence[int]
    ) -> Mapping[tuple[str, str], NDArray[np.float64]]:
        """Return powers at some times: those of the network times its profiles, as SimBench does.

        Args:
            net: the network.
            times: positions of the times.

        Returns:
            Columns by (element, column), each of shape (times, elements), in MW and MVAr.
        """
        from simbench import get_absolute_profiles_from_relative_profiles

        found = {}
        for element, columns in FOLLOWERS.items():
            factors = self.profiles[element].iloc[list(times)]
            if not len(net[element]) or "profile" not in net[element]:
                continue
            for column in columns:
                powers = get_absolute_profiles_from_relative_profiles(
                    net, element, column, relative_profiles=factors
                )
                found[element, column] = powers.to_numpy(np.float64)
        return found


def read_simbench(code: str) -> pandapowerNet:
    """Read a grid of SimBench.

    Args:
        code: its code, such as ``1-MV-urban--0-sw``.

    Returns:
        The network, with its profiles as time series.

    Raises:
        GridError: if SimBench isn't installed, or has no such grid.
    """
    source = f"simbench:{code}"
    try:
        import simbench
    except ImportError:
        hint = 'pip install "gat-batch[formats]"'
        raise GridError("needs simbench to be read", file=source, hint=hint) from None
    if code not in simbench.collect_all_simbench_codes():
        hint = "simbench.collect_all_simbench_codes() lists them"
        raise GridError(f"SimBench has no grid {code!r}", file=source, hint=hint)
    try:
        net = simbench.get_simbench_net(code)
    except Exception as error:  # noqa: BLE001 - it fails in many ways
        reason = f"{type(error).__name__}: {error}"
        raise GridError(f"SimBench can't read it: {reason}", file=source) from None
    net.pop(CASES, None)
    net[KEY] = _series(net.pop("profiles"), source)
    return net


def _series(profiles: Mapping[str, pd.DataFrame], source: str) -> SimbenchSeries:
    """Return profiles by the elements that follow them, without their columns of times."""
    names = tuple(map(time_name, profiles["load"]["time"]))
    factors = {
        kind: frame.drop(columns="time").reindex(range(len(names)))
        for kind, frame in profiles.items()
    }
    # Power plants and renewables may each be a gen or an sgen.
    units = pd.concat([factors["powerplants"], factors["renewables"]], axis=1)
    by_element = {"load": factors["load"], "sgen": units, "gen": units}
    return SimbenchSeries(Path(source), names, {**by_element, "storage": factors["storage"]})
