"""Variants: the same person always in the same, shares as asked, experiments independent."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import penchant
import world
from penchant import Error
from penchant.rank.answer.experiments import ExperimentConfig, experiments
from penchant.rank.answer.stops import STOPS_FILE, Stop, Stops
from penchant.rank.answer.variants import Experiment, Lanes, Variants, key_of, place, variants_of
from penchant.store.settings import Settings, SettingsError
from penchant.types import Policy
from shelves import MUTE, filled, ids, mute

PEOPLE = [f"user-{n}" for n in range(20_000)]
CLOSED = """
[experiments.doors.variants.closed]
share = 0.5
recommend = { opening = false }
"""
KEEPING = """
[experiments.again]
start = 2023-11-01T00:00:00Z
end = 2024-01-01
[experiments.again.variants.kept]
share = 0.5
recommend = { seen = "keep" }
"""


def made(text: str, policy: Policy | None = None) -> dict[str, ExperimentConfig]:
    """Return the experiments of a file."""
    return experiments(_settings(text), policy or Policy())


def _settings(text: str) -> Settings:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "penchant.toml"
        path.write_text(text)
        return Settings(path, {})


def shared_out(**shares: float) -> Experiment:
    """Return an experiment with these shares."""
    variants = {name: {"share": share} for name, share in shares.items()}
    return Experiment.of("test", ExperimentConfig.model_validate({"variants": variants}))


def split(experiment: Experiment) -> dict[str, str | None]:
    """Return who is in what."""
    return {name: experiment.variant(name) for name in PEOPLE}


def test_a_place_is_the_same_for_ever() -> None:
    # Written down: another hash would move everybody who takes part in an experiment now.
    doors = key_of("doors")
    assert place(doors, "ann") == pytest.approx(0.3307136979313472, abs=1e-15)
    assert place(doors, "ann") != place(doors, "ann", visitor=True)
    assert place(doors, "ann") != place(key_of("other"), "ann")
    assert place(key_of("a"), "b") != place(key_of("ab"), "")
    assert 0.0 <= place(key_of(""), "") < 1.0


def test_places_are_uniform_and_those_of_two_salts_independent() -> None:
    one = np.array([place(key_of("one"), name) for name in PEOPLE])
    two = np.array([place(key_of("two"), name) for name in PEOPLE])
    counts, _, _ = np.histogram2d(one, two, bins=10, range=[[0, 1], [0, 1]])
    expected = len(PEOPLE) / 100
    # Chi-square with 99 degrees: 149 is the point that one in a thousand exceeds.
    assert ((counts - expected) ** 2 / expected).sum() < 149


@pytest.mark.parametrize(
    "shares",
    [
        {"a": 0.5},
        {"a": 0.07, "b": 0.8},
        {"a": 0.25, "b": 0.25, "c": 0.25},
        {"a": 0.7, "b": 0.05, "c": 0.05, "d": 0.1},
        {"a": 0.05, "b": 0.45, "c": 0.45},
    ],
)
def test_shares_lie_within_what_chance_allows(shares: dict[str, float]) -> None:
    experiment = shared_out(**shares)
    who = list(split(experiment).values())
    for name, share in experiment.config.shares().items():
        spread = math.sqrt(len(PEOPLE) * share * (1 - share))
        assert abs(who.count(name) - len(PEOPLE) * share) < 4 * spread, name


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": 0.01}, {"a": 0.99}),
        ({"a": 0.1, "b": 0.1}, {"a": 0.85, "b": 0.1}),
        ({"a": 0.1, "b": 0.3}, {"a": 0.1, "b": 0.6}),
        ({"a": 0.1, "b": 0.1, "c": 0.1}, {"a": 0.1, "b": 0.3, "c": 0.1}),
        ({"a": 0.1, "b": 0.1, "c": 0.1, "d": 0.0625}, {"a": 0.2, "b": 0.25, "c": 0.15, "d": 0.25}),
    ],
)
def test_a_share_that_grows_takes_from_the_control_only(
    before: dict[str, float], after: dict[str, float]
) -> None:
    was, now = split(shared_out(**before)), split(shared_out(**after))
    moved = {(was[name], now[name]) for name in PEOPLE if was[name] != now[name]}
    assert moved
    assert {source for source, _ in moved} == {"control"}


def test_nobody_leaves_a_variant_that_grows_whatever_its_share() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        shares = dict(zip("abcd", 0.9 * rng.dirichlet(np.full(4, 0.5)), strict=True))
        grown = str(rng.choice(list("abcd")))
        was = shared_out(**{name: max(share, 1e-6) for name, share in shares.items()})
        more = {**was.config.shares(), grown: was.config.shares()[grown] + 0.09}
        more.pop("control")
        now = shared_out(**more)
        for name in PEOPLE[:2000]:
            assert was.variant(name) != grown or now.variant(name) == grown


def test_lanes_share_out_exactly() -> None:
    lanes = Lanes(("a", "b", "c"), (0.6, 0.1, 0.2))
    at = (np.arange(30_000) + 0.5) / 30_000
    who = [lanes.variant(float(one)) for one in at]
    for name, share in (("a", 0.6), ("b", 0.1), ("c", 0.2), ("control", 0.1)):
        assert who.count(name) / len(at) == pytest.approx(share, abs=1e-4)


def test_visitors_go_by_the_key_of_their_session_or_stay_out() -> None:
    one = shared_out(a=0.5)
    assert one.variant(None, {}) is None
    assert one.variant(None, {"session_id": ""}) is None
    who = [one.variant(None, {"session_id": n}) for n in range(2000)]
    assert 900 < who.count("a") < 1100
    assert who == [one.variant(None, {"session_id": str(n)}) for n in range(2000)]


def test_a_request_gets_the_policy_of_its_variants(tmp_path: Path) -> None:
    policy = Policy()
    found = made(CLOSED + KEEPING.replace("2023-11-01T00:00:00Z", '""').replace("2024-01-01", '""'))
    variants = Variants(policy, found, Stops(tmp_path))
    seen = set()
    for name in PEOPLE[:200]:
        asked, mark = variants.ask(name, None, 0.0)
        told = variants_of(mark)
        assert list(told) == ["doors", "again"]
        assert asked.opening is (told["doors"] == "control")
        assert asked.seen == ("keep" if told["again"] == "kept" else "hide")
        assert variants.ask(name, {"device": "tv"}, 1.0) == (asked, mark)
        seen.add(mark)
    assert len(seen) == 4
    assert variants.ask(None, {}, 0.0) == (policy, "")


def test_an_experiment_runs_from_its_start_to_before_its_end(tmp_path: Path) -> None:
    variants = Variants(Policy(), made(KEEPING), Stops(tmp_path))
    start, end = 1_698_796_800.0, 1_704_067_200.0
    assert variants.ask("ann", None, start - 1)[1] == ""
    assert variants.ask("ann", None, start)[1] != ""
    assert variants.ask("ann", None, end - 1)[1] != ""
    assert variants.ask("ann", None, end)[1] == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[experiments]\nshare = 1\n", "has no key 'share'"),
        ("[experiments]\nmetric = 'x'\n", "belongs to no experiment"),
        ("[experiments.x]\n", "has no variant; add a section"),
        ('[experiments."a b".variants.y]\nshare = 0.1\n', "no name for an experiment"),
        ("[experiments.x.variants.control]\nshare = 0.1\n", "everybody who is in no variant"),
        ("[experiments.x.variants.y]\nshare = 1\n", "add up to 1; leave some people"),
        ("[experiments.x.variants.y]\nshare = 0\n", "greater than 0"),
        ("[experiments.x.variants.y]\n", "share: Field required"),
        ("[experiments.x.variants.y]\nshare = 0.1\nshow = 1\n", "show: Extra inputs"),
        (CLOSED.replace("opening", "openning"), "changes 'openning'.*it has .*opening"),
        (CLOSED.replace("false", '"perhaps"'), "opening: Input should be a valid boolean"),
        (CLOSED + "[experiments.doors]\nmetric = 'clicks'\n", "names the metric 'clicks'"),
        (CLOSED + "[experiments.doors]\nguards = { conversion = 2 }\n", "guards.conversion"),
        (CLOSED + "[experiments.doors]\nstart = 2024-01-02\nend = 2024-01-01\n", "before it start"),
        (CLOSED + "[experiments.doors]\nstart = 'soon'\n", "start: .*soon"),
        (CLOSED + CLOSED.replace("doors", "gates"), "both change opening at the same time"),
        (
            CLOSED + KEEPING.replace("\nend", "\nsalt = 'doors'\nend"),
            "run at the same time with the salt 'doors'",
        ),
        (
            CLOSED + "[experiments.doors.metrics.saves]\nof = 'people'\ncounts = 'tail'\n",
            "nothing that can be counted",
        ),
        (CLOSED + "[experiments.doors.metrics.revenue]\nkinds = ['save']\n", "which every"),
    ],
)
def test_what_cannot_be_run_is_refused_when_the_shelf_is_opened(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(SettingsError, match=told):
        penchant.open(mute(tmp_path / "shelf", MUTE + text))


def test_two_experiments_one_after_the_other_may_change_the_same() -> None:
    later = KEEPING.replace("again", "later")
    later = later.replace("2023-11-01T00:00:00Z", "2024-01-01").replace("2024-01-01\n[", '""\n[')
    assert set(made(KEEPING + later)) == {"again", "later"}


def test_an_overlay_changes_the_answer_and_the_impression_says_so(tmp_path: Path) -> None:
    directory = filled(tmp_path / "shelf")
    mute(directory, MUTE + CLOSED + KEEPING)
    now = float(world.NOW)
    assert 1_698_796_800.0 <= now < 1_704_067_200.0
    with penchant.open(directory) as engine:
        found = made(CLOSED + KEEPING)
        again = Experiment.of("again", found["again"])
        told = {}
        for user, history in world.HISTORIES.items():
            if not history:  # nobody knows Jo
                assert engine.recommend(user, k=13, now=now)
                continue
            slate = engine.recommend(user, k=13, now=now)
            had = set(history) & set(ids(slate))
            kept = again.variant(user) == "kept"
            assert had == (set(history) if kept else set()), user
            told[slate.id] = again.variant(user)
            # What the request says itself goes before what the variant says.
            assert not set(history) & set(ids(engine.recommend(user, now=now, seen="hide")))
        assert set(told.values()) == {"kept", "control"}
        engine._store.impressions.flush()
        for slate_id, variant in told.items():
            stored = engine._store.impressions.get(slate_id)
            assert stored is not None
            assert variants_of(stored.variant)["again"] == variant
            assert set(variants_of(stored.variant)) == {"doors", "again"}
        assert engine.recommend(history=["w1"], now=now).id not in told


def test_with_pseudonyms_the_stored_name_decides(tmp_path: Path) -> None:
    directory = mute(tmp_path / "shelf", MUTE + "[privacy]\npseudonyms = true\n" + KEEPING)
    now = float(world.NOW)
    with penchant.open(directory) as engine:
        engine.add(world.items())
        engine.record(world.events(), now=now)
        again = Experiment.of("again", made(KEEPING)["again"])
        for user in world.MISSING:
            slate = engine.recommend(user, now=now)
            engine._store.impressions.flush()
            stored = engine._store.impressions.get(slate.id)
            assert stored is not None
            name = engine._asking._privacy.pseudonym(user)
            assert name != user
            assert variants_of(stored.variant) == {"again": again.variant(name)}


# Stops


def test_a_stop_holds_at_once_everywhere_and_can_be_lifted(tmp_path: Path) -> None:
    directory = filled(tmp_path / "shelf")
    mute(directory, MUTE + KEEPING)
    now = float(world.NOW)
    again = Experiment.of("again", made(KEEPING)["again"])
    treated = next(u for u in world.MISSING if again.variant(u) == "kept")
    other = next(u for u in world.MISSING if again.variant(u) == "control")

    def answers(engine: penchant.Engine, user: str) -> tuple[bool, str]:
        slate = engine.recommend(user, k=13, now=now)
        engine._store.impressions.flush()
        stored = engine._store.impressions.get(slate.id)
        assert stored is not None
        return bool(set(world.HISTORIES[user]) & set(ids(slate))), stored.variant

    with penchant.open(directory) as one, penchant.open(directory) as two:
        assert answers(one, treated) == answers(two, treated) == (True, "again=kept")
        stops = Stops(directory)
        assert stops.stop("again", "kept", Stop(now, "hand", "to see"))
        assert not stops.stop("again", "kept", Stop(now, "hand", "twice"))
        for engine in (one, two):
            assert answers(engine, treated) == (False, "")
            assert answers(engine, other) == (False, "again=control")
        assert Stops(directory).read().of("again")["kept"].why == "to see"
        assert stops.lift("again", "kept", now + 5)
        assert not stops.lift("again", "kept", now + 6)
        assert answers(two, treated) == (True, "again=kept")
        assert stops.read().since == {"again": now + 5}
        stops.halt("to measure")
        assert answers(one, treated) == (False, "")
        assert answers(one, other) == (False, "")
        stops.halt("")
        assert answers(one, treated) == (True, "again=kept")
        (directory / STOPS_FILE).write_text("{")
        assert answers(one, treated) == (False, "")
        assert "cannot be read" in Stops(directory).read().halted
        (directory / STOPS_FILE).unlink()
        assert answers(one, treated) == (True, "again=kept")


def test_a_stop_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Error, match="opened to read"):
        Stops(tmp_path, read_only=True).stop("a", "b", Stop(0.0, "hand", ""))
    assert Stops(tmp_path).read().stops == {}
