"""A generator within its budget, and left alone while it fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel

from penchant.language.generator.breaker import Breaker
from penchant.language.generator.budget import Budget
from penchant.language.generator.generator import (
    AnswerRefused,
    Generated,
    Generator,
    GeneratorFailed,
)
from penchant.language.generator.prompt import Prompt
from penchant.types import Error

T = TypeVar("T", bound=BaseModel)


class NotAsked(Error):
    """The generator was not asked: the budget is spent, or it is left alone after failures.

    `wait` is in how many seconds to try again.
    """

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


class Guarded:
    """Asks `generator` within `budget` and past no open `breaker`; safe between threads.

    What fails and what is refused costs its share of the budget too.
    """

    def __init__(
        self,
        generator: Generator,
        budget: Budget,
        breaker: Breaker | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.budget = budget
        self._generator = generator
        self._breaker = breaker or Breaker(clock=clock)
        self._clock = clock
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(("asked", "refused", "failed", "withheld", "tokens"), 0)
        self._seconds = 0.0

    @property
    def id(self) -> str:
        """The model and its address, without credentials."""
        return self._generator.id

    def generate(self, prompt: Prompt, schema: type[T], deadline: float) -> Generated[T]:
        """Return an object of `schema`, within `deadline` seconds over all attempts.

        Raises NotAsked where there is no room, else what the generator raises.
        """
        self._admit()
        began, tokens, became = self._clock(), 0, "failed"
        try:
            made = self._generator.generate(prompt, schema, deadline)
            tokens, became = made.tokens, ""
            return made
        except GeneratorFailed as error:
            tokens = error.tokens
            raise
        except AnswerRefused as error:
            tokens, became = error.tokens, "refused"
            raise
        finally:
            self._count(became, tokens, self._clock() - began)

    def wait(self) -> float:
        """Return in how many seconds it may be asked; 0 for now."""
        with self._lock:
            return max(self._breaker.wait(), self.budget.wait())

    def state(self) -> dict[str, float]:
        """Return what came of all calls so far, and in how many seconds there can be another.

        `asked` counts calls, `refused` those without a valid answer, `failed` those without any,
        `withheld` those that were not made; `in_a_row` is how many failed since one did not.
        """
        wait = self.wait()
        with self._lock:
            return {
                **self._counts,
                "seconds": round(self._seconds, 3),
                "in_a_row": self._breaker.in_a_row,
                "wait": round(wait, 3),
            }

    def close(self) -> None:
        """Close the generator."""
        self._generator.close()

    def _admit(self) -> None:
        with self._lock:
            why = "it failed too often in a row"
            if not (wait := self._breaker.wait()):
                why = "its budget is spent"
                wait = self.budget.take()
            if wait:
                self._counts["withheld"] += 1
                raise NotAsked(
                    f"{self.id} is not asked for {wait:.0f} seconds: {why}; try again then", wait
                )
            self._breaker.begin()
            self._counts["asked"] += 1

    def _count(self, became: str, tokens: int, seconds: float) -> None:
        self.budget.spend(tokens, seconds)
        with self._lock:
            self._counts["tokens"] += tokens
            self._seconds += seconds
            if became:
                self._counts[became] += 1
                self._breaker.fail()
            else:
                self._breaker.succeed()
