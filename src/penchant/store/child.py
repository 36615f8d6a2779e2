"""Running one of the package's own modules as a process, and listening to its JSON lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from typing import Any

from penchant.store.lifeline import held
from penchant.types import Error, Tell


class ChildFailed(Error):
    """A process of the engine's own ended without its result."""


def run_child(module: str, arguments: Sequence[str], tell: Tell | None = None) -> dict[str, Any]:
    """Return the report of `python -m module arguments`.

    The process writes JSON lines: {"step", "value"} as progress, {"error", "message"} when it
    refuses, {"report"} at the end. If the caller is interrupted, or dies, the process ends as well.
    """
    process = subprocess.Popen(  # noqa: S603  the module is ours, the arguments are no shell's
        [sys.executable, "-m", module, *arguments],
        env=held(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    assert process.stdout is not None
    assert process.stdin is not None
    said: deque[str] = deque(maxlen=15)  # for the message when it dies
    report: dict[str, Any] | None = None
    try:
        for line in process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                said.append(line.rstrip())
                continue
            if not isinstance(message, dict):
                continue
            if "report" in message:
                report = message["report"]
            elif "error" in message:
                raise ChildFailed(f"{message['error']}: {message['message']}")
            elif tell is not None and "step" in message:
                tell(str(message["step"]), float(message["value"]))
        status = process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=30)
        process.stdout.close()
        process.stdin.close()
    if report is None:
        tail = "\n".join(said)
        raise ChildFailed(
            f"expected a report from {module}, which ended with status {status}; it said:\n{tail}"
        )
    return report
