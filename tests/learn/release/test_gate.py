"""A training against the snapshot that serves: real trainings on a world of six tastes."""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import penchant
from penchant.learn import __main__ as process
from penchant.learn import training
from penchant.learn.config import SequenceConfig
from penchant.learn.effort import derive
from penchant.learn.release import publish
from penchant.learn.release.gate import Incumbent, Request, Verdict, fair, figures, judge
from penchant.learn.scorer.walk import Histories
from penchant.learn.training import Training
from penchant.learn.view import View
from penchant.measure.ranking import Lists, hits, ndcg
from penchant.measure.reports import TrainReport
from penchant.serve.cli import app
from penchant.store.artefacts import Artefacts
from penchant.store.open import open_store
from shelves import ids, mute

TASTES, ITEMS, PEOPLE, EACH = 6, 120, 200, 16
BEGIN, SPAN = 1.6e9, 600 * 86_400.0
CUT, NOW = BEGIN + 0.86 * SPAN, BEGIN + SPAN
SETTINGS = '[encoder]\nmodel = "none"\n[learn]\nrequests = 700\nleast_compared = 60\n'


def clicks(name: str, *, seed: int, until: float = 1.0, shuffled: bool = False) -> pl.DataFrame:
    """People who keep to one of six tastes; `shuffled` people have tastes of another world.

    Weeks lie between one person's clicks, so that nothing but taste leads to the next.
    """
    rng = np.random.default_rng(seed)
    item = rng.permutation(ITEMS) if shuffled else np.arange(ITEMS)
    rows = []
    for person in range(PEOPLE):
        mine = rng.permutation(ITEMS // TASTES) + ITEMS // TASTES * (person % TASTES)
        for n, share in enumerate(np.sort(rng.random(EACH))):
            liked = mine[n] if rng.random() < 0.85 else rng.integers(ITEMS)
            rows.append(
                (f"{name}{person}", f"i{item[liked]}", float(int(BEGIN + share * SPAN * until)))
            )
    columns = ["user_id", "item_id", "timestamp"]
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(event=pl.lit("click"))


def poison(copies: int = 3) -> pl.DataFrame:
    """An old log of another shop, imported by mistake: every event lies before the cut."""
    return pl.concat(
        clicks(f"wrong-{n}-", seed=10 + n, until=0.85, shuffled=True) for n in range(copies)
    )


def trained(folder: Path) -> dict[str, Any]:
    return process.train(
        argparse.Namespace(directory=folder, url=None, effort="fast", seed=0, threads=1)
    )


@pytest.fixture(scope="module")
def everything() -> pl.DataFrame:
    return clicks("u", seed=1).sort("timestamp")


@pytest.fixture(scope="module")
def earlier(everything: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that was trained once, on the log up to the cut."""
    folder = mute(tmp_path_factory.mktemp("gate") / "shelf", SETTINGS)
    with penchant.open(folder) as engine:
        engine.add([{"item_id": f"i{n}", "title": f"Thing {n}"} for n in range(ITEMS)])
        engine.record(everything.filter(pl.col("timestamp") < CUT), now=NOW)
    report = trained(folder)
    assert report["gate"] is None
    assert report["published"] is True
    return folder


@pytest.fixture(scope="module")
def later(everything: pl.DataFrame) -> pl.DataFrame:
    return everything.filter(pl.col("timestamp") >= CUT)


@pytest.fixture(scope="module")
def poisoned(
    earlier: Path, later: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """The directory after the poison and what came later, and the report of a training on it."""
    folder = copied(earlier, tmp_path_factory.mktemp("poisoned"), poison(), later)
    run = CliRunner().invoke(
        app, ["train", str(folder), "--effort", "fast", "--json"], catch_exceptions=False
    )
    assert run.exit_code == 0, run.stderr
    return folder, json.loads(run.stdout)


def copied(folder: Path, parent: Path, *frames: pl.DataFrame) -> Path:
    target = Path(shutil.copytree(folder, parent / "shelf"))
    with penchant.open(target) as engine:
        for frame in frames:
            engine.record(frame, now=NOW)
    return target


def serving(folder: Path) -> str:
    return (folder / "snapshots" / "current").read_text().strip()


def state_of(folder: Path) -> tuple[View, Incumbent]:
    """Return the log as a training sees it, and what serves."""
    with open_store(folder) as store:
        view, _, _ = publish.open_view(store)
        incumbent = publish.open_incumbent(store, view, folder / "none")
    assert incumbent is not None
    return view, incumbent


def requests_since(view: View, incumbent: Incumbent, most: int = 60) -> list[Request]:
    """Return one request before each of the events that came after the snapshot."""
    late = np.flatnonzero(view.times > incumbent.until)[:most]
    found = []
    for place in late.tolist():
        now = float(view.times[place])
        state = Histories(view.before(now), 200).state(int(view.users[place]), now)
        if view.items[place] not in state.seen:
            one = view.items[place : place + 1]
            found.append(Request(int(view.users[place]), state, one))
    return found


# What is published, and what is held back


def test_an_ordinary_retraining_is_published_with_the_comparison(
    earlier: Path, later: pl.DataFrame, tmp_path: Path
) -> None:
    folder = copied(earlier, tmp_path, later)
    before = serving(folder)
    report = trained(folder)
    assert report["published"] is True
    assert report["snapshot"] == serving(folder) != before
    gate = report["gate"]
    assert gate["against"] == before
    assert gate["requests"] >= 60
    assert gate["interval"][0] < gate["ndcg"] - gate["ndcg_before"] < gate["interval"][1]
    assert gate["ndcg"] > 0.25  # of six tastes with twenty items each: chance is .04
    assert gate["ndcg_before"] > 0.25
    told = str(TrainReport(report["snapshot"], report))
    assert f"against snapshot {before}: not worse" in told
    assert f"NDCG@10 {gate['ndcg']:.4f}, before {gate['ndcg_before']:.4f}" in told
    with open_store(folder) as store:
        current = store.snapshots.current()
        assert current is not None
        assert current.manifest["gate"]["against"] == before
        assert current.manifest["until"] == later["timestamp"].max()
    with penchant.open(folder) as engine:
        assert engine.recommend("u1", now=NOW).snapshot == report["snapshot"]


def test_a_training_that_got_worse_is_held_back_and_the_old_one_serves(
    earlier: Path, poisoned: tuple[Path, dict[str, Any]]
) -> None:
    folder, report = poisoned
    before = serving(earlier)
    assert report["published"] is False
    assert report["snapshot"] == before == serving(folder)
    gate = report["gate"]
    assert gate["ndcg"] < gate["ndcg_before"]
    assert gate["interval"][0] < gate["interval"][1] < 0
    assert "gate = false" in gate["reason"]
    told = str(TrainReport(report["snapshot"], report))
    assert told.startswith(f"not published, snapshot {before} goes on serving")
    assert f"difference [{gate['interval'][0]:+.4f}, {gate['interval'][1]:+.4f}]" in told
    assert {p.name for p in (folder / "snapshots").iterdir() if p.is_dir()} == {before}
    with penchant.open(folder) as engine:
        assert engine.recommend("u1", now=NOW).snapshot == before


@pytest.mark.parametrize("window", [0.07, 0.3])
def test_what_is_judged_has_learned_as_much_as_what_serves(
    earlier: Path,
    later: pl.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    window: float,
) -> None:
    """Otherwise each training soon after another would be held back for the age of its past."""
    judged: list[tuple[np.ndarray, float]] = []

    def watched(incumbent: Incumbent, fresh: Artefacts, known: np.ndarray, *rest: Any) -> Verdict:
        judged.append((known, float(fresh.array("covisitation.counts").sum())))
        return judge(incumbent, fresh, known, *rest)

    monkeypatch.setattr(training, "judge", watched)
    folder = copied(earlier, tmp_path, later)
    mute(folder, SETTINGS + f"window = {window}\n")
    view, incumbent = state_of(folder)
    begin = view.wanted().newest(window)
    assert (begin > incumbent.until) == (window == 0.07)
    assert trained(folder)["published"] is True
    ((known, learned),) = judged
    # The past of the window where that is more, else exactly what the old one knows.
    until = view.times < begin if begin > incumbent.until else incumbent.known
    np.testing.assert_array_equal(known, until)
    assert learned == len(view.where(known).wanted())


def test_what_is_judged_is_as_small_as_what_would_serve(
    earlier: Path, later: pl.DataFrame, tmp_path: Path
) -> None:
    """A setting that cuts the models to pieces is found on the log, not by those who visit."""
    folder = copied(earlier, tmp_path, later)
    mute(folder, SETTINGS + "[recall]\nentries = 1\n")
    report = trained(folder)
    assert report["published"] is False
    assert report["gate"]["ndcg"] < report["choice"]["measured"]["ranker"] - 0.05
    assert serving(folder) == serving(earlier)


@pytest.mark.slow
def test_without_the_gate_the_same_training_is_published(
    poisoned: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(poisoned[0], tmp_path)
    before = serving(folder)
    monkeypatch.setenv("PENCHANT__LEARN__GATE", "false")
    with penchant.open(folder, effort="fast") as engine:
        report = engine.train()
        assert report.published
        assert report.data["gate"] is None
        assert report.snapshot != before
        assert engine.recommend("u1", now=NOW).snapshot == report.snapshot


@pytest.mark.slow
def test_who_is_forgotten_leaves_the_models_even_where_they_get_worse(
    poisoned: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder = copied(poisoned[0], tmp_path)
    with penchant.open(folder) as engine:
        removed = engine.forget("u7")
    report = trained(folder)
    assert report["gate"]["interval"][1] < 0
    assert report["published"] is True
    known = int(str(report["gate"]["reason"]).split("learned from ")[1].split()[0])
    assert 0 < known <= removed


@pytest.mark.slow
@pytest.mark.parametrize("dropped", ["nothing", "sequence"])
def test_networks_and_texts_are_compared_too(
    earlier: Path,
    later: pl.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dropped: str,
) -> None:
    """Effort balanced in small, against a snapshot of its own kind; also with a network left out.

    The items' texts say their taste, and a few of them came after the old snapshot was made.
    """
    monkeypatch.setattr(Training, "_ablation", lambda *_: {dropped: -1.0})
    view, incumbent = state_of(copied(earlier, tmp_path, later))
    taste = np.array([int(i[1:]) for i in view.columns.ids]) // (ITEMS // TASTES)
    raw = np.eye(TASTES, 16, dtype=np.float32)[taste]
    raw += np.random.default_rng(0).normal(0, 0.2, raw.shape).astype(np.float32)
    unread = raw.copy()
    unread[::10] = np.nan
    tiny = SequenceConfig(dimension=16, blocks=1, heads=1, length=10, epochs=4, most_seconds=1e9)
    config = replace(derive("fast"), requests=700, window=0.3, least_compared=60, whitened=8)
    sources = replace(config.sources, sequence=tiny, sequence_text=tiny)
    config = replace(config, sources=sources)
    before = view.where(incumbent.known)
    old, new = tmp_path / "old", tmp_path / "new"
    Training(before, unread, config, lambda *_: None).run(old, tmp_path / "first")
    served = replace(incumbent, folder=old)
    outcome = Training(view, raw, config, lambda *_: None).run(new, tmp_path / "second", served)
    assert outcome.gate is not None
    assert outcome.gate.ndcg is not None, outcome.gate.reason
    assert outcome.gate.ndcg_before is not None
    assert min(outcome.gate.ndcg, outcome.gate.ndcg_before) > 0.25
    assert outcome.gate.published
    assert outcome.left_out == (("sequence",) if dropped == "sequence" else ())
    kept = {"sequence", "sequence_text"} - {dropped}
    for folder in (old, new, tmp_path / "second" / "level"):
        assert set(Artefacts(folder).json("recall")["sequence"]) == kept


# Which requests are fair


def test_a_snapshot_that_has_seen_the_requests_is_not_compared(
    earlier: Path, later: pl.DataFrame, tmp_path: Path
) -> None:
    folder = copied(earlier, tmp_path)
    before = serving(folder)
    report = trained(folder)  # nothing came since: it has learned from every request of the window
    assert report["gate"]["requests"] == 0
    assert report["gate"]["ndcg"] is None
    assert report["gate"]["reason"] == "not comparable: 0 requests since, of 60 needed"
    assert report["published"] is True
    assert serving(folder) != before
    # A little is not enough either.
    with penchant.open(folder) as engine:
        engine.record(later.head(40), now=NOW)
    gate = trained(folder)["gate"]
    assert 0 < gate["requests"] < 60
    assert gate["ndcg"] is None


def test_requests_are_fair_strictly_after_what_a_snapshot_knows(earlier: Path) -> None:
    view, incumbent = state_of(earlier)
    assert incumbent.known.all()
    assert incumbent.removed == 0
    assert incumbent.until == view.times.max()
    states = [Histories(view, 200).state(0, incumbent.until + more) for more in (-1.0, 0.0, 1.0)]
    asked = [Request(0, state, view.items[:1]) for state in states]
    assert fair(incumbent, asked) == asked[2:]
    # A manifest of before says nothing of the time: nothing is known to be fair.
    assert fair(replace(incumbent, until=float("nan")), asked) == []


def test_a_snapshot_knows_by_the_order_of_the_log_not_by_the_time_of_events(
    earlier: Path, tmp_path: Path
) -> None:
    """What was imported after it was made is new to it, however old the events are."""
    view, incumbent = state_of(copied(earlier, tmp_path, poison(1)))
    old = view.times <= incumbent.until
    assert old.all()
    assert int((~incumbent.known).sum()) == PEOPLE * EACH
    assert incumbent.removed == 0


def test_a_snapshot_that_cannot_be_asked_is_replaced(
    earlier: Path, later: pl.DataFrame, tmp_path: Path
) -> None:
    folder = copied(earlier, tmp_path, later)
    before = serving(folder)
    with open_store(folder) as store:
        strange = store.snapshots.begin()
        (strange / "recall.json").write_text('{"sources": "of the year 2040"}')
        manifest = json.loads((folder / "snapshots" / before / "manifest.json").read_text())
        offset, until = manifest["offset"], manifest["until"]
        made = store.snapshots.publish(strange, {"offset": offset, "until": until})
    report = trained(folder)
    assert report["published"] is True
    assert report["gate"]["against"] == made
    assert "not comparable: it cannot answer (KeyError" in report["gate"]["reason"]


# The figures


def test_the_figures_are_those_of_the_live_engine(
    earlier: Path, later: pl.DataFrame, tmp_path: Path
) -> None:
    """The same snapshot, asked through the door, while the events are recorded one by one."""
    view, incumbent = state_of(copied(earlier, tmp_path, later))
    asked = requests_since(view, incumbent)
    measured = figures(Artefacts(incumbent.folder), incumbent.known, view, None, asked)
    answers, targets = [], []
    live = copied(earlier, tmp_path / "live")
    with penchant.open(live) as engine:
        for user, item, now in later.head(60).select("user_id", "item_id", "timestamp").rows():
            seen = {i for i, *_ in _history(engine, user)}
            if item not in seen:
                answers.append(
                    [int(i[1:]) for i in ids(engine.recommend(user, now=now, log=False))]
                )
                targets.append([int(item[1:])])
            engine.record(penchant.Event(user, item, "click", now), now=now)
    wanted = Lists.of(targets)
    expected = ndcg(hits(np.array(answers), wanted), wanted.lengths)
    assert len(expected) == len(measured) > 40
    np.testing.assert_allclose(measured, expected, atol=1e-12)
    assert 0.1 < measured.mean() < 0.9


def _history(engine: penchant.Engine, user: str) -> list[tuple[str, float]]:
    events = engine.export(user)["events"]
    return [(event["item_id"], event["timestamp"]) for event in events]


def test_nothing_that_came_later_changes_a_figure(
    earlier: Path, later: pl.DataFrame, tmp_path: Path
) -> None:
    view, incumbent = state_of(copied(earlier, tmp_path, later))
    asked = requests_since(view, incumbent)
    whole = figures(Artefacts(incumbent.folder), incumbent.known, view, None, asked)
    half = len(asked) // 2
    moment = asked[half - 1].state.now
    rng = np.random.default_rng(0)
    items = view.items.copy()
    after = view.times >= moment
    items[after] = rng.integers(0, ITEMS, int(after.sum()))
    other = replace(view, items=items)
    changed = figures(Artefacts(incumbent.folder), incumbent.known, other, None, asked[:half])
    np.testing.assert_array_equal(changed, whole[:half])
    # And what came before does.
    items = view.items.copy()
    between = (view.times > incumbent.until) & (view.times < moment)
    items[between] = asked[half - 1].targets[0]
    other = replace(view, items=items)
    changed = figures(Artefacts(incumbent.folder), incumbent.known, other, None, asked[:half])
    assert (changed != whole[:half]).any()
