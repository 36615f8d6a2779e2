"""Many threads on one engine: every verb at once, and every event in the very next answer."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import penchant
from penchant import Error, Event, Item
from shelves import filled, ids, mute

ITEMS = [f"i{n}" for n in range(150)]


def together(works: list[Callable[[], None]]) -> list[str]:
    """Run works in threads of their own; return what they raised."""
    raised: list[str] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            raised.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def pairs(engine: penchant.Engine, number: int, times: int) -> None:
    rng = random.Random(number)
    for turn in range(times):
        user = f"p{number}-{rng.randrange(3)}"
        item = rng.choice(ITEMS) if turn % 9 else f"new {number} {turn}"
        engine.record(Event(user, item))
        slate = engine.recommend(user, k=10)
        shown = ids(slate)
        assert item not in shown
        assert len(set(shown)) == len(shown) == 10
        assert engine.export(user)["events"][-1]["item_id"] == item


@pytest.mark.parametrize("times", [25, pytest.param(500, marks=pytest.mark.slow)])
def test_what_a_thread_recorded_is_never_in_its_next_slate(tmp_path: Path, times: int) -> None:
    with penchant.open(mute(tmp_path / "shelf")) as engine:
        engine.add([Item(item) for item in ITEMS])
        raised = together([lambda n=n: pairs(engine, n, times) for n in range(8)])  # type: ignore[misc]
        assert not raised
        assert len(engine._store.log.scan(0, 2**31)) == 8 * times


def test_every_verb_at_once(tmp_path: Path) -> None:
    with penchant.open(filled(tmp_path / "shelf")) as engine:

        def busy(number: int) -> None:
            rng = random.Random(number)
            for turn in range(25):
                user = rng.choice(["ann", "ben", "eve", f"v{number}", f"v{rng.randrange(6)}"])
                item = rng.choice(["w1", "w5", "s2", f"n{rng.randrange(9)}"])
                key = f"{number}-{turn}"
                use: Callable[[], object] = rng.choice(
                    [
                        lambda u=user, i=item: engine.record(Event(u, i)),
                        lambda i=item, t=turn: engine.add([Item(i, title=f"title {t}")]),
                        lambda i=item: engine.remove(i),
                        lambda u=user: engine.recommend(u, k=5).more(5),
                        lambda u=user: engine.recommend(u, where="title != 'x'"),
                        lambda u=user: engine.rank(u, ["w1", "s1", "nobody knows"]),
                        lambda i=item: engine.similar(i),
                        lambda u=user: engine.interests(u),
                        lambda u=user: engine.recommend_many([u, "ann"]),
                        lambda u=user: engine.forget(u),
                        lambda u=user: engine.merge(u, into="ann"),
                        lambda u=user: engine.export(u),
                        lambda k=key: (
                            engine.record(Event("eve", "s6", event_id=k)),
                            engine.undo(k),
                        ),
                        lambda u=user: [
                            engine.explain(slate, slate[0].item_id)
                            for slate in [engine.recommend(u, seen="keep")]
                            if len(slate)
                        ],
                    ]
                )
                try:
                    use()
                except Error:
                    # A person or an item that another thread has just taken away.
                    continue

        assert not together([lambda n=n: busy(n) for n in range(6)])  # type: ignore[misc]
        after = engine.recommend_many(["ann", "eve", "nobody"])
    with penchant.open(tmp_path / "shelf") as again:
        assert set(again.recommend_many(["nobody"])["item_id"]) == set(
            after.filter(user_id="nobody")["item_id"]
        )
