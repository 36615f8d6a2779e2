"""What tests of the endpoint share: a prompt, a schema, and a call."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from generators import Chat, Reply, chatting
from penchant.language.generator.endpoint import Endpoint
from penchant.language.generator.prompt import Prompt, read_prompt

LONG = 5.0  # seconds that a loaded machine may take beyond a deadline of one


class Animal(BaseModel):
    name: str = Field(max_length=12)
    legs: int = Field(ge=0)
    eats: list[str] = Field(default=[], max_length=3)


CAT = '{"name": "cat", "legs": 4, "eats": ["mice"]}'
PROMPT = read_prompt("name: animal\nversion: 1\n---\nYou name animals.\n---\nWhich {kind}?\n")


def asked(reply: Reply, prompt: Prompt, deadline: float = 30.0, **options: Any) -> Any:
    """Return what came, and the server that was asked."""
    options = {"retries": 0, **options}
    with chatting(reply) as server:
        made = Endpoint(server.url, "small", **options).generate(prompt, Animal, deadline)
    return made, server


def other(value: Any) -> Reply:
    def reply(chat: Chat, body: dict[str, Any]) -> None:
        chat.whole(200, value)

    return reply
