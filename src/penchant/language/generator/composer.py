"""Answers that are composed from passages, and shown only where the passages bear them out."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pydantic import BaseModel, Field

from penchant.language.encoder.encoder import Encoder
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.generator.generator import AnswerRefused, Generator, GeneratorFailed
from penchant.language.generator.guarded import NotAsked
from penchant.language.generator.prompt import load_prompt
from penchant.language.grounded import Grounded
from penchant.types import Item

CHARACTERS = 4_000  # of the question, and of each passage, that are sent
_log = logging.getLogger("penchant.generator")


class Composed(BaseModel):
    """What a composer asks for."""

    answer: str = Field(max_length=2_000)


class Composer:
    """Composes answers with `generator`, each within `timeout` seconds.

    Questions and passages are sent to it, cut to `CHARACTERS`. `encoder` reads what comes back, to
    see whether it is borne out (`Grounded`); without one it is the default.
    """

    def __init__(
        self, generator: Generator, *, encoder: Encoder | None = None, timeout: float = 30.0
    ) -> None:
        self._generator = generator
        self._timeout = timeout
        self._grounded = Grounded(encoder or SentenceEncoder.open())

    def compose(self, question: str, passages: Sequence[str]) -> str | None:
        """Return an answer that cites passages by number, from 1; None where they do not say it.

        Raises what the generator raises.
        """
        told = [f"[{n}] {text[:CHARACTERS]}" for n, text in enumerate(passages, 1)]
        prompt = load_prompt("compose-1").filled(
            {"passages": told, "question": [question]}, characters=CHARACTERS
        )
        made = self._generator.generate(prompt, Composed, self._timeout)
        answer = made.value.answer.strip()
        return None if self._grounded.unsupported(answer, passages) else answer

    def attempt(self, question: str, items: Sequence[Item]) -> str | None:
        """Return an answer composed of what `items` say, or None where there is none.

        Where the generator failed that is a warning in the log, for those who go on without it.
        """
        try:
            return self.compose(question, [f"{item.title} {item.description}" for item in items])
        except (GeneratorFailed, AnswerRefused, NotAsked) as error:
            _log.warning("%s", error)
            return None

    def close(self) -> None:
        """Close the generator."""
        self._generator.close()
