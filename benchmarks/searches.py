"""Prints how soon the film is found that a viewer searched for in words, and then chose.

    python benchmarks/searches.py

Simulated viewers of the demo shelf. The first four fifths of the log are learned; each search of
the last fifth is asked as its viewer, who then clicked one film: films of what they typed
("adventures by George Lucas", "best dramas") are many, so that words and taste both have a say.
The ways to order are those of `words.py`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

import penchant
from penchant.evaluate.simulate import simulate
from words import WAYS, figures, place, ways

SEARCHES = 800
SOON = timedelta(minutes=2)


def searches(late: pl.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Yield who searched, what they typed, and the id of the film that they clicked next."""
    for (user,), events in late.group_by("user_id", maintain_order=True):
        rows = events.select("event", "item_id", "text", "timestamp").rows()
        for (event, _, text, time), (then, item, _, after) in pairwise(rows):
            if (event, then) == ("search", "click") and after - time < SOON:
                yield str(user), text, item


def main() -> None:
    world = simulate(0, n_users=400, n_events=60_000)
    events = world.events.filter(pl.col("slate_id").is_null())
    cut = events["timestamp"][int(len(events) * 0.8)]
    asked = list(searches(events.filter(pl.col("timestamp") >= cut)))
    drawn = np.random.default_rng(0).permutation(len(asked))[:SEARCHES]
    places = {way: np.full((len(drawn), 1), np.inf) for way in WAYS}
    with (
        tempfile.TemporaryDirectory() as scratch,
        penchant.open(Path(scratch) / "shelf", effort="fast") as engine,
    ):
        engine.add(world.items, users=world.users)
        engine.record(events.filter(pl.col("timestamp") < cut), now=cut.timestamp())
        engine.train()
        numbers = engine._replica.follow().columns.number_of
        for row, number in enumerate(drawn.tolist()):
            user, text, item = asked[number]
            slate = engine.recommend(user, 10, text=text, now=cut.timestamp(), log=False)
            pool = slate.trace.pool
            assert pool is not None
            for way, scores in ways(pool).items():
                places[way][row, 0] = place(scores, pool.items == numbers[item])
    print(json.dumps({"searches": len(drawn), **dict(figures(places))}))


if __name__ == "__main__":
    main()
