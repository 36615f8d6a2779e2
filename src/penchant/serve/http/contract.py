"""The contract: every route of the API; what is told of each stands with what it does."""

from __future__ import annotations

from dataclasses import replace

from penchant.serve.http import (
    experimenting,
    inquiring,
    interests,
    operating,
    people,
    recommending,
    recording,
)
from penchant.serve.http.catalogue import SHOWN
from penchant.serve.http.reception import Route

PREFIX = "/v1"


def routes() -> tuple[Route, ...]:
    """Return every route; where two paths fit, the first answers.

    They are tried in this order, so those that are asked for most come first.
    """
    event, *others = recording.routes()
    prefixed = (
        event,
        *recommending.routes(),
        *others,
        *SHOWN,
        *interests.routes(),
        *inquiring.routes(),
        *people.routes(),
        *operating.routes(),
        *experimenting.routes(),
    )
    return (*(replace(one, path=PREFIX + one.path) for one in prefixed), *operating.watching())
