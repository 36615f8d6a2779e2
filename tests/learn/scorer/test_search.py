"""A search finds what pays and keeps the default where nothing does; a kill costs one trial."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import penchant
from penchant.evaluate.simulate import simulate
from penchant.learn.config import RankerConfig
from penchant.learn.effort import derive
from penchant.learn.scorer.rows import Rows
from penchant.learn.scorer.search import SPACE, STEP, search, space
from penchant.learn.scorer.trials import Trials, fingerprint
from penchant.measure.reports import TrainReport
from shelves import mute

CONFIG = RankerConfig(trees=60, least_in_leaf=50, threads=1)
HOPELESS = replace(CONFIG, leaves=2, learning_rate=1e-4)
PER = 10
LONG = 1e6  # seconds: however many trials are asked for


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials of a quarter of a second."""
    monkeypatch.setitem(SPACE, "trees", (60, 100))
    monkeypatch.setitem(SPACE, "leaves", (4, 8))


def draw(noise: float, requests: int = 600, seed: int = 0) -> Rows:
    """Return requests whose wanted candidates follow a product of features, and `noise`."""
    rng = np.random.default_rng(seed)
    n = requests * PER
    x = rng.normal(size=(n, 4)).astype(np.float32)
    much = (x[:, 0] * x[:, 1] + x[:, 2] + noise * rng.normal(size=n)).reshape(requests, PER)
    wanted = much >= np.sort(much, axis=1)[:, -2:-1]
    return Rows(
        features=x,
        items=np.tile(np.arange(PER, dtype=np.int32), requests),
        wanted=wanted.ravel(),
        starts=np.arange(requests + 1, dtype=np.int64) * PER,
        times=np.arange(requests, dtype=np.float64),
        users=np.arange(requests, dtype=np.int32) % 80,
        missed=np.zeros(requests, dtype=np.int32),
        arms=("next",) * requests,
        names=("a", "b", "c", "d"),
        n_sources=3,
    )


def mute_tell(step: str, value: float) -> None:
    assert step == STEP
    assert 0 <= value <= 1


def test_a_poor_default_is_replaced_and_both_figures_are_told() -> None:
    with Trials(None, "") as trials:
        found, said = search(
            draw(0.3), HOPELESS, trials, seed=0, seconds=LONG, tell=mute_tell, most=4
        )
    assert said.adopted
    assert found == replace(HOPELESS, **said.parameters)
    assert set(said.parameters) == set(SPACE)
    assert said.searched["best"] > said.searched["default"] + 0.02
    assert said.confirmed["best"] > said.confirmed["default"] + 0.02
    assert said.interval is not None
    assert said.interval[0] > 0
    assert "adopted: " in str(said)
    assert f"{said.confirmed['best']:.4f} against {said.confirmed['default']:.4f}" in str(said)


@pytest.mark.parametrize("seed", range(3))
def test_on_noise_the_default_stays(seed: int) -> None:
    rows = draw(0.0, seed=seed)
    rng = np.random.default_rng(seed + 1000)
    noise = replace(rows, features=rng.normal(size=rows.features.shape).astype(np.float32))
    with Trials(None, "") as trials:
        found, said = search(noise, CONFIG, trials, seed=seed, seconds=LONG, tell=mute_tell, most=8)
    assert said.trials == 8
    # The best of several always looks better to whoever chose it.
    assert said.searched["best"] >= said.searched["default"]
    assert not said.adopted
    assert found == CONFIG
    assert "the default parameters stay" in str(said)


@pytest.mark.parametrize("seconds", [0.5, 3.0])
def test_the_budget_is_kept(seconds: float) -> None:
    rows = draw(0.3, requests=3000)
    slow = replace(CONFIG, trees=800)  # a trial of this takes longer than there is time
    with Trials(None, "") as trials:
        began = time.monotonic()
        _, said = search(rows, slow, trials, seed=0, seconds=seconds, tell=mute_tell)
        assert time.monotonic() - began < seconds + 1.5
        assert said.seconds < seconds + 1.5
        assert said.trials == len(trials.finished())


def test_a_budget_too_small_for_one_trial_keeps_the_default() -> None:
    with Trials(None, "") as trials:
        found, said = search(draw(0.3), CONFIG, trials, seed=0, seconds=1e-3, tell=mute_tell)
    assert (found, said.trials, said.interval) == (CONFIG, 0, None)
    assert "too little data or time" in str(said)


def test_too_few_requests_are_not_searched() -> None:
    with Trials(None, "") as trials:
        found, said = search(draw(0.3, 100), CONFIG, trials, seed=0, seconds=60, tell=mute_tell)
    assert (found, said.trials) == (CONFIG, 0)


def test_the_default_lies_within_the_space_whatever_it_is() -> None:
    for name, range_ in space(HOPELESS).items():
        assert range_._contains(range_.to_internal_repr(getattr(HOPELESS, name)))


