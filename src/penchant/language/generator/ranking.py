"""The order of a list, as a generator would put it (listwise: Sun et al., 2023, RankGPT)."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from penchant.language.generator.expanding import Interest
from penchant.language.generator.fencing import clean
from penchant.language.generator.generator import Generated, Generator
from penchant.language.generator.prompt import load_prompt

MOST = 50  # lines of one list
TOLD = 10  # interests that are sent
LENGTH = 120  # characters of a line


class Ranking(BaseModel):
    """What the prompt `rerank` asks for."""

    order: list[int] = Field(max_length=2 * MOST)


def rank_list(
    generator: Generator, interests: Sequence[Interest], lines: Sequence[str], deadline: float
) -> tuple[list[int], Generated[Ranking]]:
    """Return all places of `lines` in the order that is proposed, and what it cost.

    Numbers that are no line's, and those that came before, are passed over; lines that are not
    named keep their order after the others. Raises what the generator raises.
    """
    lines = lines[:MOST]
    prompt = load_prompt("rerank-1").filled(
        {
            "interests": [interest.told() for interest in interests[:TOLD]],
            "items": [f"{n}. {clean(line, LENGTH)}" for n, line in enumerate(lines, 1)],
            "count": len(lines),
        }
    )
    made = generator.generate(prompt, Ranking, deadline)
    named = dict.fromkeys(n - 1 for n in made.value.order if 1 <= n <= len(lines))
    return [*named, *(place for place in range(len(lines)) if place not in named)], made
