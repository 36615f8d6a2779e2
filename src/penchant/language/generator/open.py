"""The generator that the configuration asks for, within its budget."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from penchant.language.generator.budget import Budget
from penchant.language.generator.endpoint import Endpoint
from penchant.language.generator.guarded import Guarded
from penchant.types import InvalidInput

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


class GeneratorConfig(BaseModel):
    """Section `generator`: the language model that writes, and how much it may be asked.

    `url` is the address of a server that speaks OpenAI's protocol, with its /v1; "" for none, and
    then nothing is sent anywhere. `model` is the name by which that server knows it. `key_env`
    names the variable of the environment that holds the key: the key itself has no place in a file.
    `timeout` is how many seconds a call may take with its retry, `max_tokens` how long an answer
    may be. In an hour it is asked at most `calls_per_hour` times, for `tokens_per_hour` tokens of
    questions and answers, and for `seconds_per_hour`; 0 for no limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = ""
    model: str = ""
    key_env: str = Field(default="", repr=False)
    timeout: float = Field(default=60.0, gt=0, le=3600)
    max_tokens: int = Field(default=1000, ge=16, le=100_000)
    temperature: float = Field(default=0.0, ge=0, le=2)
    calls_per_hour: int = Field(default=600, ge=0)
    tokens_per_hour: int = Field(default=1_000_000, ge=0)
    seconds_per_hour: float = Field(default=1800.0, ge=0)


def open_generator(
    config: GeneratorConfig, environment: Mapping[str, str] | None = None
) -> Guarded | None:
    """Return the generator of `config`, None where there is none.

    Asks nothing yet. Raises InvalidInput for settings that do not fit together, GeneratorFailed
    where the openai client is not installed.
    """
    if not config.url:
        return None
    if not re.match(r"https?://[^/\s]", config.url):
        raise InvalidInput("url in [generator] has to begin with http:// or https://, as in /v1")
    if not config.model:
        raise InvalidInput("[generator] has a url and no model: name one that the server has")
    endpoint = Endpoint(
        config.url,
        config.model,
        _key(config.key_env, os.environ if environment is None else environment),
        timeout=config.timeout,
        max_tokens=config.max_tokens,
        temperature=config.temperature,
    )
    budget = Budget(
        config.calls_per_hour or None,
        config.tokens_per_hour or None,
        config.seconds_per_hour or None,
    )
    return Guarded(endpoint, budget)


def _key(name: str, environment: Mapping[str, str]) -> str | None:
    if not name:
        return None
    if not _VARIABLE.fullmatch(name):  # and is not repeated: it may be the key itself
        raise InvalidInput(
            "key_env in [generator] is the name of a variable of the environment, in capitals, and "
            "what it holds is none: put the key into a variable, and the variable's name here"
        )
    if not (key := environment.get(name)):
        raise InvalidInput(f"key_env in [generator] names {name}, which is not set: set it")
    return key
