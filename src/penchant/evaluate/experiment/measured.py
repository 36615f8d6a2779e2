"""The experiments of a shelf, followed as both logs grow, and the guard-rails that stop a variant.

`check` is what the background process calls every few seconds: it takes in what is new, stops what
does certain harm, and keeps the results in a file for whoever asks. `results` is for a single look.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penchant.evaluate.experiment.effect import Effect, compare
from penchant.evaluate.experiment.following import Following
from penchant.evaluate.experiment.ledger import Ledger
from penchant.evaluate.experiment.results import Result, result
from penchant.ingest.cleaning import CleaningConfig
from penchant.ingest.kinds import Kinds
from penchant.rank.answer.experiments import CONTROL, experiments
from penchant.rank.answer.stops import Stop, Stops
from penchant.rank.answer.variants import Experiment
from penchant.rank.feedback.config import FeedbackConfig
from penchant.store.durable import replaced
from penchant.store.open import Store
from penchant.store.tail import Position
from penchant.types import Policy

RESULTS = "reports/experiments.json"
_FAR = 2**62


@dataclass(frozen=True)
class Decision:
    """A variant that a guard-rail has stopped just now, and why."""

    experiment: str
    variant: str
    metric: str
    why: str
    effect: Effect


class Measured:
    """The experiments of a store with all that was counted so far. For one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        settings = store.settings
        policy = settings.section("recommend", Policy)
        self._experiments = [
            Experiment.of(name, one) for name, one in experiments(settings, policy).items()
        ]
        self._feedback = settings.section("feedback", FeedbackConfig)
        self._cleaning = settings.section("cleaning", CleaningConfig)
        self._stops = Stops(store.directory, read_only=store.read_only)
        self._retraction = -1
        self._begin()

    def follow(self, *, settle: bool = False) -> None:
        """Take in what both logs gained; after a forget or an undo everything is counted anew.

        With `settle` nothing waits for a slate that may come: for the last look at a log.
        """
        if not self._experiments:
            return
        # A position at the end of everything: the tail then tells of retractions alone.
        far = Position(_FAR, _FAR, _FAR, _FAR, max(self._retraction, 0))
        retraction = self._store.tail(far).position.retraction
        if retraction != self._retraction or dict(self._stops.read().since) != self._since:
            self._begin()
            self._retraction = retraction
        for part in self._following.parts(settle=settle):
            for ledger in self._ledgers:
                ledger.fold(*part)

    def results(self, now: float) -> tuple[Result, ...]:
        """Return what each experiment showed by `now`, of what was taken in."""
        stopped = self._stops.read()
        return tuple(result(ledger, stopped, now) for ledger in self._ledgers)

    def check(self, now: float) -> tuple[Decision, ...]:
        """Return the variants stopped now: those that certainly lose more than a guard-rail lets.

        What is certain goes by the interval that holds at every look, so that asking often finds no
        harm where there is none. The stop is durable, and holds at every worker from its next
        request on. The results are kept for `read_results`.
        """
        self.follow()
        found = []
        for ledger in self._ledgers:
            experiment = ledger.experiment
            if not experiment.runs(now):
                continue
            for variant in experiment.config.variants:
                if variant in self._stops.read().of(experiment.name):
                    continue
                decision = harm(ledger, variant, now)
                if decision is not None and self._stop(ledger, decision, now):
                    found.append(decision)
        if self._ledgers and not self._store.read_only:
            keep_results(self._store.directory, self.results(now))
        return tuple(found)

    def _stop(self, ledger: Ledger, decision: Decision, now: float) -> bool:
        stop = Stop(now, decision.metric, decision.why, self._seen(ledger, now))
        return self._stops.stop(decision.experiment, decision.variant, stop)

    def _seen(self, ledger: Ledger, now: float) -> dict[str, Any]:
        return result(ledger, self._stops.read(), now).as_data()

    def _begin(self) -> None:
        self._since = dict(self._stops.read().since)
        kinds = Kinds.from_settings(self._store.settings)
        begins = min((one.config.begins for one in self._experiments), default=math.inf)
        self._following = Following(self._store, self._feedback, kinds, begins)
        self._ledgers = [
            Ledger(one, kinds, self._cleaning, self._since.get(one.name, -math.inf))
            for one in self._experiments
        ]


def harm(ledger: Ledger, variant: str, now: float) -> Decision | None:
    """Return the guard-rail that a variant certainly breaks, None where none is broken."""
    config = ledger.experiment.config
    alpha = (1.0 - config.level) / max(1, len(config.guards) * len(config.variants))
    for metric, most in config.guards.items():
        lower = ledger.metrics[metric].better == "lower"
        control = ledger.figures(metric, CONTROL, now)
        treated = ledger.figures(metric, variant, now)
        keep = 1.0 + most if lower else 1.0 - most
        effect = compare(control, treated, level=1.0 - alpha, keep=keep)
        if min(effect.people) < config.least:
            continue
        if effect.low > 0 if lower else effect.high < 0:
            worse = f"more than {most:.0%} worse" if most else "worse"
            why = (
                f"{metric} is {effect.treated:.4g} where the control's is {effect.control:.4g}: "
                f"certainly {worse}, by {sum(effect.people):,} people"
            )
            plain = compare(control, treated, level=1.0 - alpha)
            return Decision(ledger.experiment.name, variant, metric, why, plain)
    return None


def check(store: Store, now: float, measured: Measured | None = None) -> tuple[Decision, ...]:
    """Return the variants that guard-rails stop now; keep a `Measured` to read no log twice."""
    return (measured or Measured(store)).check(now)


def results(store: Store, now: float) -> tuple[Result, ...]:
    """Return what each experiment of a store showed by `now`: one look, from the whole log."""
    measured = Measured(store)
    measured.follow(settle=True)
    return measured.results(now)


def keep_results(directory: Path, found: tuple[Result, ...]) -> None:
    """Keep results in the directory, for processes that do not count themselves."""
    path = directory / RESULTS
    path.parent.mkdir(exist_ok=True)
    with replaced(path) as file:
        file.write(json.dumps([one.as_data() for one in found], indent=1).encode())


def read_results(directory: Path) -> list[dict[str, Any]]:
    """Return the results that the last `check` kept, as data; empty before any."""
    try:
        found = json.loads((directory / RESULTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []
