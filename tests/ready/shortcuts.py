"""What pandapower does again and again, done once or without detours; the same comes out."""

from __future__ import annotations

import os
import pickle
import sys
from copy import deepcopy
from functools import cache, wraps
from inspect import isfunction
from typing import TYPE_CHECKING, Any

import pandapower
import pandas as pd
from pandapower import networks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = ("power_system_test_cases", "mv_oberrhein", "cigre_networks", "create_examples")


def read_once(shared: Path | None = None) -> None:
    """Have grids that ship with pandapower read once in this process and its forks.

    What one process has read is kept in the folder ``shared`` for others.
    """
    for name, read in [*vars(networks).items()]:
        if isfunction(read) and read.__module__.removeprefix("pandapower.networks.") in FILES:
            setattr(networks, name, made_once(kept(read, shared) if shared else read))


def solve_sooner() -> None:
    """Have pandapower solve references sooner in this process; jobs have pandapower as it is."""
    create = pandapower.create_empty_network
    made = named(made_once(create))
    for name, module in [*sys.modules.items()]:
        if name.startswith("pandapower") and vars(module).get(create.__name__) is create:
            setattr(module, create.__name__, made)
    pd.DataFrame.query = answered(pd.DataFrame.query)
    pd.DataFrame.__deepcopy__ = copied


def made_once(make: Callable[..., Any]) -> Callable[..., Any]:
    """Have a function called once for the same arguments, and its result copied from then on.

    To copy a grid takes a tenth of the time that it takes to read it.
    """
    known = cache(make)

    @wraps(make)
    def copy(*arguments: Any, **keywords: Any) -> Any:
        return deepcopy(known(*arguments, **keywords))

    return copy


def kept(read: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    """Have a grid that another process has read taken from a file that is loaded at once."""

    @wraps(read)
    def loaded(*arguments: Any, **keywords: Any) -> Any:
        if arguments or keywords:
            return read(*arguments, **keywords)
        file = folder / f"{read.__name__}.pickle"
        if file.exists():
            return pickle.loads(file.read_bytes())  # noqa: S301 - written below
        net = read()
        own = file.with_suffix(f".{os.getpid()}")
        own.write_bytes(pickle.dumps(net))
        own.replace(file)
        return net

    return loaded


def named(create: Callable[..., Any]) -> Callable[..., Any]:
    """Have empty networks differ by what is just written into them."""

    @wraps(create)
    def create_named(name: str = "", f_hz: float = 50.0, sn_mva: float = 1, **keywords: Any) -> Any:
        net = create(**keywords)
        net.update({"name": name, "f_hz": f_hz, "sn_mva": sn_mva})
        return net

    return create_named


def answered(query: Callable[..., pd.DataFrame]) -> Callable[..., pd.DataFrame]:
    """Have what pandapower asks of tables before each power flow answered without a parser.

    It asks six times which elements are in service: that is half of a small grid's power flow.
    """

    @wraps(query)
    def rows(table: pd.DataFrame, asked: str, **keywords: Any) -> pd.DataFrame:
        if keywords or not (asked == "in_service" or asked.startswith("in_service &")):
            return query(table, asked, **keywords)
        if table.empty:
            return table.copy()
        if asked == "in_service" and table[asked].dtype == bool:
            return table[table[asked]]
        return query(table, asked)

    return rows


def copied(table: pd.DataFrame, _: dict[int, Any] | None = None) -> pd.DataFrame:
    """Return a copy of a table. Most of a network's are empty, and have nothing to be copied."""
    return table.copy(deep=not table.empty)