def test_a_seed_tries_the_same_with_and_without_a_break(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penchant.learn.scorer.search.RANDOM", 3)
    rows, tried = draw(0.3), []
    for parts in ((6,), (2, 6)):
        shelf = tmp_path / str(len(parts))
        shelf.mkdir()
        for most in parts:
            with Trials(shelf, "key") as trials:
                before = len(trials.finished())
                _, said = search(
                    rows, CONFIG, trials, seed=3, seconds=LONG, tell=mute_tell, most=most
                )
                assert (said.resumed, said.trials) == (before, most)
                tried.append([(trial.params, trial.value) for trial in trials.finished()])
    whole, first, second = tried
    assert second == whole  # the last ones of a sampler that has begun to learn
    assert first == whole[:2]
    assert len({json.dumps(one) for one, _ in whole}) == len(whole)


def test_trials_of_other_data_are_not_met_and_a_damaged_file_is_begun_anew(tmp_path: Path) -> None:
    rows = draw(0.3)
    with Trials(tmp_path, "one") as trials:
        search(rows, CONFIG, trials, seed=0, seconds=LONG, tell=mute_tell, most=1)
        assert trials.finished()
    with Trials(tmp_path, "two") as trials:
        assert trials.finished() == []
    (file,) = tmp_path.glob("search-*.db")
    assert file.name == "search-two.db"
    file.write_bytes(b"not a database" * 1000)
    with Trials(tmp_path, "two") as trials:
        assert trials.finished() == []


def test_a_fingerprint_is_of_all_that_rows_come_from() -> None:
    import numbered

    view, config = numbered.view(), derive("best")
    of = fingerprint(view, config)
    assert fingerprint(numbered.view(), derive("best", threads=3)) == of
    assert fingerprint(view, replace(config, search_seconds=1.0, keep=9)) == of
    others = [
        fingerprint(view, derive("best", seed=1)),
        fingerprint(view, replace(config, requests=5)),
        fingerprint(view, replace(config, ranker=replace(config.ranker, row_share=0.5))),
        fingerprint(view.where(np.arange(len(view)) > 0), config),
        fingerprint(numbered.view(numbered.vectors()), config),
    ]
    assert len({of, *others}) == 6


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = simulate(seed=1, n_users=250, n_events=16_000)
    folder = mute(tmp_path_factory.mktemp("films") / "shelf")
    with penchant.open(folder) as engine:
        engine.add(world.items)
        engine.record(world.events, now=world.end)
    return folder


def steps(process: subprocess.Popen[str]) -> Iterator[dict]:
    assert process.stdout is not None
    for line in process.stdout:
        yield json.loads(line)


def start(shelf: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "penchant.learn", str(shelf), "--effort", "fast"],
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PENCHANT__LEARN__SEARCH_SECONDS": str(seconds),
        },
    )


def finished(shelf: Path) -> list[dict]:
    (file,) = shelf.glob("search-*.db")
    key = file.stem.removeprefix("search-")
    with Trials(shelf, key) as trials:
        return [trial.params for trial in trials.finished()]


def endless(folder: Path) -> None:
    """Search until somebody ends the process; run by the next test."""
    with Trials(folder, "key") as trials:
        search(draw(0.3), CONFIG, trials, seed=3, seconds=LONG, tell=mute_tell)


def complete(folder: Path) -> int:
    with (
        suppress(sqlite3.OperationalError),
        closing(sqlite3.connect(f"file:{folder}/search-key.db?mode=ro", uri=True)) as file,
    ):
        query = "select count(*) from trials where state = 'COMPLETE'"
        return int(file.execute(query).fetchone()[0])
    return 0


def test_a_kill_costs_the_trial_that_was_running(tmp_path: Path) -> None:
    code = "import sys, pathlib, test_search; test_search.endless(pathlib.Path(sys.argv[1]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(Path(__file__).parent), *sys.path)),
        },
    )
    while complete(tmp_path) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    before = complete(tmp_path)
    with Trials(tmp_path, "key") as trials:
        assert len(trials.finished()) == before
        params = [trial.params for trial in trials.finished()]
        _, said = search(
            draw(0.3), CONFIG, trials, seed=3, seconds=LONG, tell=mute_tell, most=before + 2
        )
        assert (said.resumed, said.trials) == (before, before + 2)
        after = [trial.params for trial in trials.finished()]
    assert after[:before] == params
    assert len({json.dumps(one, sort_keys=True) for one in after}) == before + 2


@pytest.mark.slow
def test_a_killed_training_goes_on_with_its_search(shelf: Path) -> None:
    process = start(shelf, 600)
    told = 0
    for line in steps(process):
        told += line.get("step") == STEP
        if told == 6:  # it says so once a second
            break
    process.send_signal(signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()
    before = finished(shelf)
    assert before
    assert list((shelf / "snapshots").glob("0*")) == []

    process = start(shelf, 15)
    *_, last = steps(process)
    assert process.wait(60) == 0
    process.stdout.close()
    found = last["report"]["search"]
    assert found["resumed"] == len(before)
    assert found["trials"] >= len(before)
    assert found["summary"].startswith("search: ")
    # Published: nothing is left to go on with.
    assert list(shelf.glob("search-*")) == []
    assert found["summary"] in str(TrainReport("one", last["report"]))
