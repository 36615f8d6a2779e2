"""Questions: what the engine is asked for a slate, as plain data, so that any worker can answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from penchant.types import Slate

if TYPE_CHECKING:
    from penchant.engine import Engine
    from penchant.serve.telemetry.observing import Telemetry

LARGEST = 65_536  # bytes of a question that is handed on; a larger one is a list for a batch


@dataclass(frozen=True, slots=True)
class Question:
    """A verb of the engine that answers a slate, what it is about, and what else is asked."""

    verb: str
    about: Sequence[Any]
    asked: Mapping[str, Any]

    def answered(self, engine: Engine, telemetry: Telemetry) -> bytes:
        """Return the slate as the document that the contract promises."""
        slate: Slate = _VERBS[self.verb](engine)(*self.about, **self.asked)
        if self.verb != "similar":
            telemetry.answer(slate)
        return slate_json(slate)

    def packed(self, trace: Mapping[str, str]) -> bytes | None:
        """Return the question as bytes, with the trace it belongs to; None where it is too large,
        or holds what JSON cannot."""
        try:
            found = orjson.dumps((self.verb, self.about, self.asked, trace))
        except TypeError:  # a whole number beyond 64 bits
            return None
        return found if len(found) <= LARGEST else None


def unpacked(content: bytes) -> tuple[Question, Mapping[str, str]]:
    """Return the question that these bytes hold, and the trace it belongs to."""
    verb, about, asked, trace = orjson.loads(content)
    return Question(verb, about, asked), trace


def slate_json(slate: Slate) -> bytes:
    """Return a slate as the document that the contract promises."""
    return orjson.dumps(
        {
            "slate_id": slate.id,
            "snapshot": slate.snapshot,
            "user_id": slate.user_id,
            "now": slate.now,
            "recommendations": slate.recommendations,
        }
    )


_VERBS = {
    "recommend": lambda engine: engine.recommend,
    "rank": lambda engine: engine.rank,
    "similar": lambda engine: engine.similar,
}
