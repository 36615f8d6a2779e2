"""An engine in a process of its own: it answers as one here does, and nothing of it stays."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import penchant
from penchant.evaluate.watch import replaying
from penchant.evaluate.watch.replaying import Replaying, answer
from penchant.store.child import ChildFailed
from shelves import mute

NOW = 1_700_000_000.0


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    directory = mute(tmp_path / "shelf")
    with penchant.open(directory) as engine:
        engine.add([{"item_id": f"i{n}"} for n in range(30)])
        engine.record(
            [
                {"user_id": f"u{n % 7}", "item_id": f"i{n * n % 30}", "timestamp": NOW + n}
                for n in range(200)
            ],
            now=NOW + 200,
        )
    return directory


@pytest.fixture
def asked(shelf: Path) -> Iterator[Replaying]:
    asking = Replaying(shelf, None)
    yield asking
    asking.close()


def process(asked: Replaying) -> psutil.Process:
    assert asked._process is not None
    return psutil.Process(asked._process.pid)


def test_it_answers_as_of_a_moment_as_an_engine_here_does(shelf: Path, asked: Replaying) -> None:
    with penchant.open(shelf, read_only=True) as engine:
        for user, time in (("u1", NOW + 50.5), ("u1", NOW + 199.5), ("nobody", NOW + 60.0)):
            slate = engine.recommend(user, 5, now=time, log=False)
            assert asked(user, time, 5) == (slate.snapshot, [line.item_id for line in slate])
        assert asked("u1", NOW + 50.5, 5) != asked("u1", NOW + 199.5, 5)


def test_one_process_answers_until_it_is_closed(asked: Replaying) -> None:
    asked("u1", NOW, 3)
    first = process(asked)
    asked("u2", NOW, 3)
    assert process(asked) == first
    asked.close()
    assert not first.is_running()
    asked.close()
    asked("u2", NOW, 3)
    assert process(asked) != first


def test_a_question_that_is_refused_does_not_end_the_next(asked: Replaying) -> None:
    with pytest.raises(ChildFailed, match="InvalidInput"):
        asked("u1", NOW, -1)
    assert asked("u1", NOW, 3)[1]


def test_an_engine_that_dies_is_not_asked_again_in_this_look(asked: Replaying) -> None:
    asked("u1", NOW, 3)
    process(asked).kill()
    with pytest.raises(ChildFailed, match="ended with status -9"):
        asked("u1", NOW, 3)
    with pytest.raises(ChildFailed, match="not asked again"):
        asked("u1", NOW, 3)
    asked.close()
    assert asked("u1", NOW, 3)[1]


def test_an_engine_that_hangs_is_given_up(
    asked: Replaying, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked("u1", NOW, 3)
    hanging = process(asked)
    monkeypatch.setattr(replaying, "PATIENCE", 0.2)
    os.kill(hanging.pid, signal.SIGSTOP)
    with pytest.raises(ChildFailed, match="no answer within"):
        asked("u1", NOW, 3)
    asked.close()
    assert not hanging.is_running()


def test_a_directory_that_does_not_open_says_why(tmp_path: Path) -> None:
    asked = Replaying(tmp_path / "missing", None)
    with pytest.raises(ChildFailed, match="missing"):
        asked("u1", NOW, 3)
    asked.close()


def test_the_process_ends_with_whoever_asks(shelf: Path) -> None:
    questions = [{"directory": str(shelf), "url": None}, {"user": "u1", "time": NOW, "k": 2}]
    said = io.StringIO()
    answer(io.StringIO("".join(f"{json.dumps(one)}\n" for one in questions)), said)
    (line,) = said.getvalue().splitlines()
    assert len(json.loads(line)["items"]) == 2
    answer(io.StringIO(), said)  # whoever asks died before the first question
