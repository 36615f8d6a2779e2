"""The weights of a score follow answers, whoever reads the logs in which parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.ingest.kinds import Kinds
from penchant.rank.feedback.config import FeedbackConfig
from penchant.rank.feedback.feedback import Feedback
from penchant.rank.feedback.following import CONTEXT, RATE, SAID, Following, Weights
from penchant.rank.feedback.proximal import Proximal
from penchant.store.impressions import Shown
from penchant.store.log import Events
from rank.feedback.logs import events, part, shown

N_SLATES, N_LINES, N_ITEMS = 200, 8, 20


def test_proximal_starts_where_it_is_told_and_follows_a_gradient() -> None:
    weights = Proximal([1.0, 0.0], rate=0.1)
    assert weights.weights.tolist() == [1.0, 0.0]
    weights.follow(np.array([0.0, -1.0]))
    assert weights.weights[0] == 1.0
    # alpha / (beta + sqrt(n)) * g, the first step of the paper's algorithm
    assert weights.weights[1] == pytest.approx(0.1 / (1 + 1))
    weights.follow(np.array([np.nan, 1.0]))
    assert np.isfinite(weights.weights).all()


def test_proximal_finds_the_weights_of_a_logit() -> None:
    rng = np.random.default_rng(0)
    truth, found = np.array([0.5, -1.0, 2.0]), Proximal(np.zeros(3), rate=0.3)
    for _ in range(20_000):
        x = rng.normal(size=3)
        y = rng.random() < 1 / (1 + np.exp(-x @ truth))
        found.follow((1 / (1 + np.exp(-x @ found.weights)) - y) * x)
    assert found.weights == pytest.approx(truth, abs=0.12)


class World:
    """Slates whose answers come by the rate, whatever the scorer said; taste is of one direction.

    Features are kept as the store would keep them, beside the two logs.
    """

    def __init__(self, seed: int, *, wanted: str) -> None:
        rng = np.random.default_rng(seed)
        self.features: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
        self.rows = rng.normal(size=(N_ITEMS, 4)).astype(np.float32)
        self.rows /= np.linalg.norm(self.rows, axis=1, keepdims=True)
        self.h = np.array([0.9, 0.3, 0.3, 0.1], dtype=np.float32)
        slates, clicks, contexts = [], [], []
        for n in range(N_SLATES):
            items = rng.permutation(N_ITEMS)[:N_LINES]
            said = np.sort(rng.normal(size=N_LINES))[::-1]
            rate = rng.normal(size=N_LINES)
            names, columns = ("text", SAID, RATE), [said, said, rate]
            context = rng.normal(size=N_LINES)
            if wanted == "context" or n % 3:  # a request may say nothing of its circumstances
                names, columns = (*names, CONTEXT), [*columns, context]
            self.features[f"s{n + 1}"] = names, np.stack(columns, axis=1).astype(np.float32)
            contexts.append({"device": f"d{n % 5}", "hour": n % 7} if CONTEXT in names else None)
            taste = 3 * self.rows[items, 0]
            by = {"rate": rate, "said": said, "taste": taste, "context": context}[wanted]
            chosen = int(rng.choice(N_LINES, p=np.exp(2 * by) / np.exp(2 * by).sum()))
            slates.append((n % 7, 60.0 * n, items.tolist()))
            named = f"s{n + 1}" if rng.random() < 0.5 else None
            clicks.append((n % 7, int(items[chosen]), 60.0 * n + 20, 0, named))
        self.shown = shown(slates, contexts=tuple(contexts))
        self.events = events(clicks)

    def feedback(self, rate: float = 0.3, taste: float = 0.0) -> Feedback:
        def of(ids):
            return {one: self.features[one] for one in ids if one in self.features}

        following = Following(
            rate, taste, of, lambda user, now: self.h, lambda items: self.rows[items], 4
        )
        config = FeedbackConfig(rate=rate, taste=taste, contexts=4)
        return Feedback(config, Kinds(), following)


def test_weights_begin_as_the_snapshot_says() -> None:
    assert World(0, wanted="rate").feedback().following.at(0.0) == Weights(1.0, 0.0, None)


def test_weights_go_to_what_answers_follow() -> None:
    by_rate, by_score = World(0, wanted="rate"), World(0, wanted="said")
    one, other = by_rate.feedback(), by_score.feedback()
    for world, feedback in ((by_rate, one), (by_score, other)):
        feedback.fold(world.shown, world.events)
        feedback.settle()
        assert feedback.following.steps == N_SLATES
    end = 60.0 * N_SLATES
    assert one.following.at(end).rate > 1.0
    assert one.following.at(end).said < 0.4
    assert other.following.at(end).said > 1.0
    assert other.following.at(end).rate < 0.4
    by_context = World(0, wanted="context")
    third = by_context.feedback()
    third.fold(by_context.shown, by_context.events)
    third.settle()
    assert third.following.at(end).context > 1.0
    assert max(one.following.at(end).context, other.following.at(end).context) < 0.4


def test_taste_moves_where_answers_point() -> None:
    world = World(0, wanted="taste")
    feedback = world.feedback(rate=0.0, taste=1.0)
    feedback.fold(world.shown, world.events)
    feedback.settle()
    weights = feedback.following.at(60.0 * N_SLATES)
    assert (weights.said, weights.rate) == (1.0, 0.0)
    assert weights.taste is not None
    assert weights.taste[0] > 3 * np.abs(weights.taste[1:]).max()


def test_weights_of_a_moment_that_has_passed_know_nothing_later() -> None:
    world = World(0, wanted="rate")
    feedback = world.feedback()
    half = N_SLATES // 2
    feedback.fold(part(world.shown, 0, half), part(world.events, 0, half))
    then = 60.0 * half
    before = feedback.following.at(then)
    feedback.fold(part(world.shown, half, N_SLATES), part(world.events, half, N_SLATES))
    after = feedback.following.at(then)
    # Of the answers up to the hour: what came later is in none of it.
    assert after != feedback.following.at(60.0 * N_SLATES)
    assert abs(after.rate - before.rate) < 0.2
    assert feedback.following.at(-1.0) == Weights()


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_the_state_does_not_depend_on_how_the_logs_were_read_nor_on_restarts(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    world = World(1, wanted="rate")
    whole = world.feedback(taste=1.0)
    whole.fold(world.shown, world.events)
    whole.settle()
    rng = np.random.default_rng(seed)
    parts, kept = world.feedback(taste=1.0), tmp_path_factory.mktemp("kept") / "feedback.npz"
    n = m = 0
    while n < N_SLATES or m < N_SLATES:
        to_n = min(n + int(rng.integers(0, 60)), N_SLATES)
        to_m = min(m + int(rng.integers(0, 60)), N_SLATES)
        slates, log = part(world.shown, n, to_n), part(world.events, m, to_m)
        assert isinstance(slates, Shown)
        assert isinstance(log, Events)
        parts.fold(slates, log)
        n, m = to_n, to_m
        if rng.random() < 0.3:  # killed, and started again from what it wrote
            parts.save(kept, "one snapshot")
            parts = world.feedback(taste=1.0)
            assert not parts.resume(kept, "another snapshot")
            assert parts.resume(kept, "one snapshot")
            assert (parts.shown_until, parts.told_until) == (n, m)
    parts.settle()
    assert (parts.shown_until, parts.told_until) == (N_SLATES, N_SLATES)
    assert parts.attribution.tally == whole.attribution.tally
    end = 60.0 * N_SLATES
    for now in (end, end / 2, end / 3):
        one, other = whole.following.at(now), parts.following.at(now)
        assert (one.said, one.rate) == (other.said, other.rate)
        assert one.taste is not None
        assert other.taste is not None
        assert one.taste.tobytes() == other.taste.tobytes()
    everything = np.arange(N_ITEMS, dtype=np.int32)
    one, other = whole.rates.at(everything, end), parts.rates.at(everything, end)
    assert one is not None
    assert other is not None
    assert one.lift.tobytes() == other.lift.tobytes()
    assert whole.following.at(end).context == parts.following.at(end).context
    lifted = 0
    for context in [{"device": f"d{n}"} for n in range(5)] + [{"hour": n} for n in range(7)]:
        lift = whole.contexts.lift(everything, end, context)
        assert lift.tobytes() == parts.contexts.lift(everything, end, context).tobytes()
        lifted += bool(lift.any())
    assert lifted == 4
    one, other = whole.contexts.kept(), parts.contexts.kept()
    assert {name: a.tobytes() for name, a in one.items()} == {
        name: a.tobytes() for name, a in other.items()
    }


def test_a_file_that_is_no_state_is_passed_over(tmp_path: Path) -> None:
    feedback = World(0, wanted="rate").feedback()
    assert not feedback.resume(tmp_path / "nothing", "")
    for content in (b"", b"no archive", b"PK\x03\x04 half of one"):
        (tmp_path / "broken").write_bytes(content)
        assert not feedback.resume(tmp_path / "broken", "")
    feedback.save(tmp_path / "empty", "")
    assert World(0, wanted="rate").feedback().resume(tmp_path / "empty", "")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_slate_at_no_time_of_the_log_is_no_exposure() -> None:
    feedback = World(0, wanted="rate").feedback()
    feedback.fold(shown([(1, 10.0, [0]), (1, 1e12, [1]), (1, 20.0, [0])]), events([]))
    feedback.fold(shown([], first=4), events([(1, 0, 21.0, 0, "s1")]))
    feedback.settle()
    found = feedback.rates.at(np.arange(2, dtype=np.int32), 30.0)
    assert found is not None
    assert found.exposures.tolist() == [2.0, 0.0]
    assert found.answers.tolist() == [1.0, 0.0]


def test_a_purchase_after_a_click_is_one_answer() -> None:
    feedback = World(0, wanted="rate").feedback()
    clicks = events([(1, 0, 11.0, 0, "s1"), (1, 0, 12.0, 1, "s1")])
    feedback.fold(shown([(1, 10.0, [0, 1])]), clicks)
    answers = feedback.settle()
    assert len(answers) == 0
    assert feedback.attribution.tally.joined == 2
    found = feedback.rates.at(np.arange(2, dtype=np.int32), 30.0)
    assert found is not None
    assert found.answers.tolist() == [1.0, 0.0]
