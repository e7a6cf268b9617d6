"""What PGLearn.jl's sources say of its datasets, and equations that their files must keep.

Nothing here knows how the files are written: they are read with h5py, as its users do.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Values = dict[str, NDArray[Any]]

BUSES = ("vm", "va", "kcl_p", "kcl_q")
GENERATORS = ("pg", "qg")
BRANCHES = ("pf", "qf", "pt", "qt", "va_diff")
PRIMAL = {
    "AC": {"vm", "va", "pg", "qg", "pf", "qf", "pt", "qt"},
    "DC": {"va", "pg", "pf"},
}
# Those of a PGLearn dataset that aren't here are of Ohm's law, ratings of AC flows and the slack.
DUAL = {
    "AC": {"kcl_p", "kcl_q", "vm", "pg", "qg", "va_diff"},
    "DC": {"kcl_p", "pg", "pf", "va_diff"},
}
META = {
    "seed": np.dtype(np.int64),
    "formulation": np.dtype(object),
    "termination_status": np.dtype(object),
    "primal_status": np.dtype(object),
    "dual_status": np.dtype(object),
    "solve_time": np.dtype(np.float64),
    "primal_objective_value": np.dtype(np.float64),
}
CASE = {
    "": "case base_mva N E G L A Ag ref_bus reserve_requirement",
    "N": "vnom vmin vmax gs bs bus_arcs_fr bus_arcs_to bus_gens bus_loads",
    "L": "pd qd",
    "G": "pgmin pgmax qgmin qgmax c0 c1 c2 gen_status rmin rmax",
    "E": ("bus_fr bus_to g b gff gft gtf gtt bff bft btf btt smax dvamin dvamax branch_status"),
}


def read_split(folder: Path, formulation: str) -> dict[str, Values]:
    """Read what there is of the samples of a split, by file and name."""
    files = {"input": folder / "input.h5"}
    files |= {part: folder / formulation / f"{part}.h5" for part in ("primal", "dual", "meta")}
    found = {}
    for name, file in files.items():
        with h5py.File(file) as opened:
            found[name] = {key: opened[key][:] for key in opened}
    for key, values in found["meta"].items():
        if values.dtype == object:
            found["meta"][key] = values.astype(str)
    return found


def read_case(folder: Path) -> dict[str, Any]:
    """Read a case, and see that it has what there must be, in the right number."""
    document = json.loads((folder / "case.json").read_text())
    assert "config" in document
    case = document["data"]
    for size, names in CASE.items():
        for name in names.split():
            assert name in case, name
            if size:
                assert len(case[name]) == case[size], name
    assert {*case} == {name for names in CASE.values() for name in names.split()}
    for name, members in (
        ("bus_gens", "G"), ("bus_loads", "L"), ("bus_arcs_fr", "E"), ("bus_arcs_to", "E")
    ):  # fmt: skip
        numbers = sorted(number for own in case[name] for number in own)
        assert numbers == [*range(1, case[members] + 1)], name
    incidence = case["A"]
    dense = np.zeros((incidence["M"], incidence["N"]))
    dense[np.array(incidence["I"]) - 1, np.array(incidence["J"]) - 1] = incidence["V"]
    branches = np.arange(case["E"])
    assert (dense[branches, np.array(case["bus_fr"]) - 1] == 1).all()
    assert (dense[branches, np.array(case["bus_to"]) - 1] == -1).all()
    return case


def check_types(folder: Path, formulation: str, case: dict[str, Any], *, duals: bool) -> None:
    """Hold names, shapes and types of all files of a split to PGLearn's."""
    flow = formulation[:2]
    with h5py.File(folder / "input.h5") as asked:
        count = len(asked["seed"])
        assert asked["seed"].dtype == np.int64
        for name, size, kind in (
            ("pd", "L", np.float64), ("qd", "L", np.float64),
            ("gen_status", "G", np.uint8), ("branch_status", "E", np.uint8),
        ):  # fmt: skip
            assert asked[name].shape == (count, case[size]), name
            assert asked[name].dtype == kind, name
    with h5py.File(folder / formulation / "meta.h5") as meta:
        assert {name: one.dtype for name, one in meta.items()} == META
        assert {one.shape for one in meta.values()} == {(count,)}
        assert h5py.check_string_dtype(meta["formulation"].dtype).length is None
    for part, names in (("primal", PRIMAL[flow]), ("dual", DUAL[flow] if duals else set())):
        with h5py.File(folder / formulation / f"{part}.h5") as opened:
            assert {*opened} == names
            for name, own in opened.items():
                size = "N" if name in BUSES else "G" if name in GENERATORS else "E"
                assert own.shape == (count, case[size]), (part, name)
                assert own.dtype == np.float64


