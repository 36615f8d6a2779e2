"""A generator behind an address that speaks OpenAI's protocol: vLLM, Ollama, llama.cpp, others."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel

from penchant.language.generator.answer import NoAnswer, read_answer
from penchant.language.generator.fencing import clean
from penchant.language.generator.generator import AnswerRefused, Generated, GeneratorFailed
from penchant.language.generator.prompt import Prompt, PromptError
from penchant.language.generator.schema import instruction, response_format
from penchant.language.generator.within import within

T = TypeVar("T", bound=BaseModel)

MOST_BYTES = 4_000_000  # of one answer with all its wrapping; a token comes in some 250
PER_TOKEN = 16  # characters; a text of more for each token it may have is no text of tokens
SPARE = 1_000  # pieces that hold no token
LONGEST = 300  # characters of what a server says is wrong
REPEATED = 2_000  # characters of a wrong answer that are shown to the model again
RETRY = "That cannot be used: {problem}. {cut}Answer again, with the one JSON object alone."
CUT = "It was cut off at {tokens} tokens, so be shorter. "

# How servers refuse a parameter that they do not know: vLLM and llama.cpp say 400 (the latter of a
# schema, too, that it can make no grammar of), those made with FastAPI 422, and llama-cpp-python
# 500, with the parameter's name in it.
_REFUSED = frozenset({400, 404, 415, 422, 501})
_NAMED = ("response_format", "json_schema", "stream_options", "grammar")


@dataclass
class _Spent:
    """What a call cost so far, and what of it is estimated."""

    tokens_in: int = 0
    tokens_out: int = 0
    attempts: int = 0
    estimated: bool = False
    unread: int = 0  # characters of what is under way

    def read(self, usage: Any, asked: int, said: int) -> None:
        """Count one answer by what the endpoint says of it, or by its characters."""
        told = [getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")]
        known = all(type(n) is int and 0 <= n < 10_000_000 for n in told)
        # An answer is at least a token, so nothing is no count of one.
        if known and not (told[1] == 0 and said):
            self.tokens_in += told[0] or 0
            self.tokens_out += told[1] or 0
        else:
            self.tokens_in += _tokens(asked)
            self.tokens_out += _tokens(said)
            self.estimated = True
        self.attempts += 1
        self.unread = 0

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out + _tokens(self.unread)


@dataclass(frozen=True)
class _Said:
    text: str
    cut: bool


class Endpoint:
    """Asks `url` (".../v1") for chat turns of `model`; safe between threads.

    One call asks at most twice, and takes at most `timeout` seconds, or less where the caller says
    so. What is busy or broken is asked again `retries` times within that, as the client does it. No
    connection is held between calls. `id` holds neither the key nor what stands before an @.
    """

    def __init__(
        self,
        url: str,
        model: str,
        key: str | None = None,
        *,
        timeout: float = 30.0,
        max_tokens: int = 1000,
        temperature: float = 0.0,
        retries: int = 1,
    ) -> None:
        _needs_openai()
        self.url = url.rstrip("/")
        self.model = model
        self.timeout = timeout
        self.max_tokens = max_tokens
        self.temperature = temperature
        self.retries = retries
        self._key = key
        # Whether the server takes a schema and says what it counted; found out by asking.
        self._constrains = True

    @property
    def id(self) -> str:
        """The model and its address, without credentials."""
        return f"{self.model} at {shown(self.url)}"

    def generate(self, prompt: Prompt, schema: type[T], deadline: float) -> Generated[T]:
        """Return an object of `schema`, within `deadline` seconds over all attempts.

        Raises GeneratorFailed where nothing came, AnswerRefused where nothing valid came after one
        retry, PromptError where the prompt has places left open.
        """
        if prompt.places:
            raise PromptError(f"prompt {prompt.id} has places left open: fill it before it is sent")
        began, spent, seconds = time.monotonic(), _Spent(), min(deadline, self.timeout)
        try:
            value = within(seconds, lambda: self._answer(prompt, schema, spent, seconds))
        except AnswerRefused:
            raise
        except TimeoutError:
            raise self._failure(f"it is not done after {seconds:g} seconds", spent) from None
        except Exception as error:  # anything can come of what a stranger's server sends
            # Without its cause: what the server said may repeat the key.
            raise self._failure(f"{type(error).__name__}: {_reason(error)}", spent) from None
        took = time.monotonic() - began
        return Generated(
            value, spent.tokens_in, spent.tokens_out, took, spent.attempts, spent.estimated
        )

    def close(self) -> None:
        """Do nothing: no connection outlives a call."""

    async def _answer(self, prompt: Prompt, schema: type[T], spent: _Spent, seconds: float) -> T:
        turns = [
            {"role": "system", "content": f"{prompt.system}\n\n{instruction(schema)}"},
            {"role": "user", "content": prompt.user},
        ]
        async with self._client(seconds) as client:
            said = await self._ask(client, turns, schema, spent)
            try:
                return read_answer(said.text, schema)
            except NoAnswer as problem:
                cut = CUT.format(tokens=self.max_tokens) if said.cut else ""
                again = RETRY.format(problem=problem, cut=cut)
            turns += [
                # Templates want turns by turns, and none that is empty.
                {"role": "assistant", "content": said.text[:REPEATED] or "(nothing)"},
                {"role": "user", "content": again},
            ]
            said = await self._ask(client, turns, schema, spent)
            try:
                return read_answer(said.text, schema)
            except NoAnswer as problem:
                raise AnswerRefused(
                    f"expected a {schema.__name__} from {self.id}, got twice what is none: "
                    f"{problem}; a larger model may do, or a larger max_tokens",
                    spent.tokens,
                ) from None

    async def _ask(
        self, client: Any, turns: Sequence[Mapping[str, str]], schema: type[T], spent: _Spent
    ) -> _Said:
        """Return what is said to `turns`; where the server refuses the schema, without it."""
        import openai

        if self._constrains:
            try:
                return await self._say(
                    client,
                    turns,
                    spent,
                    response_format=response_format(schema),
                    # Ollama (from 0.5.2), vLLM and llama.cpp count where they are asked to,
                    # `transformers serve` without being asked.
                    stream_options={"include_usage": True},
                )
            except openai.APIStatusError as error:
                named = any(name in error.response.text for name in _NAMED)
                if error.status_code not in _REFUSED and not named:
                    raise
        said = await self._say(client, turns, spent)
        self._constrains = False  # not before it worked: it may have been something else
        return said

    async def _say(
        self, client: Any, turns: Sequence[Mapping[str, str]], spent: _Spent, **more: Any
    ) -> _Said:
        asked = sum(len(turn["content"]) for turn in turns)
        spent.unread = asked
        answer = await client.chat.completions.create(
            model=self.model,
            messages=turns,
            temperature=self.temperature,
            max_tokens=self.max_tokens,  # Ollama knows it under no other name
            stream=True,
            **more,
        )
        parts: list[str] = []
        length, pieces, usage, cut = 0, 0, None, False
        async for chunk in _chunks(answer):
            pieces += 1
            usage = getattr(chunk, "usage", None) or usage
            for choice in getattr(chunk, "choices", None) or ():
                cut = cut or getattr(choice, "finish_reason", None) == "length"
                turn = getattr(choice, "delta", None) or getattr(choice, "message", None)
                text = getattr(turn, "content", None)
                if isinstance(text, str):
                    parts.append(text)
                    length += len(text)
            spent.unread = asked + length
            if length > PER_TOKEN * self.max_tokens or pieces > SPARE + 2 * self.max_tokens:
                raise ValueError(f"it says more than {self.max_tokens} tokens can hold")
        spent.read(usage, asked, length)
        return _Said("".join(parts), cut)

    def _client(self, seconds: float) -> Any:
        import openai

        from penchant.language.generator.limited import limited_client

        return openai.AsyncOpenAI(
            base_url=shown(self.url),
            api_key="none",  # else the environment's would go to whatever address this is
            max_retries=self.retries,
            http_client=limited_client(MOST_BYTES, seconds, self._authorization()),
        )

    def _authorization(self) -> str:
        # What stands before an @ is no part of the address that is asked: clients log that.
        parts = urlsplit(self.url)
        if parts.username is None:
            return f"Bearer {self._key or 'none'}"
        told = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return f"Basic {base64.b64encode(told.encode()).decode()}"

    def _failure(self, reason: str, spent: _Spent) -> GeneratorFailed:
        return GeneratorFailed(
            f"the generator {shown(self.url)} gave no answer of {self.model!r} "
            f"({self._redacted(reason)}): check that it runs, the model's name, and the key",
            spent.tokens,
        )

    def _redacted(self, text: str) -> str:
        secrets = [self._key, urlsplit(self.url).password]
        for secret in secrets:
            text = text.replace(secret, "***") if secret else text
        return clean(text)


def shown(url: str) -> str:
    """Return an address without credentials, and without what follows its path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


async def _chunks(answer: Any) -> Any:
    """Yield the pieces of an answer; one alone where the server does not stream."""
    if "json" not in answer.response.headers.get("content-type", ""):
        async for chunk in answer:
            yield chunk
        return
    from openai.types.chat import ChatCompletion

    body = json.loads(await answer.response.aread())
    yield ChatCompletion.construct(**body)


def _reason(error: Exception) -> str:
    """Return what an error says, and what lies under it, where that says more."""
    import openai

    if isinstance(error, openai.APIStatusError):
        if 300 <= error.status_code < 400:
            return f"{error.status_code}, it leads elsewhere, which is not followed: name its end"
        # The client tells of some bodies only, and not of those that FastAPI makes.
        return f"{error.status_code} {error.response.text[:LONGEST]}"
    under = error.__cause__
    return f"{error} ({under})" if under is not None and str(under) else str(error)


def _tokens(characters: int) -> int:
    return -(-characters // 4)


def _needs_openai() -> None:
    try:
        import openai  # noqa: F401
    except ImportError as error:
        raise GeneratorFailed(
            "a generator needs the openai client: `pip install 'openai>=3'`"
        ) from error
