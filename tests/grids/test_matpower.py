"""MATPOWER cases mean what MATPOWER makes of them, or are refused."""

from __future__ import annotations

from pathlib import Path

import pandapower
import pytest
from pandapower.toolbox import nets_equal

from gat_batch.errors import GatBatchError
from gat_batch.grids import grid_ref, read_grid, write_grid

CASE = """function mpc = t
mpc.version = '2';
mpc.baseMVA = 100;
mpc.bus = [
1 3 0 0 0 0 1 1.0 0 110 1 1.1 0.9;
2 1 50 10 0 0 1 1 0 110 1 1.1 0.9;
3 1 20 5 0 0 1 1 0 110 1 1.1 0.9;
];
mpc.gen = [
1 0 0 100 -100 1 100 1 200 0;
3 10 3 50 -50 1.03 100 1 50 0;
3 7 2 50 -50 1.03 100 0 50 0;
];
mpc.branch = [
1 2 0.01 0.1 0.02 100 0 0 0 0 1;
2 3 0.01 0.1 0.02 100 0 0 0 0 1;
1 3 0.01 0.1 0.02 100 0 0 0 0 1;
];
"""


def read(path):
    net = read_grid(grid_ref(str(path), Path()))
    pandapower.runpp(net)
    return net


def read_text(tmp_path, text):
    (tmp_path / "net.m").write_text(text)
    return read(tmp_path / "net.m")


# ---- Generators at buses whose voltage no one holds ----------------------------------


def test_generator_at_a_pq_bus_holds_no_voltage(tmp_path):
    net = read_text(tmp_path, CASE)
    assert list(net.gen["in_service"]) == [False]
    assert net.sgen.loc[1, ["bus", "p_mw", "q_mvar", "max_p_mw"]].tolist() == [3, 10, 3, 50]
    # The same grid with the generator's power taken off the load of its bus.
    same = read_text(tmp_path, CASE.replace("3 1 20 5", "3 1 10 2").replace("3 10 3", "3 0 0"))
    assert net.res_bus["vm_pu"].tolist() == pytest.approx(same.res_bus["vm_pu"].tolist())
    assert net.res_bus["vm_pu"][3] == pytest.approx(0.99444, abs=5e-6)


@pytest.mark.parametrize("suffix", ["arrow", "m", "mat"])
@pytest.mark.parametrize("kind", [1, 2])
def test_generators_hold_voltages_after_a_round_trip_as_before(tmp_path, kind, suffix):
    net = read_text(tmp_path, CASE.replace("3 1 20 5", f"3 {kind} 20 5"))
    write_grid(net, tmp_path / f"again.{suffix}")
    again = read(tmp_path / f"again.{suffix}")
    assert len(again.gen) == len(net.gen) == kind
    for column in ("vm_pu", "va_degree"):
        assert again.res_bus[column].tolist() == pytest.approx(net.res_bus[column].tolist())


@pytest.mark.parametrize("suffix", ["arrow", "m"])
def test_generator_of_an_island_without_supply_stays_one(tmp_path, suffix):
    net = read_text(tmp_path, CASE.replace("3 1 20 5", "3 2 20 5"))
    net.line.loc[[1, 2], "in_service"] = False
    write_grid(net, tmp_path / f"again.{suffix}")
    assert list(read(tmp_path / f"again.{suffix}").gen["in_service"]) == [True, False]


# ---- Text ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        ("];", "] ;"),
        ("2 1 50 10", "2 1 ... the load\n50 10"),
        ("3 10 3", "% 3 99 3 50 -50 1.03 100 1 50 0;\n3 10 3"),
        ("0.9;\n2", "0.9; % was ];\n2"),
        ("1 0 0 100 -100 1 100 1 200 0;", "1, 0,0 , 1d2,-100,+1,100.,1,2e2,0,"),
        ("mpc.bus = [", "mpc.bus = [7 7 7];\nmpc.bus = ["),
        ("mpc.bus = [", "%{\nmpc.bus = [7];\n%{\n%}\n%}\nmpc.bus = ["),
        ("mpc.bus = [", "mpc.bus_name = {'it''s % no comment'; 'a;b]'};\nmpc.bus=["),
        ("mpc", "s"),
        ("\n", "\r\n"),
        ("function mpc = t\n", "% it's a case\n"),
        ("0 0 0 0 1;\n];", "0 0 0 0 1];\nreturn\nend"),
    ],
)
def test_plain_text_is_read_as_matlab_reads_it(tmp_path, change):
    wanted, net = read_text(tmp_path, CASE), read_text(tmp_path, CASE.replace(*change))
    assert nets_equal(net, wanted)


@pytest.mark.parametrize(
    ("line", "fragment"),
    [
        ("mpc.bus(find(mpc.bus(:,3)>0), 3) = 99;", "no field a plain"),
        ("mpc.bus(2, 3) *= 2;", "no field a plain"),
        ("mpc = scale_load(2, mpc);", "scale_load(2, mpc)"),
        ("mpc.branch = [mpc.branch; 1 2 0.01 0.1 0 0 0 0 0 0 1];", "'mpc.branch' in a table"),
        ("mpc.bus(:, ...\n 3) = 2 * mpc.bus(:, 3);", "no field a plain"),
        ("mpc.branch(:, [3 4]) = mpc.branch(:, [3 4]) / 2;", "no field a plain"),
        ("mpc.bus = mpc.bus;", "no field a plain"),
        ("mpc.gen = [1 2]';", "a text without an end"),
        ("mpc.gen = [1 2]' + [1 2]';", "no field a plain"),
        ("mpc.gen = [1 2] * 2;", "no field a plain"),
        ("mpc.baseMVA = 10*10;", "no field a plain"),
        ("mpc.gen = [1 - 2];", "'-' in a table"),
        ("mpc.gen = [1 2*3];", "'2*3' in a table"),
        ("mpc.gen = [1 2\n3];", "a row of 1 numbers"),
        ("mpc.gen = [1 2", "no field a plain"),
        ("if false", "no field a plain"),
        ("other.bus = [1];", "no field a plain"),
        ("%{", "block comment without an end"),
    ],
)
def test_what_is_more_than_plain_data_is_refused_with_its_line(tmp_path, line, fragment):
    with pytest.raises(GatBatchError) as caught:
        read_text(tmp_path, f"{CASE}{line}\n")
    number = 20 if fragment.startswith("a row") else 19
    assert f"line {number}: " in str(caught.value)
    assert fragment in str(caught.value)
