"""The sample-ratio check: whether as many people are in each variant as its share says.

Where not, people were lost on the way in one variant more than in another, and whatever else is
counted compares different people (Fabijan et al., Diagnosing sample ratio mismatch in online
controlled experiments, KDD 2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from penchant.types import InvalidInput

DOUBT = 0.001  # below it chance is no explanation


def sample_ratio(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Return how probable counts at least as far from their shares are: Pearson's chi-square test.

    1.0 where there is nobody, or nothing to compare. `shares` need not add up to 1.
    """
    if len(counts) != len(shares) or any(share <= 0 for share in shares):
        raise InvalidInput(f"expected a share above 0 for each count, got {counts} and {shares}")
    n, whole = sum(counts), sum(shares)
    if n == 0 or len(counts) < 2:
        return 1.0
    expected = [n * share / whole for share in shares]
    statistic = sum((c - e) ** 2 / e for c, e in zip(counts, expected, strict=True))
    return exceeded(statistic, len(counts) - 1)


def exceeded(statistic: float, degrees: int) -> float:
    """Return the probability of a larger chi-square with this many degrees of freedom.

    In closed form for whole degrees: Abramowitz and Stegun, 26.4.4 and 26.4.5.
    """
    half = statistic / 2
    if degrees % 2 == 0:
        term = total = math.exp(-half)
        for k in range(1, degrees // 2):
            term *= half / k
            total += term
        return min(1.0, total)
    total = math.erfc(math.sqrt(half))
    term = math.sqrt(2 * statistic / math.pi) * math.exp(-half)
    for k in range(1, (degrees + 1) // 2):
        total += term
        term *= statistic / (2 * k + 1)
    return min(1.0, total)
