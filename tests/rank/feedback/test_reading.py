"""From a real shelf's two logs to scores that follow its answers, and what explains them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import penchant
from penchant.ingest.kinds import Kinds
from penchant.rank.feedback import reading
from penchant.rank.feedback.feedback import Feedback
from penchant.rank.feedback.following import CONTEXT, SAID
from penchant.rank.feedback.open import open_feedback
from penchant.rank.feedback.reading import catch_up
from penchant.rank.pipeline import load_pipeline
from penchant.store.artefacts import Artefacts

ROUNDS = 120


@pytest.fixture
def engine(own_shelf: Path) -> Iterator[penchant.Engine]:
    with penchant.open(own_shelf) as opened:
        yield opened


def opened(engine: penchant.Engine) -> Feedback:
    served = engine._replica.follow()
    kinds = Kinds.from_settings(engine._store.settings)
    return open_feedback(engine._store, kinds, served.columns, served.vectors)


def joined(engine: penchant.Engine) -> Feedback:
    """Open feedback and give the pipeline that answers to it."""
    feedback, served = opened(engine), engine._replica.follow()
    current = engine._store.snapshots.current()
    assert current is not None
    made = load_pipeline(
        Artefacts(current.folder),
        served.pipeline.recall,
        served.columns,
        served.vectors,
        feedback=feedback,
    )
    vars(served.pipeline).update(vars(made))
    return feedback


def test_answers_come_through_the_store_and_move_what_is_shown(
    engine: penchant.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One item of a list is clicked whenever it is shown: it comes first in the end."""
    feedback = joined(engine)
    store = engine._store
    catch_up(feedback, store.impressions, store.log)
    assert feedback.told_until == store.log.last()
    ids = engine._replica.follow().columns.ids
    rng = np.random.default_rng(0)
    people = [f"visitor {n}" for n in range(ROUNDS)]
    liked, start = ids[7], 2_000_000_000.0
    # A slate of somebody who never did anything is nobody's: only a click that names it is joined.
    engine.add(users=[{"user_id": person} for person in people])
    for n, person in enumerate(people):
        now = start + 60.0 * n
        others = rng.choice([one for one in ids if one != liked], 9, replace=False).tolist()
        slate = engine.rank(person, [*others, liked], now=now)
        store.impressions.flush()
        click = {"user_id": person, "item_id": liked, "timestamp": now + 5.0}
        if n % 2:  # half of the clicks say what they answer
            click["slate_id"] = slate.id
        engine.record(click, now=now + 5.0)
        catch_up(feedback, store.impressions, store.log)
    catch_up(feedback, store.impressions, store.log)
    feedback.settle()
    assert feedback.attribution.tally.joined == ROUNDS
    assert feedback.following.steps == ROUNDS
    weights = feedback.following.at(start + 60.0 * ROUNDS)
    assert weights.rate > 0.3
    last = engine.rank("somebody", [*ids[:7], liked], now=start + 60.0 * ROUNDS)
    assert last[0].item_id == liked
    told = engine.explain(last, liked)
    assert sum(one.weight for one in told.contributions) == pytest.approx(last[0].score, abs=1e-4)
    assert "how often it is chosen when it is shown" in [one.name for one in told.contributions]
    # Another process reads both logs from the start, in small parts, and knows the same.
    monkeypatch.setattr(reading, "PART", 7)
    again = opened(engine)
    catch_up(again, store.impressions, store.log)
    again.settle()
    assert again.attribution.tally == feedback.attribution.tally
    assert again.following.at(start + 60.0 * ROUNDS) == weights
    every = np.arange(len(ids), dtype=np.int32)
    one, other = (f.rates.at(every, start + 60.0 * ROUNDS) for f in (feedback, again))
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.answers, other.answers)


def test_what_suits_a_context_comes_first_in_it(
    engine: penchant.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two items of a list are clicked, one on phones and one at desks: the rate cannot tell."""
    feedback, store = joined(engine), engine._store
    ids = engine._replica.follow().columns.ids
    rng = np.random.default_rng(0)
    suits, start = {"phone": ids[7], "desktop": ids[11]}, 2_000_000_000.0
    others = [one for one in ids if one not in suits.values()]
    for n in range(2 * ROUNDS):
        device, now = ("phone", "desktop")[n % 2], start + 60.0 * n
        items = [*rng.choice(others, 8, replace=False).tolist(), *suits.values()]
        slate = engine.rank("somebody", items, now=now, context={"device": device, "odd": [n]})
        store.impressions.flush()
        click = {"user_id": "somebody", "item_id": suits[device], "slate_id": slate.id}
        engine.record(click | {"timestamp": now + 5.0}, now=now + 5.0)
        catch_up(feedback, store.impressions, store.log)
    feedback.settle()
    end = start + 120.0 * ROUNDS
    assert feedback.following.at(end).context > 0.3
    for device, item in suits.items():
        last = engine.rank(
            "another", [*ids[:7], *suits.values()], now=end, context={"device": device}
        )
        assert last[0].item_id == item
        told = engine.explain(last, item)
        assert sum(one.weight for one in told.contributions) == pytest.approx(
            last[0].score, abs=1e-4
        )
        circumstances = "how much more it is chosen in circumstances like these"
        assert [one.weight > 0.3 for one in told.contributions if one.name == circumstances] == [
            True
        ]
    neither = engine.rank("another", [*ids[:7], *suits.values()], now=end)
    assert CONTEXT not in neither.trace.pool.names  # type: ignore[union-attr]
    store.impressions.flush()
    catch_up(feedback, store.impressions, store.log)
    # Another process reads both logs from the start, in small parts, and knows the same.
    monkeypatch.setattr(reading, "PART", 7)
    again = opened(engine)
    catch_up(again, store.impressions, store.log)
    again.settle()
    assert again.following.at(end) == feedback.following.at(end)
    every = np.arange(len(ids), dtype=np.int32)
    for device in suits:
        one, other = (f.contexts.lift(every, end, {"device": device}) for f in (feedback, again))
        assert one.any()
        assert one.tobytes() == other.tobytes()


def test_what_is_recommended_is_not_moved_unless_that_is_wanted(engine: penchant.Engine) -> None:
    joined(engine)
    slate = engine.recommend("anybody", 5, now=2_000_000_000.0)
    assert slate.trace.pool is not None
    assert SAID not in slate.trace.pool.names
    assert set(engine._store.impressions.get(slate.id).propensities.tolist()) == {1.0}  # type: ignore[union-attr]


def test_chances_are_written_with_the_slate(own_shelf: Path) -> None:
    (own_shelf / "penchant.toml").write_text("[recommend]\nexplore = 2\n")
    with penchant.open(own_shelf) as engine:
        feedback = joined(engine)
        slates = [engine.recommend(f"p{n}", 10, now=2_000_000_000.0 + n) for n in range(5)]
        more = slates[0].more(10)
        assert not {one.item_id for one in slates[0]} & {one.item_id for one in more}
        engine._store.impressions.flush()
        for slate in slates:
            found = engine._store.impressions.get(slate.id)
            assert found is not None
            assert (found.propensities[:8] == 1).all()
            assert (found.propensities[8:] < 1).all()
            assert (found.propensities[8:] > 0).all()
        shown = engine._store.impressions.after(0, 100)
        assert (shown.propensities < 1).sum() == 2 * len(slates)
        catch_up(feedback, engine._store.impressions, engine._store.log)
