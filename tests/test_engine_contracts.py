"""What holds whatever happens: durability, order, determinism, use in the wrong way."""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import penchant
import world
from penchant import Error, Event, Item
from penchant.store.faults import StoreClosed, StoreReadOnly
from shelves import elsewhere, filled, ids, mute

Use = Callable[[penchant.Engine], object]
# Made here: in a forked child polars itself would wait for ever for its threads.
EVENTS = world.events()

WRITES: dict[str, Use] = {
    "add": lambda e: e.add([Item("new")]),
    "add nothing": lambda e: e.add([]),
    "add users": lambda e: e.add(users=[{"user_id": "u"}]),
    "add links": lambda e: e.add(links=[{"head": "a", "tail": "b"}]),
    "record": lambda e: e.record(Event("ann", "w1")),
    "record dict": lambda e: e.record({"user_id": "ann", "item_id": "w1"}),
    "record frame": lambda e: e.record(EVENTS, now=world.NOW),
    "record none": lambda e: e.record([]),
    "train": lambda e: e.train(),
    "remove": lambda e: e.remove("w1"),
    "undo": lambda e: e.undo("ann-0"),
    "forget": lambda e: e.forget("ann"),
    "merge": lambda e: e.merge("ann", into="ben"),
}
READS: dict[str, Use] = {
    "recommend": lambda e: e.recommend("ann", now=world.NOW),
    "recommend stranger": lambda e: e.recommend("nobody", now=world.NOW),
    "recommend visitor": lambda e: e.recommend(history=["w1"], now=world.NOW),
    "recommend_many": lambda e: e.recommend_many(["ann", "eve"], now=world.NOW),
    "rank": lambda e: e.rank("ann", ["w1", "s1"], now=world.NOW),
    "similar": lambda e: e.similar("w1", now=world.NOW),
    "interests": lambda e: e.interests("ann", now=world.NOW),
    "explain": lambda e: e.explain("unknown", "w1"),
    "stages": lambda e: e.stages(),
    "export": lambda e: e.export("ann"),
    "backup": lambda e: e.backup(e.directory.parent / "copy"),
}


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return filled(tmp_path / "shelf")


@pytest.fixture
def engine(shelf: Path) -> Iterator[penchant.Engine]:
    with penchant.open(shelf) as opened:
        yield opened


# After close, after fork, only to read


@pytest.mark.parametrize("name", [*WRITES, *READS])
@pytest.mark.parametrize("used", [True, False])
def test_a_closed_engine_says_so(shelf: Path, name: str, used: bool) -> None:
    engine = penchant.open(shelf)
    if used:
        engine.recommend("ann")
    engine.close()
    engine.close()
    with pytest.raises(StoreClosed, match="closed"):
        {**WRITES, **READS}[name](engine)


def test_a_slate_of_a_closed_engine_cannot_go_on(shelf: Path) -> None:
    with penchant.open(shelf) as engine:
        slates = [
            engine.recommend("ann", 2),
            engine.recommend("ann", 2, log=False),
            engine.similar("w1", 2),
        ]
    for slate in slates:
        assert len(slate) == 2
        with pytest.raises(Error, match="closed"):
            slate.more(2)


@pytest.mark.parametrize("name", WRITES)
def test_an_engine_opened_to_read_writes_nothing(shelf: Path, name: str) -> None:
    before = {p: p.read_bytes() for p in sorted(shelf.rglob("*")) if p.is_file()}
    with (
        penchant.open(shelf, read_only=True) as engine,
        pytest.raises(StoreReadOnly, match="open it to write"),
    ):
        WRITES[name](engine)
    after = {p: p.read_bytes() for p in sorted(shelf.rglob("*")) if p.is_file()}
    assert {p: b for p, b in after.items() if p.suffix not in (".db-shm", ".db-wal")} == before


