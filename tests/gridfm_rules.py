"""The rules that gridfm-datakit documents for its tables, and its validation holds them to.

Nothing here knows how the tables are written: they are read with pandas, as its users do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = {
    "bus_data": (
        "scenario load_scenario_idx bus Pd Qd Pg Qg Vm Va PQ PV REF vn_kv min_vm_pu max_vm_pu GS BS"
    ),
    "gen_data": (
        "scenario load_scenario_idx idx bus p_mw q_mvar min_p_mw max_p_mw min_q_mvar max_q_mvar"
        " cp0_eur cp1_eur_per_mw cp2_eur_per_mw2 in_service is_slack_gen"
    ),
    "branch_data": (
        "scenario load_scenario_idx idx from_bus to_bus pf qf pt qt r x b Yff_r Yff_i Yft_r Yft_i"
        " Ytf_r Ytf_i Ytt_r Ytt_i tap shift ang_min ang_max rate_a br_status"
    ),
    "y_bus_data": "scenario load_scenario_idx index1 index2 G B",
    "runtime_data": "scenario load_scenario_idx ac",
}
DC_COLUMNS = {
    "bus_data": "Va_dc Pg_dc",
    "gen_data": "p_mw_dc",
    "branch_data": "pf_dc pt_dc",
    "y_bus_data": "",
    "runtime_data": "dc",
}
WHOLE = ["scenario", "load_scenario_idx", "bus", "idx", "from_bus", "to_bus", "index1", "index2"]
FLAGS = ["PQ", "PV", "REF", "in_service", "is_slack_gen", "br_status"]
PARTITION = 200


def read_tables(raw: Path) -> dict[str, pd.DataFrame]:
    """Read the tables partition by partition, and see that these are as they should be."""
    count = int((raw / "n_scenarios.txt").read_text())
    tables = {}
    for name in COLUMNS:
        parts = []
        for partition in range(-(-count // PARTITION)):
            part = pd.read_parquet(raw / f"{name}.parquet" / f"scenario_partition={partition}")
            last = min(count, (partition + 1) * PARTITION)
            assert set(part["scenario"]) == set(range(partition * PARTITION, last)), name
            parts.append(part)
        tables[name] = pd.concat(parts, ignore_index=True)
    return tables


def check_columns(tables: dict[str, pd.DataFrame]) -> None:
    dc = "Va_dc" in tables["bus_data"]
    for name, table in tables.items():
        own = COLUMNS[name].split()
        assert list(table) == own + (DC_COLUMNS[name].split() if dc else []), name
        assert not table[own].isna().any().any(), name
        for column in table:
            kind = "int8" if column in FLAGS else "int64" if column in WHOLE else "float64"
            assert table[column].dtype == kind, (name, column)


def check_dc(tables: dict[str, pd.DataFrame]) -> None:
    """All columns of DC are void in the same samples, and generation at buses adds up."""
    if "Va_dc" not in tables["bus_data"]:
        return
    void = {
        column: frozenset(tables[name].loc[tables[name][column].isna(), "scenario"])
        for name, columns in DC_COLUMNS.items()
        for column in columns.split()
    }
    assert len(set(void.values())) == 1, void
    _check_sums(tables, {"Pg_dc": "p_mw_dc"})


def check_tables(tables: dict[str, pd.DataFrame], base_mva: float, mode: str) -> None:
    """Hold tables of samples to all rules.

    Args:
        tables: as from :func:`read_tables`.
        base_mva: the system base.
        mode: ``pf`` or ``opf``.
    """
    bus, gen, branch = (tables[name] for name in ("bus_data", "gen_data", "branch_data"))
    check_columns(tables)
    check_dc(tables)
    assert bus["Va"].abs().max() <= 180
    assert (bus[["PQ", "PV", "REF"]].sum(axis=1) == 1).all()
    _check_sums(tables, {"Pg": "p_mw", "Qg": "q_mvar"})
    _check_types(bus, gen)
    _check_branches(bus, branch, base_mva)
    _check_matrix(tables)
    assert mismatch(tables, base_mva).abs().to_numpy().max() < 1e-6
    off = gen[gen["in_service"] == 0]
    assert not off[["p_mw", "q_mvar"]].to_numpy().any()
    if mode == "opf":
        on = gen[gen["in_service"] == 1]
        for value, low, high in (
            (on["p_mw"], on["min_p_mw"], on["max_p_mw"]),
            (on["q_mvar"], on["min_q_mvar"], on["max_q_mvar"]),
        ):
            assert ((value >= low - 1e-2) & (value <= high + 1e-2)).all()
        assert (bus["Vm"] >= bus["min_vm_pu"] - 1e-6).all()
        assert (bus["Vm"] <= bus["max_vm_pu"] + 1e-6).all()
        rated = branch[branch["rate_a"] > 0]
        size = np.maximum(np.hypot(rated["pf"], rated["qf"]), np.hypot(rated["pt"], rated["qt"]))
        assert (size <= 1.01 * rated["rate_a"]).all()


def mismatch(tables: dict[str, pd.DataFrame], base_mva: float) -> pd.DataFrame:
    """Return the power of each bus off balance in p.u., from admittances and injections alone."""
    bus = tables["bus_data"].set_index(["scenario", "bus"])
    voltage = bus["Vm"] * np.exp(1j * np.radians(bus["Va"]))
    y_bus = tables["y_bus_data"]
    column = voltage.loc[pd.MultiIndex.from_frame(y_bus[["scenario", "index2"]])].to_numpy()
    current = (y_bus["G"] + 1j * y_bus["B"]) * column
    keys = [y_bus["scenario"], y_bus["index1"]]
    total = pd.DataFrame({"re": np.real(current), "im": np.imag(current)}).groupby(keys).sum()
    total = total.reindex(bus.index).fillna(0.0)
    drawn = voltage * np.conj(total["re"] + 1j * total["im"]) * base_mva
    given = bus["Pg"] - bus["Pd"] + 1j * (bus["Qg"] - bus["Qd"])
    rest = (given - drawn) / base_mva
    return pd.DataFrame({"p": np.real(rest), "q": np.imag(rest)}, index=bus.index)


def _check_sums(tables: dict[str, pd.DataFrame], names: dict[str, str]) -> None:
    bus = tables["bus_data"].set_index(["scenario", "bus"])
    sums = tables["gen_data"].groupby(["scenario", "bus"])[[*names.values()]].sum(min_count=1)
    sums = sums.reindex(bus.index)
    for at_bus, of_generator in names.items():
        known = bus[at_bus].notna()
        difference = bus.loc[known, at_bus] - sums.loc[known, of_generator].fillna(0.0)
        assert difference.abs().max() < 1e-6


def _check_types(bus: pd.DataFrame, gen: pd.DataFrame) -> None:
    running = gen[gen["in_service"] == 1].groupby(["scenario", "bus"]).size()
    found = running.reindex(pd.MultiIndex.from_frame(bus[["scenario", "bus"]])).fillna(0)
    has = found.to_numpy() > 0
    assert (has == (bus["PQ"] == 0)).all()
    keyed = bus.set_index(["scenario", "bus"])["REF"]
    at = keyed.loc[pd.MultiIndex.from_frame(gen[["scenario", "bus"]])].to_numpy()
    assert (gen["is_slack_gen"] == at).all()
    assert (bus.groupby("scenario")["REF"].sum() >= 1).all()


def _check_branches(bus: pd.DataFrame, branch: pd.DataFrame, base_mva: float) -> None:
    stored = {
        name: (branch[f"{name}_r"] + 1j * branch[f"{name}_i"]).to_numpy()
        for name in ("Yff", "Yft", "Ytf", "Ytt")
    }
    flows = (branch["pf"] + 1j * branch["qf"]).to_numpy(), (branch["pt"] + 1j * branch["qt"])
    dead = branch["br_status"].to_numpy() == 0
    for values in (*stored.values(), *flows):
        assert not np.asarray(values)[dead].any()
    assert (branch["tap"] != 0).all()
    series = 1 / (branch["r"] + 1j * branch["x"]).to_numpy()
    ratio = (branch["tap"] * np.exp(1j * np.radians(branch["shift"]))).to_numpy()
    own = series + 0.5j * branch["b"].to_numpy()
    wanted = {
        "Yff": own / np.abs(ratio) ** 2,
        "Yft": -series / np.conj(ratio),
        "Ytf": -series / ratio,
        "Ytt": own,
    }
    for name, values in wanted.items():
        assert np.abs(values - stored[name])[~dead].max() < 1e-8, name
    keyed = bus.set_index(["scenario", "bus"])
    voltage = keyed["Vm"] * np.exp(1j * np.radians(keyed["Va"]))
    first, second = (
        voltage.loc[pd.MultiIndex.from_frame(branch[["scenario", end]])].to_numpy()
        for end in ("from_bus", "to_bus")
    )
    into = first * np.conj(stored["Yff"] * first + stored["Yft"] * second) * base_mva
    np.testing.assert_allclose(into, flows[0], atol=1e-6)
    into = second * np.conj(stored["Ytf"] * first + stored["Ytt"] * second) * base_mva
    np.testing.assert_allclose(into, flows[1], atol=1e-6)


def _check_matrix(tables: dict[str, pd.DataFrame]) -> None:
    """The admittance matrix is that of branches and shunts."""
    bus, branch = tables["bus_data"], tables["branch_data"]
    parts = [pd.DataFrame({"s": bus["scenario"], "i": bus["bus"], "j": bus["bus"],
                           "G": bus["GS"], "B": bus["BS"]})]  # fmt: skip
    for name, i, j in (
        ("Yff", "from_bus", "from_bus"),
        ("Yft", "from_bus", "to_bus"),
        ("Ytf", "to_bus", "from_bus"),
        ("Ytt", "to_bus", "to_bus"),
    ):
        values = {"G": branch[f"{name}_r"], "B": branch[f"{name}_i"]}
        parts.append(
            pd.DataFrame({"s": branch["scenario"], "i": branch[i], "j": branch[j], **values})
        )
    wanted = pd.concat(parts).groupby(["s", "i", "j"])[["G", "B"]].sum()
    found = tables["y_bus_data"].rename(columns={"scenario": "s", "index1": "i", "index2": "j"})
    found = found.set_index(["s", "i", "j"])[["G", "B"]]
    assert not found.index.duplicated().any()
    np.testing.assert_allclose(found.reindex(wanted.index).fillna(0.0), wanted, atol=1e-9)
    assert set(found.index) <= set(wanted.index)
