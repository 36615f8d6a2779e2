"""A generator that composes an answer from passages, where one is configured; off without."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from penchant.language.encoder.encoder import Encoder
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.grounded import Grounded
from penchant.types import Error, Item

TASK = """Answer the question in at most three short sentences, from the numbered passages alone, in
their own words as far as you can. Put the number of the passage that says it before the dot of each
sentence, as in [1]. Add nothing that no passage says."""
CHARACTERS = 4_000  # of the question, and of each passage, that are sent
_log = logging.getLogger("penchant.generator")


class GeneratorFailed(Error):
    """The endpoint did not answer, refused, or answered with something else than a text."""


class Generator:
    """Composes answers by asking `url` (".../v1", OpenAI's protocol) for chat turns of `model`.

    Questions and passages leave this machine, cut to `CHARACTERS`. `encoder` reads what comes back,
    to see whether it is borne out (`Grounded`); without one it is the default.
    """

    def __init__(
        self,
        url: str,
        model: str,
        key: str | None = None,
        *,
        encoder: Encoder | None = None,
        timeout: float = 30.0,
        retries: int = 1,
    ) -> None:
        self.url = url.rstrip("/")
        self.model = model
        self._client = _client(self.url, key, timeout, retries)
        self._grounded = Grounded(encoder or SentenceEncoder.open())

    def compose(self, question: str, passages: Sequence[str]) -> str | None:
        """Return an answer that cites passages by number, from 1; None where they do not say it.

        Raises GeneratorFailed where the endpoint gave no text.
        """
        told = "\n".join(f"[{n}] {text[:CHARACTERS]}" for n, text in enumerate(passages, 1))
        asked = f"{told}\n\nQuestion: {question[:CHARACTERS]}"
        answer = self._ask([("system", TASK), ("user", asked)]).strip()
        return None if self._grounded.unsupported(answer, passages) else answer

    def attempt(self, question: str, items: Sequence[Item]) -> str | None:
        """Return an answer composed of what `items` say, or None where there is none.

        Where the endpoint failed that is a warning in the log, for those who go on without it.
        """
        try:
            return self.compose(question, [f"{item.title} {item.description}" for item in items])
        except GeneratorFailed as error:
            _log.warning("%s", error)
            return None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, turns: Sequence[tuple[str, str]]) -> str:
        import openai

        messages = [{"role": role, "content": text} for role, text in turns]
        try:
            reply = self._client.chat.completions.create(
                model=self.model, messages=messages, temperature=0.0, max_tokens=300
            )
            text = reply.choices[0].message.content
        except (openai.OpenAIError, UnicodeError) as error:  # a key goes out as ASCII
            raise GeneratorFailed(
                f"the generator {self.url} gave no answer of {self.model!r} "
                f"({type(error).__name__}: {error}): check that it runs, the model's name, and "
                "the key"
            ) from error
        except (AttributeError, IndexError, TypeError) as error:
            raise GeneratorFailed(f"the answer of {self.url} is no chat turn ({error})") from error
        if not isinstance(text, str):
            raise GeneratorFailed(f"expected a text from {self.url}, got {type(text).__name__}")
        return text


def _client(url: str, key: str | None, timeout: float, retries: int) -> Any:
    try:
        import openai
    except ImportError as error:
        raise GeneratorFailed(
            "a generator needs the openai client: `pip install openai`"
        ) from error
    # Without an explicit key the client would send the environment's to whatever url this is.
    return openai.OpenAI(base_url=url, api_key=key or "none", timeout=timeout, max_retries=retries)
