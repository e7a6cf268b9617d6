"""Names of columns, as MATPOWER's functions ``idx_bus`` and its like give them.

Each function returns them in this order (MATPOWER User's Manual, appendix B).
"""

from __future__ import annotations

_BUS = (
    "BUS_I BUS_TYPE PD QD GS BS BUS_AREA VM VA BASE_KV ZONE VMAX VMIN LAM_P LAM_Q MU_VMAX MU_VMIN"
)

_BRANCH = "F_BUS T_BUS BR_R BR_X BR_B RATE_A RATE_B RATE_C TAP SHIFT BR_STATUS"

_GENERATOR = "GEN_BUS PG QG QMAX QMIN VG MBASE GEN_STATUS PMAX PMIN"

_CURVE = "PC1 PC2 QC1MIN QC1MAX QC2MIN QC2MAX RAMP_AGC RAMP_10 RAMP_30 RAMP_Q APF"


def _from(first: int, names: str) -> dict[str, int]:
    return {name: number for number, name in enumerate(names.split(), first)}


INDEX_FUNCTIONS: dict[str, dict[str, int]] = {
    "idx_bus": {"PQ": 1, "PV": 2, "REF": 3, "NONE": 4, **_from(1, _BUS)},
    "idx_brch": {
        **_from(1, _BRANCH),
        **_from(14, "PF QF PT QT MU_SF MU_ST"),
        **_from(12, "ANGMIN ANGMAX"),
        **_from(20, "MU_ANGMIN MU_ANGMAX"),
    },
    "idx_gen": {
        **_from(1, _GENERATOR),
        **_from(22, "MU_PMAX MU_PMIN MU_QMAX MU_QMIN"),
        **_from(11, _CURVE),
    },
    "idx_cost": {
        "PW_LINEAR": 1,
        "POLYNOMIAL": 2,
        **_from(1, "MODEL STARTUP SHUTDOWN NCOST COST"),
    },
}
"""Function -> names that it returns, in its order -> their values."""

ALL = {name: value for names in INDEX_FUNCTIONS.values() for name, value in names.items()}
"""What ``define_constants`` defines."""