def flow_error(case: dict[str, Any], samples: dict[str, Values]) -> float:
    """Return how far flows are from Ohm's law of ``acp.jl``, in p.u."""
    value = _of_samples(case, samples)
    primal = samples["primal"]
    first, second = (np.array(case[f"bus_{end}"]) - 1 for end in ("fr", "to"))
    vm, va = primal["vm"], primal["va"]
    across = va[:, first] - va[:, second]
    wf, wt = vm[:, first] ** 2, vm[:, second] ** 2
    wr, wi = (vm[:, first] * vm[:, second] * turned for turned in (np.cos(across), np.sin(across)))
    on = samples["input"]["branch_status"]
    wanted = {
        "pf": value("gff") * wf + value("gft") * wr + value("bft") * wi,
        "qf": -value("bff") * wf - value("bft") * wr + value("gft") * wi,
        "pt": value("gtt") * wt + value("gtf") * wr - value("btf") * wi,
        "qt": -value("btt") * wt - value("btf") * wr - value("gtf") * wi,
    }
    return max(np.abs(on * own - primal[name]).max() for name, own in wanted.items())


def balance_error(case: dict[str, Any], samples: dict[str, Values]) -> float:
    """Return how far buses are from Kirchhoff's law of ``acp.jl``, in p.u."""
    value, primal, asked = _of_samples(case, samples), samples["primal"], samples["input"]
    worst = 0.0
    for bus in range(case["N"]):
        fr, to, gens, loads = (
            np.array(case[f"bus_{name}"][bus], int) - 1
            for name in ("arcs_fr", "arcs_to", "gens", "loads")
        )
        drawn = primal["vm"][:, bus] ** 2
        for part, shunt in (("p", value("gs")[:, bus]), ("q", -value("bs")[:, bus])):
            rest = primal[f"{part}g"][:, gens].sum(axis=1) - asked[f"{part}d"][:, loads].sum(axis=1)
            rest -= primal[f"{part}f"][:, fr].sum(axis=1) + primal[f"{part}t"][:, to].sum(axis=1)
            worst = max(worst, np.abs(rest - shunt * drawn).max())
    return worst


def dual_error(case: dict[str, Any], samples: dict[str, Values]) -> float:
    """Return how far generators are from stationarity, in units of cost per p.u.

    What the last p.u. costs is the price at the bus and what limits add to it, with the signs that
    JuMP gives duals of ``acp.jl`` and ``dcp.jl``.
    """
    value, primal, dual = _of_samples(case, samples), samples["primal"], samples["dual"]
    bus = np.zeros(case["G"], int)
    for place, members in enumerate(case["bus_gens"]):
        bus[np.array(members, int) - 1] = place
    on = samples["input"]["gen_status"]
    marginal = value("c1") + 2 * value("c2") * primal["pg"]
    worst = np.abs(on * (marginal - dual["kcl_p"][:, bus] - dual["pg"])).max()
    if "kcl_q" in dual:
        worst = max(worst, np.abs(on * (dual["kcl_q"][:, bus] + dual["qg"])).max())
    return float(worst)


def _of_samples(case: dict[str, Any], samples: dict[str, Values]) -> Any:
    """Return what reads a quantity: of each sample if it has its own, else of the case."""
    return lambda name: samples["input"].get(name, np.array([case[name]]))
