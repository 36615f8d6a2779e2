"""Who expands: every expander that the ground and the settings allow."""

from __future__ import annotations

from penchant.interests.expansion.expander import Expander
from penchant.interests.expansion.ground import Ground
from penchant.interests.expansion.reading import Reading
from penchant.interests.expansion.walking import Walking


def expanders(ground: Ground) -> list[Expander]:
    """Return the expanders that can say something on this ground."""
    found: list[Expander] = []
    if ground.graph is not None:
        found.append(Walking(ground))
    if ground.vectors.dimension:
        found.append(Reading(ground))
    return found
