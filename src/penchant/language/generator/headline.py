"""Headlines: one line above a recommendation, made of the item's facts and one named interest.

Whatever is said beyond them is refused, by rules that can be read and not by another model:
figures, names, praise and promises that do not stand in the facts, addresses, and what is about
something else. A rule may refuse what is true in other words; a person sees what is left first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pydantic import BaseModel, Field, field_validator

from penchant.language.generator.fencing import clean
from penchant.language.generator.generator import AnswerRefused, Generated, Generator
from penchant.language.generator.prompt import load_prompt
from penchant.language.grounded import Grounded
from penchant.language.words import words
from penchant.types import Item

LONGEST = 80  # characters
TOLD = 600  # characters of one fact that are sent
_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")
_NAME = re.compile(r"\b[A-Z][\w'’-]+")
_ADDRESS = re.compile(r"://|\bwww\.|@|\b\w+\.(?:com|net|org|io)\b", re.IGNORECASE)
# What sells and cannot be read off a catalogue; said in the facts it may be repeated.
PRAISE = frozenset(
    [
        "amazing",
        "award",
        "awards",
        "awarded",
        "award-winning",
        "bargain",
        "beautiful",
        "beloved",
        "best",
        "bestseller",
        "bestselling",
        "brilliant",
        "cheap",
        "cheapest",
        "classic",
        "discount",
        "essential",
        "exclusive",
        "famous",
        "finest",
        "free",
        "greatest",
        "guarantee",
        "guaranteed",
        "iconic",
        "incredible",
        "legendary",
        "limited",
        "lowest",
        "masterpiece",
        "must-have",
        "must-read",
        "must-see",
        "new",
        "offer",
        "only",
        "original",
        "perfect",
        "popular",
        "premium",
        "sale",
        "stunning",
        "top",
        "ultimate",
        "unforgettable",
        "unique",
        "world-class",
        "worth",
        "you",
        "your",
    ]
)
NEAR, SHARE = 0.4, 0.5  # a line is shorter than what it stands for: see `Grounded`


class Headline(BaseModel):
    """What the prompt `headline` asks for: one plain line."""

    headline: str = Field(description="one line of at most ten words")

    @field_validator("headline")
    @classmethod
    def _line(cls, said: str) -> str:
        line = clean(said, 4 * LONGEST).strip(" \"'“”„«»*_`#.")
        if not line or len(line) > LONGEST or not any(map(str.isalpha, line)):
            raise ValueError(f"expected one line of words, {LONGEST} characters at most")
        return line


def facts_of(item: Item) -> list[str]:
    """Return what is said of an item in public, a fact a line."""
    told = [item.title, item.category or "", ", ".join(item.tags), item.description]
    return [clean(one, TOLD) for one in told if one.strip()]


def write_headline(
    generator: Generator,
    grounded: Grounded,
    item: Item,
    interest: str,
    *,
    deadline: float = 60.0,
) -> Generated[Headline]:
    """Return a headline that the facts of an item bear out, and what it cost.

    `grounded` compares as loosely as a line needs (`NEAR`, `SHARE`). Raises what the generator
    raises, and AnswerRefused with the claims where there are any that the facts do not make.
    """
    facts = facts_of(item)
    prompt = load_prompt("headline-1").filled(
        {"facts": facts, "interest": [interest]}, characters=TOLD
    )
    made = generator.generate(prompt, Headline, deadline)
    beyond = list(claims(made.value.headline, facts, interest, grounded))
    if beyond:
        raise AnswerRefused(
            f"{made.value.headline!r} says what is not known of {item.item_id!r}: "
            f"{'; '.join(beyond)}",
            made.tokens,
        )
    return made


def claims(line: str, facts: Sequence[str], interest: str, grounded: Grounded) -> Iterator[str]:
    """Yield what a headline claims beyond the facts and the interest, in words."""
    given = " ".join([*facts, interest])
    known = {word.casefold() for word in words(given)}
    figures = set(_FIGURE.findall(given))
    for figure in _FIGURE.findall(line):
        if figure not in figures:
            yield f"the figure {figure}"
    if _ADDRESS.search(line):
        yield "an address"
    first = line.split(maxsplit=1)[0]
    for name in _NAME.findall(line):
        # A first word is capitalised whether it is a name or not; what it says is looked at below.
        if name != first and not {part.casefold() for part in words(name)} <= known:
            yield f"the name {name}"
    for word in line.casefold().replace("-", " ").split() + line.casefold().split():
        plain = word.strip(".,;:!?\"'()")
        if plain in PRAISE and plain not in known:
            yield f"the promise {plain!r}"
    if grounded.unsupported(f"{line} [1].", [". ".join([*facts, interest])]):
        yield "something that the facts do not say"