def test_an_engine_opened_to_read_answers_like_any_other(shelf: Path) -> None:
    with penchant.open(shelf) as engine:
        expected = engine.recommend_many([*world.HISTORIES], now=world.NOW)
        slate = engine.recommend("ann", now=world.NOW)
    with penchant.open(shelf, read_only=True) as reader:
        assert reader.recommend_many([*world.HISTORIES], now=world.NOW).equals(expected)
        assert ids(reader.recommend("ann", now=world.NOW)) == ids(slate)
        assert reader.explain(slate.id, slate[0].item_id).item_id == slate[0].item_id
        fresh = reader.recommend("ann", now=world.NOW)
        assert reader.explain(fresh, fresh[0].item_id).sentence
        # It follows what others write.
        with penchant.open(shelf) as writer:
            writer.record(Event("ann", "w6"))
            assert "w6" not in ids(reader.recommend("ann"))
            writer.add([Item("w9", "Nine")])
            assert "w9" in ids(reader.recommend("ann", k=20))


def test_a_directory_that_is_no_shelf_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Error, match="does not exist"):
        penchant.open(tmp_path / "nothing", read_only=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(Error, match="not a store yet"):
        penchant.open(tmp_path / "empty", read_only=True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(Error, match="is a file"):
        penchant.open(tmp_path / "file")


FORKED = """
import os, sys, warnings
warnings.simplefilter("ignore")
import penchant
from test_engine_contracts import READS, WRITES

engine = penchant.open(sys.argv[1])
slate = engine.recommend("ann", 2)
read, write = os.pipe()
child = os.fork()
if child == 0:
    said = []
    for name, use in {**WRITES, **READS, "more": lambda e: slate.more(2)}.items():
        try:
            use(engine)
            said.append(name + " was answered")
        except penchant.Error as error:
            if "forked" not in str(error):
                said.append(f"{name}: {error}")
        except BaseException as error:
            said.append(f"{name}: {type(error).__name__} {error}")
    engine.close()
    os.write(write, ("; ".join(said) or "all refused").encode())
    os._exit(0)
os.close(write)
os.waitpid(child, 0)
print(os.read(read, 65536).decode())
engine.record(penchant.Event("ann", "w6"))
assert "w6" not in [line.item_id for line in engine.recommend("ann", 20)]
engine.close()
"""


def test_a_fork_is_refused_and_leaves_its_parent_alone(shelf: Path) -> None:
    assert elsewhere(FORKED, shelf) == "all refused"


# Time


@pytest.mark.parametrize("language", [False, True])
def test_nothing_later_than_now_is_used(tmp_path: Path, language: bool) -> None:
    """Two shelves that agree up to a moment agree about it, whatever happened later."""
    everybody = [*world.HISTORIES, "a stranger"]
    events = world.events()
    for number, now in enumerate(events["timestamp"].unique().sort().to_list()[3::12]):
        later = events.filter(pl.col("timestamp") > now)
        other = later.with_columns(
            item_id=pl.col("item_id").reverse(), user_id=pl.col("user_id").shuffle(seed=number)
        )
        answers = []
        for name, rest in {"one": later, "other": other}.items():
            directory = tmp_path / f"{name}-{number}"
            with penchant.open(directory if language else mute(directory)) as engine:
                engine.add(world.items())
                engine.add(users=world.users())
                past = events.filter(pl.col("timestamp") <= now)
                engine.record(pl.concat([past, rest]), now=world.NOW)
                answers.append(engine.recommend_many(everybody, k=13, now=now))
            with penchant.open(directory, read_only=True) as engine:
                again = engine.recommend_many(everybody, k=13, now=now)
                answers.append(again)
        assert answers[1].equals(answers[3]), now
        assert answers[0].equals(answers[2]), now


def test_nothing_later_than_now_is_used_of_what_arrives_live(tmp_path: Path) -> None:
    everybody = [*world.HISTORIES, "a stranger"]
    events = world.events()
    cut = int(events["timestamp"].median())  # type: ignore[arg-type]
    with penchant.open(mute(tmp_path / "shelf")) as engine:
        engine.add(world.items())
        engine.record(events.filter(pl.col("timestamp") <= cut), now=cut)
        before = engine.recommend_many(everybody, k=13, now=cut)
        slates = {user: ids(engine.rank(user, [*world.ITEMS], now=cut)) for user in everybody}
        for row in events.filter(pl.col("timestamp") > cut).iter_rows(named=True):
            engine.record(row, now=row["timestamp"])
            engine.recommend(row["user_id"], now=row["timestamp"])
        assert engine.recommend_many(everybody, k=13, now=cut).equals(before)
        for user in everybody:
            assert ids(engine.rank(user, [*world.ITEMS], now=cut)) == slates[user]
            assert not engine.interests(user, now=world.START - 1)


def test_events_of_the_future_wait_for_their_time(engine: penchant.Engine) -> None:
    engine.record(Event("jo", "w1", timestamp=world.NOW + 60), now=world.NOW)
    assert "w1" in ids(engine.recommend("jo", k=13, now=world.NOW))
    assert "w1" not in ids(engine.recommend("jo", k=13, now=world.NOW + 61))


# The same question, the same answer


def test_the_same_question_twice_has_the_same_answer(shelf: Path) -> None:
    def ask(engine: penchant.Engine) -> list[object]:
        return [
            [(line.item_id, line.score, line.reasons) for line in slate]
            for user in world.HISTORIES
            for slate in (
                engine.recommend(user, now=world.NOW),
                engine.rank(user, [*world.ITEMS], now=world.NOW),
                engine.similar("w1", now=world.NOW),
            )
        ]

    with penchant.open(shelf) as engine:
        first = ask(engine)
        assert ask(engine) == first
    with penchant.open(shelf) as engine:
        assert ask(engine) == first


def test_live_events_and_imported_events_are_the_same_state(tmp_path: Path) -> None:
    events = world.events()
    everybody = [*world.HISTORIES]
    with penchant.open(mute(tmp_path / "live")) as live:
        live.add(world.items())
        for row in events.iter_rows(named=True):
            live.record(row, now=row["timestamp"])
            live.recommend(row["user_id"], now=row["timestamp"])
        answers = live.recommend_many(everybody, k=13, now=world.NOW, seen="keep")
    with penchant.open(tmp_path / "live") as again:
        reopened = again.recommend_many(everybody, k=13, now=world.NOW, seen="keep")
    with penchant.open(mute(tmp_path / "bulk")) as bulk:
        bulk.add(world.items())
        bulk.record(events.sample(fraction=1.0, shuffle=True, seed=1), now=world.NOW)
    with penchant.open(tmp_path / "bulk") as bulk:
        imported = bulk.recommend_many(everybody, k=13, now=world.NOW, seen="keep")
    assert reopened["item_id"].equals(imported["item_id"])
    assert np.allclose(reopened["score"], imported["score"], atol=1e-5)
    # Pairs counted live are not yet damped by how often each item was wanted.
    top = pl.col("rank") <= 3
    joined = answers.filter(top).join(reopened.filter(top), on=["user_id", "item_id"])
    assert joined.height >= 0.7 * answers.filter(top).height


def test_unknown_context_and_words_change_nothing_but_are_kept(engine: penchant.Engine) -> None:
    plain = engine.recommend("ann", now=world.NOW)
    odd = engine.recommend(
        "ann", now=world.NOW, context={"device": object(), "nested": {"a": [1]}}, text="  "
    )
    assert ids(odd) == ids(plain)
    assert engine.explain(odd, odd[0].item_id).sentence


# What was recorded is in the next answer


def paired(engine: penchant.Engine, user: str, rng: random.Random, items: list[str]) -> None:
    """Record one event and check the very next answer."""
    slate = engine.recommend(user, k=5)
    known = [line.item_id for line in slate]
    item = rng.choice(known) if known and rng.random() < 0.7 else rng.choice(items)
    engine.record(Event(user, item))
    after = engine.recommend(user, k=10)
    assert item not in ids(after)
    assert len({line.item_id for line in after}) == len(after)


def test_what_was_recorded_is_never_in_the_next_slate(tmp_path: Path) -> None:
    rng = random.Random(1)
    items = [f"i{n}" for n in range(300)]
    with penchant.open(mute(tmp_path / "shelf")) as engine:
        engine.add([Item(item) for item in items])
        for _ in range(250):
            paired(engine, f"u{rng.randrange(12)}", rng, items)
        # An item that nobody has ever named.
        for n in range(20):
            engine.record(Event("u1", f"unheard {n}"))
            assert f"unheard {n}" not in ids(engine.recommend("u1", k=320))
            assert f"unheard {n}" in ids(engine.recommend("u2", k=320))
        held = engine.export("u1")["events"]
        assert [event["item_id"] for event in held[-20:]] == [f"unheard {n}" for n in range(20)]


ANSWERING = """
import sys, penchant
with penchant.open(sys.argv[1]) as engine:
    for line in sys.stdin:
        verb, user, item = line.split()
        if verb == "record":
            engine.record(penchant.Event(user, item))
            print("done", flush=True)
        else:
            slate = engine.recommend(user, k=10)
            print(" ".join(l.item_id for l in slate) or "-", flush=True)
"""


def test_two_processes_see_each_other_at_once(tmp_path: Path) -> None:
    import subprocess
    import sys

    rng = random.Random(2)
    directory = mute(tmp_path / "shelf")
    items = [f"i{n}" for n in range(200)]
    with penchant.open(directory) as engine:
        engine.add([Item(item) for item in items])
        other = subprocess.Popen(
            [sys.executable, "-c", ANSWERING, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

        def there(*words: str) -> str:
            assert other.stdin is not None
            assert other.stdout is not None
            other.stdin.write(" ".join(words) + "\n")
            other.stdin.flush()
            return other.stdout.readline().strip()

        try:
            for turn in range(150):
                user, item = f"u{rng.randrange(6)}", rng.choice(items)
                if rng.random() < 0.1:
                    item = f"new-{turn}"
                if turn % 2:
                    engine.record(Event(user, item))
                    shown = there("recommend", user, "-").split()
                else:
                    assert there("record", user, item) == "done"
                    shown = ids(engine.recommend(user, k=10))
                assert shown
                assert item not in shown
        finally:
            assert other.stdin is not None
            other.stdin.close()
            assert other.wait(timeout=60) == 0
            assert other.stdout is not None
            other.stdout.close()


def test_the_directory_of_a_process_that_vanished_is_whole(tmp_path: Path) -> None:
    directory = mute(tmp_path / "shelf")
    told = elsewhere(
        "import os, sys, penchant\n"
        "engine = penchant.open(sys.argv[1])\n"
        "engine.add([penchant.Item(f'i{n}') for n in range(50)])\n"
        "for n in range(40): engine.record(penchant.Event('ann', f'i{n}'))\n"
        "engine.recommend('ann'); print('acknowledged', flush=True)\n"
        "os._exit(0)",
        directory,
    )
    assert told == "acknowledged"
    with penchant.open(directory) as engine:
        assert len(engine.export("ann")["events"]) == 40
        assert set(ids(engine.recommend("ann", k=50))) == {f"i{n}" for n in range(40, 50)}


def test_opening_fails_without_leaving_anything_open(tmp_path: Path) -> None:
    directory = mute(tmp_path / "shelf", '[encoder]\nmodel = "none"\n[recommend]\nsehn = 1\n')
    gc.collect()
    count = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    with pytest.raises(Error, match=r"sehn.*known are .*seen"):
        penchant.open(directory)
    if count:
        assert len(os.listdir("/proc/self/fd")) == count
    with pytest.raises(Error, match="effort is one of fast, balanced, best"):
        penchant.open(directory, effort="quick")
