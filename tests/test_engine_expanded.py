"""What people may come to like: worked out beside the request, shown in a place, and explained."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import penchant
from generators import Chat, chatting
from penchant import Event
from penchant.evaluate.simulate import World, world
from penchant.interests.expansion.expanding import InterestsConfig
from penchant.interests.expansion.ground import open_ground
from penchant.serve.service.expanding import Expansions
from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.store.open import open_store
from penchant.types import InvalidInput
from shelves import elsewhere, ids, mute

PEOPLE = [f"u{n}" for n in range(40)]


@pytest.fixture(scope="module")
def made() -> World:
    return world(n_users=150, n_items=300, n_events=4000, seed=5)


@pytest.fixture(scope="module")
def now(made: World) -> float:
    return float(made.events["timestamp"].max().timestamp()) + 60  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def trained(made: World, now: float, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = mute(tmp_path_factory.mktemp("expanded") / "shelf")
    with penchant.open(directory, effort="fast") as engine:
        engine.add(made.items)
        engine.record(made.events, now=now)
        report = engine.train(seed=1)
        assert report.data["interests"]["concepts"]["cluster"] > 3
        assert report.data["interests"]["edges"] > 0
    return directory


@pytest.fixture
def shelf(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "shelf"))


@pytest.fixture
def engine(shelf: Path) -> Iterator[penchant.Engine]:
    with penchant.open(shelf) as opened:
        yield opened


def test_prospects_are_what_a_person_never_touched(engine: penchant.Engine, now: float) -> None:
    assert engine.interests("u1", now=now).prospects == ()
    found = engine.expand("u1", now=now)
    assert 3 <= len(found.prospects) <= 10
    assert found.prospects[0].weight == 1.0
    assert {one.by for one in found.prospects} == {"graph"}  # no texts are read here
    concepts = engine._replica.follow().concepts
    _, state = engine._asking.state("u1", now)
    touched = {name for item in state.seen.tolist() for name in concepts.named(item)}
    assert not touched & {one.name for one in found.prospects}
    assert found.prospects[0].why.startswith("goes with ")
    # It stays until they change, is told of by everybody, and not of moments before it.
    assert engine.interests("u1", now=now + 5).prospects == found.prospects
    assert engine.interests("u1", now=now - 5).prospects == ()
    held = [row["name"] for row in engine.export("u1")["prospects"]]
    assert held[:10] == [one.name for one in found.prospects]
    assert len(held) > 10


def test_nobody_and_strangers_have_none(engine: penchant.Engine, now: float) -> None:
    assert engine.expand("nobody", now=now).prospects == ()
    engine.record(Event("new", text="a lamp", event="search"), now=now)
    assert engine.expand("new", now=now + 1).prospects == ()


def test_one_event_is_enough(engine: penchant.Engine, now: float) -> None:
    engine.record(Event("new", "i5", timestamp=now), now=now)
    assert engine.expand("new", now=now + 1).prospects


def test_a_place_is_held_and_says_why(engine: penchant.Engine, now: float) -> None:
    before = {user: ids(engine.recommend(user, now=now)) for user in PEOPLE}
    for user in PEOPLE:
        engine.expand(user, now=now)
    after = {user: engine.recommend(user, now=now) for user in PEOPLE}
    moved = [user for user in PEOPLE if ids(after[user]) != before[user]]
    assert moved
    concepts = engine._replica.follow().concepts
    number = engine._replica.follow().columns.number_of
    held = 0
    for user in moved:
        prospects = {one.name for one in engine.interests(user, now=now).prospects}
        slate = after[user]
        assert len(set(ids(slate))) == 10
        item = ids(slate)[-2]
        sentence = engine.explain(slate, item).sentence
        if "a place is kept for what you may come to like" in sentence:
            held += 1
            assert prospects & set(concepts.named(number[item]))
    assert held
    assert "widening" in engine.stages()


def test_no_place_is_held_where_the_policy_says_so(shelf: Path, now: float) -> None:
    with penchant.open(shelf) as engine:
        before = {user: ids(engine.recommend(user, now=now)) for user in PEOPLE}
        for user in PEOPLE:
            engine.expand(user, now=now)
    settings = (shelf / "penchant.toml").read_text(encoding="utf-8")
    (shelf / "penchant.toml").write_text(settings + "[recommend]\nwiden = 0\n", encoding="utf-8")
    with penchant.open(shelf) as engine:
        slates = [engine.recommend(user, now=now) for user in PEOPLE]
        assert not any(
            "may come to like" in engine.explain(slate, ids(slate)[-2]).sentence for slate in slates
        )
    assert len(before) == len(slates)


def test_what_came_true_is_no_prospect_any_more(engine: penchant.Engine, now: float) -> None:
    first = engine.expand("u1", now=now).prospects[0]
    served = engine._replica.follow()
    concept = served.concepts.number(first.name)
    assert concept is not None
    item = served.columns.ids[int(served.concepts.bearing(concept)[0])]
    for n in range(3):
        engine.record(Event("u1", item, timestamp=now + 10 + n), now=now + 10 + n)
    again = engine.expand("u1", now=now + 60)
    assert first.name not in {one.name for one in again.prospects}
    _, earned = engine._store.expansions.read(-1)
    assert earned is not None
    assert earned.content["taken"]["graph"] >= 1  # its category, or its cluster, or both


def test_a_muted_interest_is_no_prospect(engine: penchant.Engine, now: float) -> None:
    first = engine.expand("u1", now=now).prospects[0].name
    engine.adjust("u1", first, now=now)
    engine.record(Event("u1", "i9", timestamp=now + 9), now=now + 9)
    engine.record(Event("u1", "i77", timestamp=now + 10), now=now + 10)
    assert first not in {one.name for one in engine.expand("u1", now=now + 20).prospects}


def test_another_process_reads_what_was_kept(engine: penchant.Engine, now: float) -> None:
    kept = engine.expand("u1", now=now).prospects
    code = """
