"""Whoever scored a request is explained, and what is said adds up to the score that was shown.

At once, later by another process from the record of the slate, with trees and without.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import lightgbm
import numpy as np
import pytest

import penchant
import world
from numbered import N, arrays, view
from penchant import Slate
from penchant.learn.scorer import ranker
from penchant.learn.scorer.ranker import RankerConfig
from penchant.learn.scorer.rows import Rows
from penchant.learn.sources import linear
from penchant.learn.sources.linear import Ease, Kernel
from penchant.rank.explain import explaining
from penchant.rank.explain.sentences import WORDS_CAUSE
from penchant.rank.scorers.words import ASKED
from penchant.recall.assemble import RecallPlan, fit_covisitation
from penchant.recall.linear import Recency
from penchant.store.artefacts import Artefacts
from penchant.store.open import open_store
from penchant.types import Explanation
from shelves import elsewhere

HEAD = Ease("linear_taste", Kernel(), 1.0, Recency(days_half=5.0))
COLUMNS = ("linear_taste", "trending_7d", "text", "history", "category_share", "days_since_first")
LATELY = "what many people chose lately (last 7 days)"
ELSEWHERE = (
    "import json, sys, penchant\n"
    "with penchant.open(sys.argv[1], read_only=True) as e:\n"
    "    for slate, item in json.loads(sys.argv[2]):\n"
    "        told = e.explain(slate, item)\n"
    "        print(json.dumps([str(told), [[r.kind, r.name, r.weight] for r in "
    "told.contributions]]))"
)


def grow(path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, len(COLUMNS))).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    rows = Rows(
        features=x,
        items=np.zeros(3000, dtype=np.int32),
        wanted=np.nan_to_num(x[:, 0] + x[:, 1] * x[:, 3] + x[:, 2] - x[:, 4]) > 1.0,
        starts=np.arange(151, dtype=np.int64) * 20,
        times=np.arange(150, dtype=np.float64),
        users=np.zeros(150, dtype=np.int32),
        missed=np.zeros(150, dtype=np.int32),
        arms=("next",) * 150,
        names=COLUMNS,
        n_sources=3,
    )
    config = RankerConfig(trees=30, least_in_leaf=20, threads=1)
    ranker.export(ranker.fit(rows, config, seed=0), path)


@pytest.fixture(scope="module", params=["trees", "sum", "both"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[penchant.Engine]:
    """A shelf with a language model; trees answer, or the sum of the sources."""
    directory = tmp_path_factory.mktemp("shelf")
    with penchant.open(directory) as opened:
        opened.add(world.items())
        opened.record(world.events(), now=world.NOW)
        store = opened._store
        path = store.snapshots.begin()
        folder = Artefacts(path)
        linear.fit_ease(view(), (HEAD,), folder)
        users, items, times = arrays()
        order = np.lexsort((times, users))
        fit_covisitation(users[order], items[order], times[order], N, folder)
        RecallPlan(linear=(HEAD.name,), text=True).save(folder)
        plan: dict[str, object] = {"scorer": "fusion", "newcomer": "trending_7d"}
        # A snapshot where the sum won has trees that nobody asked, too.
        grow(path / "ranker.onnx")
        if request.param == "both":  # newcomers are answered by trees and popularity
            plan["newcomer_alone"] = False
        if request.param != "sum":
            plan |= {"scorer": "ranker", "models": ["ranker.onnx"], "features": list(COLUMNS)}
        folder.write_json("rank", plan)
        snapshot = store.snapshots.publish(path, {"offset": store.log.last()})
        opened.activate(snapshot)
        assert opened.recommend("ann", now=world.NOW, log=False).snapshot == snapshot
        opened.trees = request.param != "sum"  # type: ignore[attr-defined]
        opened.both = request.param == "both"  # type: ignore[attr-defined]
        yield opened


def slates(engine: penchant.Engine, **rest: object) -> dict[str, Slate]:
    """Return one slate of every way in which a request can be answered."""

    def ask(who: str | None, **more: object) -> Slate:
        return engine.recommend(who, 4, now=world.NOW, **{**rest, **more})  # type: ignore[arg-type]

    listed = engine.rank("nobody", ["w1", "s1", "w5"], now=world.NOW, **rest)  # type: ignore[arg-type]
    first = ask("ann")
    asked = ask("ann", text="a starship")
    return {
        "known": first,
        "more": first.more(30),
        "newcomer": ask("nobody"),
        "words": asked,
        "more words": asked.more(30),
        "a newcomer's words": ask("nobody", text="a starship"),
        "a list": listed,
        "a visitor": ask(None, history=["s1", "s2"]),
    }


def total(told: Explanation) -> float:
    return sum(r.weight for r in told.contributions if r.kind in ("cause", "start"))


@pytest.mark.parametrize("log", [True, False])
def test_whoever_answered_what_is_said_adds_up_to_the_score(engine, log: bool) -> None:
    for name, slate in slates(engine, log=log).items():
        assert len(slate), name
        for line in slate:
            told = engine.explain(slate, line.item_id)
            assert total(told) == pytest.approx(line.score, abs=2e-4), (name, line, told)
            assert {r.kind for r in told.contributions} <= {"cause", "start"}


def test_another_process_says_the_same_later(engine) -> None:
    shown = slates(engine)
    asked = [(slate.id, line.item_id) for slate in shown.values() for line in slate]
    engine._store.impressions.flush()
    lines = elsewhere(ELSEWHERE, engine.directory, json.dumps(asked)).splitlines()
    assert len(lines) == len(asked)
    expected = {s.id: {line.item_id: line.score for line in s} for s in shown.values()}
    for (slate, item), line in zip(asked, lines, strict=True):
        sentence, causes = json.loads(line)
        assert sentence == str(engine.explain(slate, item))
        assert sum(weight for *_, weight in causes) == pytest.approx(
            expected[slate][item], abs=2e-4
        )


def test_a_newcomer_is_told_of_others_and_of_nothing_else(engine) -> None:
    slate = engine.recommend("nobody", 4, now=world.NOW)
    for line in slate:
        told = engine.explain(slate, line.item_id)
        assert [(r.name, r.kind) for r in told.contributions] == [(LATELY, "cause")]
        assert str(told).endswith("is here because many people chose it lately (last 7 days).")
        assert "scored by" in "\n".join(told.trace)
        assert any("scored by" in step and "trending_7d" in step for step in told.trace)


def test_nobody_is_told_of_a_past_they_do_not_have(engine) -> None:
    shown = slates(engine)
    for name in ("newcomer", "a newcomer's words", "a list"):
        for line in shown[name]:
            told = engine.explain(shown[name], line.item_id)
            assert not told.events
            for words in ("your history", "you chose,", "your categories", "your last"):
                assert words not in f"{told} {[r.name for r in told.contributions]}"
            assert "which you chose" not in str(told)


def test_words_have_their_share_and_the_scorer_has_the_rest(engine) -> None:
    slate = engine.recommend("ann", 4, now=world.NOW, text="a starship")
    pool = slate.trace.pool
    assert pool is not None
    near = pool.features[:, pool.names.index("text")]
    z = (near - near.mean()) / (near.std() + 1e-6)
    for place, line in enumerate(slate):
        told = engine.explain(slate, line.item_id)
        by_words = sum(r.weight for r in told.contributions if r.name == WORDS_CAUSE)
        words = pool.features[place, pool.names.index("term:words")]
        assert words == pytest.approx(ASKED * z[place], abs=1e-3)
        assert any("scored by" in step for step in told.trace)
        if not engine.trees:
            # The source itself is one of those that are added up, and compares with the words too.
            own = pool.features[place, pool.names.index("term:text")]
            assert by_words == pytest.approx(words + own, abs=1e-4)
    assert "it is close in meaning to your words" in str(engine.explain(slate, slate[0].item_id))


def test_trees_that_did_not_answer_are_not_asked(engine, monkeypatch) -> None:
    def refused(**_: object) -> None:
        raise AssertionError("nobody answered by trees")

    monkeypatch.setattr(lightgbm, "Booster", refused)
    shown = slates(engine)
    for name, slate in shown.items():
        by_trees = engine.trees and (engine.both or name != "newcomer")
        if not by_trees:
            assert engine.explain(slate, slate[0].item_id).contributions
        else:
            with pytest.raises(AssertionError, match="nobody answered"):
                engine.explain(slate, slate[0].item_id)


def test_what_the_trees_say_is_their_shap_values_and_where_they_start(engine) -> None:
    if not engine.trees:
        pytest.skip("the sum of the sources answers")
    slate = engine.recommend("ann", 4, now=world.NOW)
    pool = slate.trace.pool
    path = engine._store.snapshots.current().path("ranker.txt")
    booster = lightgbm.Booster(model_file=str(path))
    for place, line in enumerate(slate):
        row = pool.features[place, [pool.names.index(name) for name in COLUMNS]]
        values = dict(
            zip((*COLUMNS, "base"), booster.predict(row[None], pred_contrib=True)[0], strict=True)
        )
        told = {r.name: r.weight for r in engine.explain(slate, line.item_id).contributions}
        assert told["what goes with your history"] == pytest.approx(values["linear_taste"])
        assert told["wanted by many now"] == pytest.approx(values["trending_7d"])
        assert told["where every item starts"] == pytest.approx(values["base"])


def test_without_lightgbm_the_sources_give_hints_beside_what_is_known(engine, monkeypatch) -> None:
    monkeypatch.setattr(explaining, "find_spec", lambda name: None)
    for name, slate in slates(engine).items():
        for line in slate:
            told = engine.explain(slate, line.item_id)
            assert total(told) == pytest.approx(line.score, abs=2e-4)
            hints = [r for r in told.contributions if r.kind == "source"]
            assert bool(hints) == (engine.trees and (engine.both or name != "newcomer"))
        if not name.startswith("more"):
            assert "is here because" in str(engine.explain(slate, slate[0].item_id))


def test_an_item_that_was_given_its_place_is_told_so(engine) -> None:
    slate = engine.recommend("ann", 4, now=world.NOW)
    engine._store.impressions.flush()
    with open_store(engine.directory) as store:
        found = store.impressions.get(slate.id)
    assert found is not None
    assert found.notes["raised"] == {}
    record = found.__class__(
        **{
            **{name: getattr(found, name) for name in found.__slots__},
            "slate_id": "raised",
            "notes": {**found.notes, "raised": {str(int(found.items[3])): "opening"}},
        }
    )
    engine._store.impressions.add(record)
    assert "the last place is for such" in str(engine.explain("raised", slate[3].item_id))
    assert "the last place" not in str(engine.explain("raised", slate[2].item_id))


def test_records_that_do_not_say_who_scored_them_are_still_explained(engine) -> None:
    slate = engine.recommend("ann", 4, now=world.NOW)
    engine._store.impressions.flush()
    with open_store(engine.directory) as store:
        found = store.impressions.get(slate.id)
    keep = [i for i, name in enumerate(found.names) if not name.startswith("term:")]
    record = found.__class__(
        **{
            **{name: getattr(found, name) for name in found.__slots__},
            "slate_id": "old",
            "names": tuple(found.names[i] for i in keep),
            "features": found.features[:, keep],
            "notes": {"sources": found.notes["sources"], "trace": []},
        }
    )
    engine._store.impressions.add(record)
    assert engine.explain("old", slate[0].item_id).contributions
