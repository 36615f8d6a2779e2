"""Expanding people: who has changed enough is expanded again, and what came of it is counted.

An expansion is kept under a digest of what it was made of, so that the same portrait is not paid
for twice; it is made again once it is stale. What was proposed and then wished for was taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from penchant.interests.adjustments import Adjustment
from penchant.interests.concepts import Concepts, folded
from penchant.interests.expansion.expander import CannotExpand, Expansion
from penchant.interests.expansion.ground import Ground
from penchant.interests.expansion.mixture import Earned, Mixture
from penchant.interests.expansion.portrait import Portrait, digest, portrait
from penchant.interests.state import DAY, State
from penchant.store.expansions import EARNED, Expansions, Kept
from penchant.types import Prospect

TOLD = 10  # proposals that a person is told of
AGAIN = 3600.0  # seconds, after which whoever failed is asked again


class InterestsConfig(BaseModel):
    """Section `interests`: what people may come to like is worked out in the background.

    `expand` switches it, `prospects` is how many concepts are kept for each person, the best ten of
    which they are told and have items of in their slates; `stale_days`
    after how long somebody who did not change is looked at again, `people_per_minute` how many at
    most are expanded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    expand: bool = True
    prospects: int = Field(20, ge=1, le=50)
    stale_days: float = Field(30.0, gt=0.0)
    people_per_minute: int = Field(600, ge=1)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one person: `expanded`, or why not; and what it cost."""

    expanded: bool
    reason: str = ""
    tokens: int = 0
    seconds: float = 0.0


class Expanding:
    """Keeps the expansions of people up to date, one person at a time."""

    def __init__(
        self, ground: Ground, mixture: Mixture, kept: Expansions, config: InterestsConfig
    ) -> None:
        self.ground = ground
        self._mixture, self._kept, self._config = mixture, kept, config
        known = kept.get(EARNED)
        measured = {} if ground.graph is None else ground.graph.measured
        mixture.earned = Earned.read({} if known is None else known.content, measured)

    def person(
        self,
        user: int,
        state: State,
        changes: Mapping[str, Adjustment] | None = None,
        *,
        local: bool = False,
    ) -> Done:
        """Expand a person who changed enough or whose expansion is stale; tell what was done.

        What they muted is not proposed. Nothing is kept of somebody without wishes. With `local` no
        generator is asked: it is the next time that this is called without.
        """
        if not len(state.liked):
            return Done(False, "no wishes")
        mine = portrait(state, self.ground)
        mark = digest(mine, self.ground, self._mixture.id)
        before = self._kept.get(user)
        if before is not None and before.digest == mark and not self._due(before, state.now, local):
            return Done(False, "unchanged")
        try:
            made = self._mixture.expand(mine, self._config.prospects, local=local)
        except CannotExpand as error:
            return Done(False, str(error), error.tokens)
        if before is not None and before.digest != mark:
            self._count(before, mine)  # each proposal once: others are made now
        said = self._content(made, mine, changes or {})
        if made.left_out:
            said["again"] = state.now + (0.0 if local else AGAIN)
        self._kept.put(user, Kept(state.now, self.ground.snapshot, mark, said, made.vector))
        return Done(True, tokens=made.tokens, seconds=made.seconds)

    def _due(self, before: Kept, now: float, local: bool) -> bool:
        """Return whether what is kept of the same portrait is to be made again."""
        if now - before.time >= self._config.stale_days * DAY:
            return True
        return not local and now >= float(before.content.get("again", np.inf))

    def keep(self) -> None:
        """Keep what was counted."""
        now, empty = 0.0, np.zeros(0, dtype=np.float32)
        self._kept.put(EARNED, Kept(now, "", "", self._mixture.earned.plain(), empty))

    def _content(
        self, made: Expansion, mine: Portrait, changes: Mapping[str, Adjustment]
    ) -> dict[str, Any]:
        names, may = self.ground.concepts.names, self.ground.proposable()
        touched = mine.touched[: len(may)]
        unwanted = {key for key, one in changes.items() if one.to in ("mute", "delete")}
        return {
            "prospects": [
                {
                    "name": names[one.concept],
                    "weight": round(one.weight, 4),
                    "why": one.why,
                    "by": one.by,
                }
                for one in made.proposals
                if folded(names[one.concept]) not in unwanted
            ],
            "parts": {by: [names[one] for one in part] for by, part in made.parts.items()},
            # What was there to be proposed, and touched before: what chance would have met.
            "ahead": int((may & ~touched).sum()),
            "touched": int((may & touched).sum()),
            "tokens": made.tokens,
            "seconds": round(made.seconds, 4),
        }

    def _count(self, before: Kept, mine: Portrait) -> None:
        """Count what each expander named, and of it what the person wished for since."""
        made: Counter[str] = Counter()
        named: Counter[str] = Counter()
        taken: Counter[str] = Counter()
        for by, names in before.content["parts"].items():
            made[by] += TOLD
            for name in names[:TOLD]:
                number = self.ground.concepts.number(name)
                named[by] += 1
                if number is not None and number < len(mine.touched) and mine.touched[number]:
                    taken[by] += 1
        may = self.ground.proposable()
        since = int((may & mine.touched[: len(may)]).sum()) - int(before.content["touched"])
        share = min(1.0, max(0, since) / max(1, int(before.content["ahead"])))
        chance = {name: n * share for name, n in named.items()}
        self._mixture.earned.count(made, taken, chance)


def places(earned: Kept | None, most: int) -> int:
    """Return how many places of a slate what is proposed has earned, at most `most`."""
    return 1 if earned is None else Earned.read(earned.content).places(most)


def prospects(kept: Kept | None, most: int = TOLD) -> tuple[Prospect, ...]:
    """Return what is kept of a person as they are shown it, best first, at most `most`."""
    if kept is None:
        return ()
    rows: Sequence[Mapping[str, Any]] = kept.content.get("prospects", ())[:most]
    return tuple(
        Prospect(str(one["name"]), float(one["weight"]), str(one["why"]), str(one["by"]))
        for one in rows
    )


def untouched(kept: Kept | None, state: State, concepts: Concepts) -> list[tuple[int, float]]:
    """Return concepts and weights of what is kept and still ahead, best first.

    What the person wished for since has come true, and what the catalogue no longer knows is gone.
    """
    if kept is None or kept.time > state.now:
        return []
    touched = set(concepts.borne(state.liked.items.tolist())[1].tolist())
    found = []
    for one in prospects(kept):
        number = concepts.number(one.name)
        if number is not None and number not in touched:
            found.append((number, one.weight))
    return found
