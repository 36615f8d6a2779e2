"""Running a module as a process: its lines are heard, its failures named, and it is not left."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from penchant.store.child import ChildFailed, run_child


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write modules that the process can import."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(code: str) -> str:
        (tmp_path / "errand.py").write_text(code, encoding="utf-8")
        return "errand"

    return write


def test_the_report_comes_back_and_progress_is_told(modules) -> None:
    module = modules(
        "import json, sys\n"
        "print(json.dumps({'step': 'one', 'value': 0.5}))\n"
        "print('not json'); print('[1, 2]'); print('3')\n"
        "print(json.dumps({'report': {'arguments': sys.argv[1:], 'text': '中文'}}))\n"
    )
    told: list[tuple[str, float]] = []
    report = run_child(module, ["a b", "--c"], lambda step, value: told.append((step, value)))
    assert report == {"arguments": ["a b", "--c"], "text": "中文"}
    assert told == [("one", 0.5)]
    assert run_child(module, [])["arguments"] == []


def test_a_refusal_is_named(modules) -> None:
    module = modules(
        "import json, sys\n"
        "print(json.dumps({'error': 'NothingToLearn', 'message': 'too little'}))\nsys.exit(3)\n"
    )
    with pytest.raises(ChildFailed, match=r"^NothingToLearn: too little$"):
        run_child(module, [])


@pytest.mark.parametrize(
    ("code", "match"),
    [
        ("raise RuntimeError('on purpose')", r"status 1; it said:[\s\S]*RuntimeError: on purpose"),
        ("import os; os.kill(os.getpid(), 9)", "status -9"),
        ("print('nothing to say')", r"status 0; it said:\nnothing to say"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\xfe bytes\\n')", "bytes"),
    ],
)
def test_a_process_without_a_report_is_a_failure_that_says_what_it_said(
    modules, code: str, match: str
) -> None:
    with pytest.raises(ChildFailed, match=match):
        run_child(modules(code), [])


def test_only_the_last_words_are_kept(modules) -> None:
    module = modules("for n in range(100): print(f'line {n}')")
    with pytest.raises(ChildFailed) as caught:
        run_child(module, [])
    said = str(caught.value)
    assert "line 99" in said
    assert "line 50" not in said


def test_an_interrupted_caller_ends_the_process(modules, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    module = modules(
        "import json, sys, time, pathlib\n"
        "print(json.dumps({'step': 'begun', 'value': 0}), flush=True)\n"
        "while True:\n"
        "    pathlib.Path(sys.argv[1]).write_text(str(time.time())); time.sleep(0.02)\n"
    )

    def interrupt(step: str, value: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_child(module, [str(alive)], interrupt)
    time.sleep(0.2)
    before = alive.read_text() if alive.exists() else ""
    time.sleep(0.2)
    assert (alive.read_text() if alive.exists() else "") == before


def test_two_at_once_do_not_mix(modules) -> None:
    module = modules(
        "import json, sys, time\ntime.sleep(0.1)\n"
        "print(json.dumps({'report': {'me': sys.argv[1]}}))\n"
    )
    found: dict[str, object] = {}

    def ask(name: str) -> None:
        found[name] = run_child(module, [name])

    threads = [threading.Thread(target=ask, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {name: {"me": name} for name in "abc"}
