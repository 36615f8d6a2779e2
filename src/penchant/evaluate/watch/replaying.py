"""The engine asked again as of a moment that has passed, in a process that lives for one look.

An engine holds what a worker does, 150 MB of a catalogue of 20,000 items, and is asked for seconds
of ten minutes: what watches for weeks must not keep that. Questions and answers are lines of JSON;
whoever asks and dies closes the pipe, which ends the process as well.
"""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from penchant.store.child import ChildFailed

PATIENCE = 120.0  # seconds for one answer; the first waits for the directory to be opened


class Replaying:
    """Asks the engine of a directory, read only; `close` ends the process, a question begins one.

    `url` is that of the tables, if they lie in PostgreSQL.
    """

    def __init__(self, directory: Path, url: str | None) -> None:
        self._directory, self._url = directory, url
        self._process: subprocess.Popen[str] | None = None
        self._said: IO[bytes] | None = None
        self._failed = False

    def __call__(self, user_id: str, time: float, k: int) -> tuple[str, list[str]]:
        """Return the snapshot that answers and the items that this person gets at a time (seconds).

        ChildFailed where the engine refuses, dies or hangs; then until `close` nobody is asked.
        """
        if self._failed:
            raise ChildFailed("the engine failed in this look, and is not asked again in it")
        try:
            answer = self._answer({"user": user_id, "time": time, "k": k})
        except Exception:
            self._failed = True
            raise
        if "error" in answer:
            raise ChildFailed(str(answer["error"]))
        return str(answer["snapshot"]), [str(item) for item in answer["items"]]

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process, self._failed = self._process, None, False
        if process is None:
            return
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        try:
            process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdout, self._said):
            if stream is not None:
                stream.close()
        self._said = None

    def _answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        if self._process is None:
            self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
            self._process = subprocess.Popen(  # noqa: S603  our own module, and no shell
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
            # Not as an argument, where everybody on the machine could read the address.
            self._tell({"directory": str(self._directory), "url": self._url})
        self._tell(question)
        return self._line()

    def _tell(self, message: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise ChildFailed(self._end()) from error

    def _line(self) -> dict[str, Any]:
        """Return the next line, which is an answer: all else that is printed goes elsewhere."""
        assert self._process is not None
        out = self._process.stdout
        assert out is not None
        with selectors.DefaultSelector() as ready:
            ready.register(out, selectors.EVENT_READ)
            if not ready.select(PATIENCE):
                self._process.kill()
                raise ChildFailed(f"the engine gave no answer within {PATIENCE:.0f} s")
        line = out.readline()
        if not line:
            raise ChildFailed(self._end())
        found: dict[str, Any] = json.loads(line)
        return found

    def _end(self) -> str:
        assert self._process is not None
        status = self._process.wait()
        assert self._said is not None
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").splitlines()[-15:]
        return f"the engine ended with status {status}; it said:\n" + "\n".join(said)


def answer(questions: IO[str], answers: IO[str]) -> None:
    """Answer questions, one line each, until there are no more; the first line names the engine."""
    from penchant.engine import Engine

    opened = json.loads(questions.readline() or "null")
    if opened is None:
        return
    with Engine(opened["directory"], url=opened["url"], read_only=True) as engine:
        for line in questions:
            asked = json.loads(line)
            try:
                slate = engine.recommend(asked["user"], asked["k"], now=asked["time"], log=False)
                found: dict[str, Any] = {
                    "snapshot": slate.snapshot,
                    "items": [one.item_id for one in slate],
                }
            except Exception as error:  # this one cannot be answered; the next may be
                found = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    answers = sys.stdout
    sys.stdout = sys.stderr  # what a library prints is no answer
    answer(sys.stdin, answers)
