"""Names for groups of items, of one to three words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import BaseModel, Field, field_validator

from penchant.language.generator.fencing import clean
from penchant.language.generator.generator import Generated, Generator
from penchant.language.generator.prompt import load_prompt

WORDS = 3
CHARACTERS = 40
TOLD = 40  # titles, and words, that are sent
_MARKS = " .,;:!?\"'“”„«»‘’()*_`#"


class Naming(BaseModel):
    """What the prompt `name` asks for: one to three words without marks around them."""

    name: str = Field(description="one to three words")

    @field_validator("name")
    @classmethod
    def _short(cls, name: str) -> str:
        told = clean(name, 4 * CHARACTERS).strip(_MARKS)
        if not 1 <= len(told.split()) <= WORDS or len(told) > CHARACTERS:
            raise ValueError(f"expected one to {WORDS} words of {CHARACTERS} characters at most")
        if not re.search(r"\w", told) or re.search(r"://|www\.|@", told):
            raise ValueError("expected words, and no address")
        return told


def name_group(
    generator: Generator, titles: Sequence[str], terms: Sequence[str], *, deadline: float = 60.0
) -> Generated[Naming]:
    """Return the name of a group with these typical titles and words, and what it cost.

    Raises what the generator raises; AnswerRefused where it gives no name that short.
    """
    prompt = load_prompt("name-1").filled({"titles": titles[:TOLD], "terms": terms[:TOLD]})
    return generator.generate(prompt, Naming, deadline)