import sys, penchant
with penchant.open(sys.argv[1], read_only=True) as engine:
    print(*[one.name for one in engine.interests("u1", now=float(sys.argv[2])).prospects], sep="|")
"""
    assert elsewhere(code, engine.directory, now).split("|") == [one.name for one in kept]


def test_it_is_forgotten_with_its_person(engine: penchant.Engine, now: float) -> None:
    engine.expand("u1", now=now)
    assert len(engine._store.expansions) == 1
    engine.forget("u1")
    assert len(engine._store.expansions) == 0


def test_before_a_training_there_is_nothing_to_expand_with(tmp_path: Path, now: float) -> None:
    with penchant.open(mute(tmp_path / "shelf")) as engine:
        engine.add([{"item_id": "a", "title": "A", "category": "x"}])
        engine.record(Event("u", "a", timestamp=now), now=now)
        assert engine.expand("u", now=now + 1).prospects == ()


# In the background


def test_the_background_looks_at_whoever_did_something_first(shelf: Path, now: float) -> None:
    config = InterestsConfig(people_per_minute=60)
    with open_store(shelf) as store:
        background = Expansions(store, config, clock=lambda: now + 100)
        with penchant.open(shelf) as engine:
            engine.record(Event("u77", "i3", timestamp=now + 50), now=now + 50)
            assert background.look() == 5  # of the 60 a minute, those of five seconds
            store.expansions.flush()
            assert engine.interests("u77", now=now + 200).prospects
            before = len(store.expansions)
            for _ in range(40):
                background.look()
            store.expansions.flush()
            assert len(store.expansions) > before + 100
            # All of them are known now: nobody changed, so nothing is made again.
            assert background.look() == 0
        background.close()


def test_it_runs_in_a_thread_of_its_own_and_ends(shelf: Path, now: float) -> None:
    with open_store(shelf) as store:
        background = Expansions(store, InterestsConfig(), clock=lambda: now)
        background()
        background()
        until = time.monotonic() + 20
        while not len(store.expansions) and time.monotonic() < until:
            time.sleep(0.05)
        assert len(store.expansions)
        background.close()
        assert not [t for t in threading.enumerate() if t.name == "penchant-expand"]
        background()  # ended is ended


# With a generator

STALLS = 4.0  # seconds after which one that says nothing is left


def _expanding() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "penchant-expand"]


def told_of(shelf: Path, url: str, **more: object) -> None:
    """Write into the settings of a shelf which generator it has."""
    lines = "".join(f"{name} = {value}\n" for name, value in more.items())
    with (shelf / "penchant.toml").open("a", encoding="utf-8") as settings:
        settings.write(f'[generator]\nurl = "{url}"\nmodel = "small"\n{lines}')


def choosing(chat: Chat, body: dict[str, Any]) -> None:
    """Propose the last two of the concepts that the catalogue is said to have."""
    listed = body["messages"][1]["content"].split("The concepts of the catalogue:")[1]
    names = [line[2:] for line in listed.splitlines() if line.startswith("- ")][-2:]
    chat.stream(json.dumps({"proposals": [{"concept": name, "reason": "why"} for name in names]}))


def stalling(chat: Chat, body: dict[str, Any]) -> None:
    for _ in chat.until_cut_off():
        pass


def test_the_background_asks_a_generator_and_a_request_never_does(shelf: Path, now: float) -> None:
    with chatting(choosing) as server:
        told_of(shelf, server.url)
        with penchant.open(shelf) as engine:
            assert engine.expand("u1", now=now, local=True).prospects
            engine.recommend("u1", now=now + 1)
            assert not server.requests
            with open_store(shelf) as store:
                background = Expansions(store, InterestsConfig(), clock=lambda: now + 100)
                engine.record(Event("u1", "i3", timestamp=now + 50), now=now + 50)
                background.look()
                store.expansions.flush()
                background.close()
            assert server.requests
            found = engine.interests("u1", now=now + 200)
            assert [one.name for one in found.prospects if one.by == "generator"]
            rows = engine.export("u1")["prospects"]
            assert {row["by"] for row in rows} == {"graph", "generator"}


def test_whoever_embeds_the_engine_asks_it_beside_requests(shelf: Path, now: float) -> None:
    with chatting(choosing) as server:
        told_of(shelf, server.url)
        with penchant.open(shelf) as engine:
            found = engine.expand("u1", now=now)
        assert len(server.requests) == 1
    assert "generator" in {one.by for one in found.prospects}
    assert all(one.why != "why" for one in found.prospects)  # what a model says is not repeated


def test_a_generator_that_stalls_keeps_nobody_waiting(shelf: Path, now: float) -> None:
    with chatting(stalling) as server:
        told_of(shelf, server.url, timeout=STALLS)
        with penchant.open(shelf) as engine, open_store(shelf) as store:
            engine.recommend("u1", now=now + 1)  # whatever is opened once is open
            engine.expand("u1", now=now + 1, local=True)
            background = Expansions(store, InterestsConfig(), clock=lambda: now + 100)
            background()
            try:
                until = time.monotonic() + 30
                while not server.requests and time.monotonic() < until:
                    time.sleep(0.01)
                assert server.requests
                slowest = 0.0
                for user in PEOPLE:
                    began = time.perf_counter()
                    engine.recommend(user, now=now + 1)
                    engine.expand(user, now=now + 1, local=True)
                    slowest = max(slowest, time.perf_counter() - began)
                assert slowest < 0.8 * STALLS  # seconds that each call of the generator takes
            finally:
                background.close()
        ends = time.monotonic() + 5 * STALLS
        while _expanding() and time.monotonic() < ends:
            time.sleep(0.05)
        assert not _expanding()


def test_settings_of_a_generator_that_do_not_fit_are_told(shelf: Path, now: float) -> None:
    told_of(shelf, "http://127.0.0.1:9/v1", key_env='"NO_SUCH_KEY"')
    with penchant.open(shelf) as engine:
        assert engine.recommend("u1", now=now)
        with pytest.raises(InvalidInput, match="NO_SUCH_KEY, which is not set"):
            engine.expand("u1", now=now)


def test_it_is_switched_off(shelf: Path, now: float) -> None:
    with open_store(shelf) as store:
        off = Expansions(store, InterestsConfig(expand=False), clock=lambda: now)
        off()
        assert not [t for t in threading.enumerate() if t.name == "penchant-expand"]
        off.close()


def test_a_snapshot_of_before_has_no_vocabulary(tmp_path: Path) -> None:
    assert open_ground(Artefacts(tmp_path), "s", ItemColumns()) is None
