"""Samples told apart for training, validation and test.

What a sample is for hangs on a seed and on what it shares with others alone, never on how many
samples there are: adding samples leaves the others where they are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import accumulate

from ..errors import ResultError

SPLITS = ("train", "validation", "test")

ROUNDING = 1e-9


@dataclass(frozen=True)
class Splitting:
    """How samples are told apart.

    Attributes:
        seed: start of the random numbers.
        shares: share of each of :data:`SPLITS`.
    """

    seed: int = 0
    shares: tuple[float, ...] = (0.8, 0.1, 0.1)

    def __post_init__(self) -> None:
        wrong = len(self.shares) != len(SPLITS) or min(self.shares) < 0
        if wrong or abs(sum(self.shares) - 1) > ROUNDING:
            hint = f"three numbers for {', '.join(SPLITS)} that add up to 1"
            raise ResultError(f"{self.shares} are no shares", hint=hint)

    def of(self, topology: str, load: str) -> str:
        """Return what a sample is for.

        Samples of one topology are all for the same, so that no topology of the test was met in
        training; those without outages are told apart by their loads.

        Args:
            topology: what is out of service, empty for nothing.
            load: hash of its loads, and of drawn impedances.
        """
        shared = f"topology {topology}" if topology else f"load {load}"
        digest = hashlib.sha256(f"{self.seed} {shared}".encode()).digest()
        number = int.from_bytes(digest[:8], "big") / 2**64
        ends = accumulate(self.shares)
        return next((name for name, end in zip(SPLITS, ends, strict=True) if number < end), "test")
