"""Loss-of-load probability and expected unserved energy, from the scenarios' weights.

A scenario stands for its share of the weight of all scenarios, and each of its snapshots for an
equal part of that. Contingencies don't count: their probabilities aren't known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow.compute as pc

if TYPE_CHECKING:
    import pyarrow as pa


def shortfall(result: pa.Table, tolerance_mw: float) -> dict[str, float]:
    """Sum up the unserved load of one result.

    Args:
        result: the rows of a scenario.
        tolerance_mw: unserved load in MW up to which a state doesn't count as lost.

    Returns:
        ``states``, ``unsolved`` (states without a solution), ``lost`` (states with unserved load)
        and ``unserved_mw`` (the sum over states).
    """
    base = pc.and_(pc.equal(result["element"], "system"), pc.is_null(result["contingency"]))
    unserved = result.filter(base)["unserved_mw"]
    known = unserved.drop_null().to_numpy()
    return {
        "states": len(unserved),
        "unsolved": len(unserved) - len(known),
        "lost": int((known > tolerance_mw).sum()),
        "unserved_mw": float(known.sum()),
    }


def indices(scenarios: pd.DataFrame, hours: float) -> pd.DataFrame:
    """Return the reliability indices of a batch, and what each scenario contributes.

    Args:
        scenarios: a row per scenario: ``scenario``, ``weight`` and what :func:`shortfall` returns.
        hours: time that all scenarios together stand for, in hours.

    Returns:
        A row for all scenarios, without a name in ``scenario``, and a row for each:
        ``probability`` (share of the weight), ``lolp`` (within the scenario), ``lole_hours`` and
        ``eue_mwh`` (contributions to the batch), ``unsolved_probability``. States without a
        solution count as neither lost nor served; the weight of the solved ones stands for all.
    """
    table = scenarios.copy()
    solved = table["states"] - table["unsolved"]
    share = table["weight"] / table["weight"].sum()
    known = share * solved / table["states"]
    probability = known / known.sum() if known.sum() > 0 else known * float("nan")
    each = pd.DataFrame(
        {
            "scenario": table["scenario"],
            "probability": probability,
            "lolp": table["lost"] / solved.where(solved > 0),
            "lole_hours": probability * hours * table["lost"] / solved.where(solved > 0),
            "eue_mwh": probability * hours * table["unserved_mw"] / solved.where(solved > 0),
            "unsolved_probability": share - known,
        }
    )
    together = {
        "scenario": None,
        "probability": probability.sum(),
        "lolp": (each["lolp"] * probability).sum(),
        "lole_hours": each["lole_hours"].sum(),
        "eue_mwh": each["eue_mwh"].sum(),
        "unsolved_probability": each["unsolved_probability"].sum(),
    }
    return pd.concat([pd.DataFrame([together]), each], ignore_index=True)
