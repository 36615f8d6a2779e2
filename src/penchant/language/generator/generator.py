"""The contract of a generator: a prompt in, an object by a schema out, within a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

from penchant.language.generator.prompt import Prompt
from penchant.types import Error

T = TypeVar("T", bound=BaseModel)


class GeneratorFailed(Error):
    """Nothing that could be read came: it is down, refused, late, or sent more than was allowed.

    `tokens` is what it cost all the same, estimated.
    """

    def __init__(self, message: str, tokens: int = 0) -> None:
        super().__init__(message)
        self.tokens = tokens


class AnswerRefused(Error):
    """An answer came, and after one retry it still was not what the schema asks for.

    `tokens` is what both answers cost.
    """

    def __init__(self, message: str, tokens: int = 0) -> None:
        super().__init__(message)
        self.tokens = tokens


@dataclass(frozen=True, slots=True)
class Generated(Generic[T]):
    """What a generator gave, checked against the schema, and what it cost over all attempts.

    `estimated` says that the endpoint did not tell its tokens: a fourth of the characters then.
    """

    value: T
    tokens_in: int
    tokens_out: int
    seconds: float
    attempts: int = 1
    estimated: bool = False

    @property
    def tokens(self) -> int:
        """The tokens of question and answer together."""
        return self.tokens_in + self.tokens_out


class Generator(Protocol):
    """Writes what a prompt asks for, as a pydantic object; safe between threads.

    Never asked while somebody waits for a request. Equal `id`s mean the same model at the same
    address, so that answers can be remembered under it; the weights behind it cannot be seen.
    """

    @property
    def id(self) -> str:
        """The model and its address, without credentials."""
        ...

    def generate(self, prompt: Prompt, schema: type[T], deadline: float) -> Generated[T]:
        """Return an object of `schema`, within `deadline` seconds over all attempts.

        Raises GeneratorFailed where nothing came, AnswerRefused where nothing valid came.
        """
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...
