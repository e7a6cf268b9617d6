"""Excel files of pandapower and grids of SimBench: read as data, refused with a reason."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandapower
import pandapower.control
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandapower.io_utils import to_dict_of_dfs
from power_flow_studies import grid

from gat_batch.errors import GridError
from gat_batch.grids import grid_ref, read_grid, write_grid
from gat_batch.grids.approximations import (
    APPROXIMATIONS,
    read_approximations,
    told,
    write_approximations,
)
from gat_batch.grids.tap_controllers import TABLE


def read(reference, folder):
    return read_grid(grid_ref(reference, folder))


@pytest.fixture
def to_excel():
    """pandapower.to_excel, which needs another package to write."""
    pytest.importorskip("openpyxl", reason="openpyxl isn't installed")

    def write(net, path):
        with pd.ExcelWriter(path, engine="openpyxl") as writer:
            for name, table in to_dict_of_dfs(net).items():
                table.to_excel(writer, sheet_name=name)

    return write


def test_excel_holds_the_same_network(to_excel, tmp_path):
    net = grid("example_multivoltage")
    to_excel(net, tmp_path / "net.xlsx")
    found = read("net.xlsx", tmp_path)
    for either in (net, found):
        pandapower.runpp(either, calculate_voltage_angles=True)
    for element in ("bus", "line", "trafo", "trafo3w", "xward"):
        assert_allclose(found[f"res_{element}"], net[f"res_{element}"], rtol=1e-9, atol=1e-9)
        assert found[element]["name"].tolist() == net[element]["name"].tolist()


def test_tap_controllers_of_excel_are_read_as_data(to_excel, tmp_path):
    net = grid("mv_oberrhein")
    pandapower.control.DiscreteTapControl(net, 114, 1.0, 1.02)
    to_excel(net, tmp_path / "net.xlsx")
    found = read("net.xlsx", tmp_path)
    assert found[TABLE]["index"].tolist() == [114]
    assert not len(found.controller)


def test_excel_runs_nothing(to_excel, tmp_path):
    net = grid("case9")
    mark = tmp_path / "ran"
    bomb = {"_module": "os", "_class": "system", "_object": f"touch {mark}"}
    net.bus["geo"] = json.dumps(bomb)
    to_excel(net, tmp_path / "net.xlsx")
    with pytest.raises(GridError, match=r"net.xlsx: holds an object of class os.system"):
        read("net.xlsx", tmp_path)
    net = grid("case9")
    pandapower.control.ConstControl(net, "load", "p_mw", 0)
    to_excel(net, tmp_path / "net.xlsx")
    with pytest.raises(GridError, match="ConstControl"):
        read("net.xlsx", tmp_path)
    assert not mark.exists()


@pytest.mark.usefixtures("to_excel")
def test_what_is_no_network(tmp_path):
    (tmp_path / "net.xlsx").write_bytes(b"no")
    with pytest.raises(GridError, match="is not an Excel file"):
        read("net.xlsx", tmp_path)
    with pd.ExcelWriter(tmp_path / "net.xlsx", engine="openpyxl") as writer:
        pd.DataFrame([1]).to_excel(writer)
    with pytest.raises(GridError, match="no sheet named bus"):
        read("net.xlsx", tmp_path)


def test_simbench():
    pytest.importorskip("simbench", reason="simbench isn't installed")
    net = read("simbench:1-MV-urban--0-sw", Path())
    assert len(net.bus) > 100
    assert len(net["time_series"].times) == 366 * 96
    with pytest.raises(GridError, match="simbench:nope: SimBench has no grid 'nope'"):
        read("simbench:nope", Path())


def test_missing_packages_are_named(tmp_path, monkeypatch):
    for name in ("net.xlsx", "net.nc"):
        (tmp_path / name).write_bytes(b"no")
    for package, reference in (
        ("openpyxl", "net.xlsx"),
        ("netCDF4", "net.nc"),
        ("simbench", "simbench:1-MV-urban--0-sw"),
    ):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(GridError, match=rf"needs {package}.*gat-batch\[formats\]"):
            read(reference, tmp_path)


def test_a_log_lists_the_first_approximations(tmp_path):
    net = grid("case9")
    net[APPROXIMATIONS] = [f"line {n} is something else" for n in range(60)]
    path = tmp_path / "grid.json"
    write_approximations(path, net)
    lines = told(read_approximations(path))
    assert len(lines) == 51
    assert lines[0] == "approximated: line 0 is something else"
    assert "10 more" in lines[-1]
    path.write_text("[")
    assert read_approximations(path) == []


def test_grids_are_written_in_our_own_formats_only(tmp_path):
    for name in ("net.raw", "net.xlsx", "net"):
        with pytest.raises(GridError, match=r"can't be written as .*known are .json, .arrow"):
            write_grid(grid("case9"), tmp_path / name)
    assert not list(tmp_path.iterdir())
