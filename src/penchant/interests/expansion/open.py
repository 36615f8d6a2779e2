"""Who expands: every expander that the ground and the settings allow."""

from __future__ import annotations

from penchant.interests.expansion.expander import Expander
from penchant.interests.expansion.ground import Ground
from penchant.interests.expansion.reading import Reading
from penchant.interests.expansion.walking import Walking
from penchant.interests.expansion.writing import Writing
from penchant.language.generator.generator import Generator

TIMEOUT = 60.0  # seconds


def expanders(
    ground: Ground, generator: Generator | None = None, timeout: float = TIMEOUT
) -> list[Expander]:
    """Return the expanders that can say something on this ground.

    `generator` is asked for at most `timeout` seconds each time; None for none.
    """
    found: list[Expander] = []
    if ground.graph is not None:
        found.append(Walking(ground))
    if ground.vectors.dimension:
        found.append(Reading(ground))
    if generator is not None:
        found.append(Writing(ground, generator, timeout))
    return found
