"""Guard-rails of experiments: what does certain harm is stopped, and the results are kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from penchant.evaluate.experiment.measured import Measured
from penchant.store.open import Store

EVERY = 10.0

_log = logging.getLogger("penchant.experiments")


class Guarding:
    """Takes in what both logs gained, and stops the variants that break a guard-rail."""

    def __init__(self, store: Store, *, wall: Callable[[], float] = time.time) -> None:
        self._measured, self._wall = Measured(store), wall

    def __call__(self) -> int:
        """Return how many variants were stopped now; each is told in the log."""
        stopped = self._measured.check(self._wall())
        for one in stopped:
            fields = {
                "experiment": one.experiment,
                "variant": one.variant,
                "metric": one.metric,
                "why": one.why,
            }
            _log.error("a variant was stopped", extra={"fields": fields})
        return len(stopped)
