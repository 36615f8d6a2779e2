"""Names for clusters by a generator, where one is configured: words over a shelf, not three terms.

Titles and typical words are sent to it, nothing of people. What it does not name in time, or names
like something else, is called by its typical words.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from penchant.language.generator.generator import AnswerRefused, Generator, GeneratorFailed
from penchant.language.generator.guarded import NotAsked
from penchant.language.generator.naming import name_group

SECONDS = 300.0  # for all names of a training
EACH = 30.0
_log = logging.getLogger("penchant.learn")


class Naming:
    """Asks `generator` for names until `seconds` are gone; `tokens` and `named` are counted."""

    def __init__(self, generator: Generator, seconds: float = SECONDS) -> None:
        self._generator = generator
        self._ends = time.monotonic() + seconds
        self.named, self.tokens = 0, 0

    def __call__(self, titles: Sequence[str], terms: Sequence[str]) -> str | None:
        """Return a name of one to three words for a group of items, None where there is none."""
        left = self._ends - time.monotonic()
        if left <= 0 or not titles:
            return None
        try:
            made = name_group(self._generator, titles, terms, deadline=min(EACH, left))
        except (GeneratorFailed, AnswerRefused, NotAsked) as error:
            self.tokens += getattr(error, "tokens", 0)
            _log.debug("a cluster is called by its words: %s", error)
            return None
        self.tokens += made.tokens
        self.named += 1
        return made.value.name
