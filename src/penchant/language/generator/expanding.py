"""What somebody may come to like: concepts that a generator proposes, found in the catalogue.

Whatever a text among the data makes a model say, what comes out of here is a name that the list
has, or one of a few plain words for the caller to look up; and a line of plain text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, Field

from penchant.language.generator.fencing import clean
from penchant.language.generator.generator import Generated, Generator
from penchant.language.generator.prompt import Prompt, load_prompt

MOST = 20  # proposals of one answer
TOLD = {"interests": 30, "titles": 30, "concepts": 400}  # that are sent: a context is finite
NAME, REASON = 60, 160  # characters
_ADDRESS = re.compile(r"://|\bwww\.|@|\b\w+\.(?:com|net|org|io|ru|cn|xyz|info)\b", re.IGNORECASE)


class Proposal(BaseModel):
    """One concept as a model writes it."""

    concept: str = Field(min_length=1, max_length=NAME)
    reason: str = Field(default="", max_length=REASON)


class Proposals(BaseModel):
    """What the prompt `expand` asks for."""

    proposals: list[Proposal] = Field(max_length=MOST)


@dataclass(frozen=True, slots=True)
class Interest:
    """A named interest: how strong, in [0, 1], and whether it grows, in [-1, 1]."""

    name: str
    strength: float
    trend: float = 0.0

    def told(self) -> str:
        """Return it in words: a small model makes more of them than of figures."""
        strong = (
            "strong" if self.strength >= 2 / 3 else "middling" if self.strength >= 1 / 3 else ""
        )
        grows = "growing" if self.trend > 0.1 else "fading" if self.trend < -0.1 else "steady"
        return f"{clean(self.name, NAME)} ({strong or 'weak'}, {grows})"


@dataclass(frozen=True, slots=True)
class Proposed:
    """A concept somebody may come to like; `listed` where its name is one of the catalogue's."""

    concept: str
    reason: str
    listed: bool


def expansion(
    interests: Sequence[Interest], titles: Sequence[str], concepts: Sequence[str], count: int
) -> Prompt:
    """Return the prompt that asks for at most `count` concepts beyond `interests`.

    Of each list the first are sent (`TOLD`), so those that matter most come first.
    """
    return load_prompt("expand-1").filled(
        {
            "interests": [interest.told() for interest in interests[: TOLD["interests"]]],
            "titles": titles[: TOLD["titles"]],
            "concepts": [clean(name, NAME) for name in concepts[: TOLD["concepts"]]],
            "count": min(count, MOST),
        }
    )


def expand(
    generator: Generator,
    interests: Sequence[Interest],
    titles: Sequence[str],
    concepts: Sequence[str],
    *,
    count: int = 5,
    deadline: float = 60.0,
) -> tuple[list[Proposed], Generated[Proposals]]:
    """Return at most `count` concepts beyond `interests`, best first, and what they cost.

    Names of `concepts` come back as they are there. None comes twice, none is an interest. Raises
    what the generator raises.
    """
    prompt = expansion(interests, titles, concepts, count)
    made = generator.generate(prompt, Proposals, deadline)
    listed = {_plain(name): name for name in reversed(concepts)}
    taken = {_plain(interest.name) for interest in interests}
    found: list[Proposed] = []
    for one in made.value.proposals:
        plain = _plain(one.concept)
        if plain in taken or not any(map(str.isalnum, plain)) or _ADDRESS.search(one.concept):
            continue
        taken.add(plain)
        name, known = listed.get(plain, clean(one.concept, NAME)), plain in listed
        found.append(Proposed(name, _reason(one.reason), known))
    return found[:count], made


def _plain(name: str) -> str:
    return clean(name, NAME).casefold()


def _reason(text: str) -> str:
    """Return a reason that may be shown: without one that leads somewhere."""
    return "" if _ADDRESS.search(text) else clean(text, REASON)
