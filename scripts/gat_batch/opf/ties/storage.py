"""Storages: what they hold ties the snapshots together.

The content after a snapshot is what is left of the content before, and what charging added and
discharging took in its hours, both with their losses. That a storage doesn't charge and discharge
at once isn't part of the program, which stays convex: where losses pay, as where prices are
negative, :func:`both_ways` finds it, and :func:`turned_one_way` leaves one of the two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .ties import Ties, rows_over

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..dispatch import Dispatch

    Reals = NDArray[np.float64]

AT_ONCE = 1e-6
"""Power in p.u. from which charging and discharging count as at once."""


def storage_ties(snapshots: Sequence[Dispatch]) -> Ties:
    """Return two rows a storage and snapshot: its power, and its content.

    Variables are what each charges, discharges and holds, kind by kind, snapshot by snapshot.
    """
    every = [dispatch.stores for dispatch in snapshots]
    shape = (len(every), len(every[0].unit))
    units = len(snapshots[0].units.row)
    rows = np.arange(np.prod(shape)).reshape(shape)
    charge, discharge, content = rows, rows.size + rows, 2 * rows.size + rows

    def of_all(name: str) -> Reals:
        return np.array([getattr(stores, name) for stores in every]).reshape(shape)

    hours = np.array([[stores.hours] for stores in every])
    unit, way, left = of_all("unit").astype(np.int64), of_all("way"), of_all("left")
    first, low, high = every[0].first, of_all("low"), of_all("high")
    low[-1] = np.maximum(low[-1], every[-1].last)
    # Of what is held at first, the first row knows; if that isn't given, it is held at the end.
    known = np.isfinite(first)
    before = np.roll(content, 1, axis=0)
    carried = -left.copy()
    carried[0, known] = 0.0
    begun = np.zeros(shape)
    begun[0, known] = left[0, known] * first[known]
    places = np.arange(len(every))[:, None] * units + unit
    most = np.array([dispatch.units.p[dispatch.stores.unit] for dispatch in snapshots])
    most = most.reshape(*shape, 2)
    most_out = np.where(way < 0, 0.0, np.maximum(most[..., 1], 0.0))
    most_in = np.where(way > 0, 0.0, np.maximum(-most[..., 0], 0.0))
    held = rows.size + rows
    return Ties(
        units=rows_over([(1.0, rows, places)], 2 * rows.size, len(every) * units),
        own=rows_over(
            [
                (1.0, rows, charge),
                (-1.0, rows, discharge),
                (1.0, held, content),
                (carried, held, before),
                (-hours * of_all("charging"), held, charge),
                (hours / of_all("discharging"), held, discharge),
            ],
            2 * rows.size,
            3 * rows.size,
        ),
        low=np.concatenate([np.zeros(2 * rows.size), low.ravel()]),
        high=np.concatenate([most_in.ravel(), most_out.ravel(), high.ravel()]),
        row_low=np.concatenate([np.zeros(rows.size), begun.ravel()]),
        row_high=np.concatenate([np.zeros(rows.size), begun.ravel()]),
    )


@dataclass(frozen=True)
class Stored:
    """What storages do, in p.u. and hours at 1 p.u., each of shape (snapshots, stores)."""

    charge: Reals
    discharge: Reals
    content: Reals


def stored_at(snapshots: Sequence[Dispatch], own: Reals) -> Stored:
    """Return what storages do, from the variables of :func:`storage_ties`, which come first."""
    shape = (3, len(snapshots), len(snapshots[0].stores.unit))
    return Stored(*own[: int(np.prod(shape))].reshape(shape))


def both_ways(snapshots: Sequence[Dispatch], stored: Stored) -> NDArray[np.bool_]:
    """Tell which storages charge and discharge at once, shape (snapshots, stores)."""
    lossy = np.array([d.stores.charging * d.stores.discharging < 1 for d in snapshots])
    both = np.minimum(stored.charge, stored.discharge) > AT_ONCE
    at_once: NDArray[np.bool_] = both & lossy.reshape(both.shape)
    return at_once


def turned_one_way(snapshots: Sequence[Dispatch], stored: Stored) -> list[Dispatch]:
    """Return snapshots in which storages that do both may only do what is left of both."""
    both = both_ways(snapshots, stored)
    way = np.where(stored.discharge > stored.charge, 1, -1)
    return [
        replace(d, stores=replace(d.stores, way=np.where(now, own, d.stores.way)))
        for d, now, own in zip(snapshots, both, way, strict=True)
    ]
