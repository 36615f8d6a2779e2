"""How much a variant changes a figure: the difference to the control, by people, and how sure.

The unit is the person, who was assigned, not the slate or the click: the spread of a ratio of sums
follows from each person's share in it (the delta method; Deng, Knoblich and Lu, KDD 2018). What
people did before the experiment is taken out as far as it explains what they do now (CUPED: Deng,
Xu, Kohavi and Walker, WSDM 2013); being from before, it can only make the interval narrower.

The interval `low` to `high` holds at every look at once: with probability `level` it covers the
truth at all of them, so one may look daily and stop at will (an asymptotic confidence sequence:
Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Annals of Statistics 2024; what a mixture
sequential test inverts to: Johari, Koomen, Pekelis and Walsh, Operations Research 2022). The
narrower one, `final_low` to `final_high`, holds for a single look at a time settled beforehand. Who
looks at that one often and stops when it leaves out zero finds an effect where there is none far
more often than it says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]

TUNED = 5_000  # people at whom the interval for every look is narrowest


@dataclass(frozen=True, slots=True)
class Figures:
    """What the people of one variant did: their sum of `tops` over that of `bottoms`, float64[n].

    `before` is what is known of each from before the experiment.
    """

    tops: Reals
    bottoms: Reals
    before: Reals

    def __len__(self) -> int:
        return len(self.tops)

    @property
    def ratio(self) -> float:
        """Return the figure, NaN where there is nothing to divide by."""
        bottom = float(self.bottoms.sum())
        return float(self.tops.sum()) / bottom if bottom > 0 else math.nan


@dataclass(frozen=True, slots=True)
class Effect:
    """A variant beside the control: both figures, their difference, and its intervals.

    `explained` is the share of the variance that what people did before took away.
    """

    control: float
    treated: float
    difference: float
    low: float
    high: float
    final_low: float
    final_high: float
    explained: float
    people: tuple[int, int]

    @property
    def relative(self) -> float:
        """Return the difference as a share of the control's figure, NaN where that is zero."""
        return self.difference / abs(self.control) if self.control else math.nan


def compare(control: Figures, treated: Figures, *, level: float, keep: float = 1.0) -> Effect:
    """Return by how much the treated figure is above `keep` times that of the control.

    NaN where either has nothing to divide by. `keep` below 1 asks whether more than a tolerated
    share is lost.
    """
    parts = [_linear(one) for one in (control, treated)]
    n = (len(control), len(treated))
    if parts[0] is None or parts[1] is None:
        nothing = (math.nan,) * 5
        return Effect(control.ratio, treated.ratio, *nothing, 0.0, n)
    slope, befores = _slope(parts[0], control.before, parts[1], treated.before)
    ratios, spreads, plain = [], [], []
    for one, part, before in zip((control, treated), parts, (control, treated), strict=True):
        assert part is not None
        ratios.append(one.ratio - slope * (float(before.before.mean()) - befores))
        spreads.append(_variance(part - slope * (before.before - before.before.mean())))
        plain.append(_variance(part))
    difference = ratios[1] - keep * ratios[0]
    variance = spreads[1] + keep**2 * spreads[0]
    without = plain[1] + keep**2 * plain[0]
    error = math.sqrt(variance)
    final = NormalDist().inv_cdf(0.5 + level / 2) * error
    always = always_valid(sum(n), 1.0 - level) * error
    return Effect(
        control.ratio,
        treated.ratio,
        difference,
        difference - always,
        difference + always,
        difference - final,
        difference + final,
        1.0 - variance / without if without > 0 else 0.0,
        n,
    )


def always_valid(n: int, alpha: float, tuned: int = TUNED) -> float:
    """Return how many standard errors the interval for every look reaches, at `n` people.

    Waudby-Smith et al. (2024): sqrt((1 + 1/(n r)) (log(1 + n r) - 2 log alpha)), with r such that
    this is about smallest at `tuned` people.
    """
    rate = (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / tuned
    return math.sqrt((1 + 1 / (n * rate)) * (math.log1p(n * rate) - 2 * math.log(alpha)))


def _linear(one: Figures) -> Reals | None:
    """Return each person's share in how the figure varies, None where there is no figure."""
    if len(one) < 2 or not one.bottoms.sum() > 0:
        return None
    return np.asarray((one.tops - one.ratio * one.bottoms) / one.bottoms.mean())


def _variance(shares: Reals) -> float:
    return float(shares.var(ddof=1)) / len(shares)


def _slope(
    control: Reals, control_before: Reals, treated: Reals, treated_before: Reals
) -> tuple[float, float]:
    """Return how the figure goes with what was before, within the variants, and its mean."""
    mean = float(np.concatenate((control_before, treated_before)).mean())
    above = below = 0.0
    for shares, before in ((control, control_before), (treated, treated_before)):
        centred = before - before.mean()
        above += float(centred @ shares)
        below += float(centred @ centred)
    return (above / below if below > 0 else 0.0), mean
