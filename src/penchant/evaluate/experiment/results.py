"""The result of an experiment at one moment, as people and machines read it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from penchant.evaluate.experiment.effect import Effect, compare
from penchant.evaluate.experiment.ledger import Ledger
from penchant.evaluate.experiment.ratio import DOUBT, sample_ratio
from penchant.rank.answer.experiments import CONTROL
from penchant.rank.answer.stops import Stop, Stopped

State = Literal["waiting", "running", "ended", "stopped", "halted"]
Verdict = Literal["better", "worse", "open", "too few", "not to be trusted"]


@dataclass(frozen=True)
class Comparison:
    """One metric of one variant beside the control.

    `verdict` goes by the interval that holds at every look. Of the metric that decides, and of
    guard-rails, its level is shared out among the variants.
    """

    metric: str
    variant: str
    better: str
    decides: bool
    effect: Effect
    verdict: Verdict


@dataclass(frozen=True)
class Result:
    """What an experiment showed by `now`.

    `people` were shown something, by variant, the control first; `shares` is what was asked for,
    `ratio_p` how probable such a ratio is by chance: below .001 nothing here is to be trusted.
    `crossed` were shown slates of several variants (they were merged, or shares were changed).
    `stops` are the variants that were stopped, whose comparisons are those of that moment.
    """

    name: str
    state: State
    now: float
    start: float | None
    end: float | None
    people: Mapping[str, int]
    shares: Mapping[str, float]
    ratio_p: float
    crossed: int
    comparisons: tuple[Comparison, ...]
    stops: Mapping[str, Stop]
    why: str = ""

    @property
    def trusted(self) -> bool:
        """Whether as many people are in each variant as chance allows."""
        return self.ratio_p >= DOUBT

    def as_data(self) -> dict[str, Any]:
        """Return everything as plain data, NaN and infinite numbers as None."""
        out: dict[str, Any] = _plain(asdict(self))
        for row, one in zip(out["comparisons"], self.comparisons, strict=True):
            row["effect"]["relative"] = _plain(one.effect.relative)
        return {**out, "trusted": self.trusted}


def result(ledger: Ledger, stopped: Stopped, now: float) -> Result:
    """Return the result of what a ledger holds."""
    experiment = ledger.experiment
    config, stops = experiment.config, stopped.of(experiment.name)
    people, shares = ledger.people(), config.shares()
    # Who was stopped stopped growing.
    alive = [name for name in people if name not in stops]
    ratio_p = sample_ratio([people[n] for n in alive], [shares[n] for n in alive])
    return Result(
        name=experiment.name,
        state=_state(ledger, stopped, now),
        now=now,
        start=config.begins if math.isfinite(config.begins) else None,
        end=config.ends if math.isfinite(config.ends) else None,
        people=people,
        shares=shares,
        ratio_p=ratio_p,
        crossed=ledger.crossed(),
        comparisons=tuple(_comparisons(ledger, alive, now, trusted=ratio_p >= DOUBT)),
        stops=stops,
        why=stopped.halted,
    )


def _state(ledger: Ledger, stopped: Stopped, now: float) -> State:
    experiment = ledger.experiment
    if now < experiment.config.begins:
        return "waiting"
    if now >= experiment.config.ends:
        return "ended"
    if stopped.halted:
        return "halted"
    gone = stopped.of(experiment.name)
    return "stopped" if set(experiment.config.variants) <= set(gone) else "running"


def _comparisons(
    ledger: Ledger, alive: list[str], now: float, *, trusted: bool
) -> Iterator[Comparison]:
    config = ledger.experiment.config
    for metric, how in ledger.metrics.items():
        decides = metric == config.metric
        level = config.level
        if decides:
            level = 1.0 - (1.0 - level) / len(config.variants)
        control = ledger.figures(metric, CONTROL, now)
        for variant in alive:
            if variant == CONTROL:
                continue
            effect = compare(control, ledger.figures(metric, variant, now), level=level)
            verdict = verdict_of(effect, how.better, config.least)
            if not trusted and verdict != "too few":
                verdict = "not to be trusted"
            yield Comparison(metric, variant, how.better, decides, effect, verdict)


def verdict_of(effect: Effect, better: str, least: int) -> Verdict:
    """Return what the interval for every look says about an effect."""
    if min(effect.people) < least or not math.isfinite(effect.low):
        return "too few"
    if effect.low <= 0 <= effect.high:
        return "open"
    return "better" if (effect.low > 0) == (better == "higher") else "worse"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
