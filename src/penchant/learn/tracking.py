"""Event files of a training, one folder each, for TensorBoard: `tensorboard --logdir SHELF/logs`.

A record is on disk when its call returns, so a training can be watched while it goes on, and one
that is killed leaves what it knew. Where a project is named, the same goes to Weights & Biases:
online where a key is configured, else into the folder, for `wandb sync`. Nothing that goes wrong
here stops a training.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

LOGS = "logs"


class Tracker:
    """Writes into one folder; nothing where that is None, tensorboard missing or the disk full.

    `project` names a project of Weights & Biases that is told as well. `problem` says why nothing
    is written, if anything went wrong.
    """

    def __init__(self, folder: Path | None = None, project: str = "") -> None:
        self.folder = folder
        self.problem = ""
        self._file: BinaryIO | None = None
        self._run: Any = None
        if folder is None:
            return
        if project:
            self._begin(folder, project)
        try:
            # Here, because it may be missing; and one that does not fit the protobuf beside it
            # fails with errors of every kind.
            import tensorboard.plugins.text.metadata
            import tensorboard.summary.writer.record_writer  # noqa: F401
        except Exception as error:
            self.problem = f'tensorboard cannot be used ({error}): `pip install "penchant[train]"`'
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"events.out.tfevents.{time.time():010.0f}.penchant"
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            self.problem = f"no log could be written into {folder}: {error}"
            return
        self._write(file_version="brain.Event:2")

    def scalar(self, tag: str, value: float, step: int = 0) -> None:
        """Write one point of the curve `tag`."""
        # Each curve counts its own steps, and the service would take one count for all.
        self._tell(lambda run: run.log({tag: value, f"{tag} step": step}))
        if self._file is None:
            return
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._summary(Summary.Value(tag=tag, simple_value=value), step)

    def text(self, tag: str, markdown: str) -> None:
        """Write a text."""
        if self._file is None:
            return
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
        from tensorboard.compat.proto.types_pb2 import DT_STRING
        from tensorboard.plugins.text.metadata import create_summary_metadata

        tensor = TensorProto(
            dtype=DT_STRING,
            tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
            string_val=[markdown.encode()],
        )
        metadata = create_summary_metadata(display_name=tag, description="")
        self._summary(Summary.Value(tag=tag, tensor=tensor, metadata=metadata), 0)

    def content(self, tag: str, content: Mapping[str, Any]) -> None:
        """Write what is JSON as a text that shows it as such."""
        plain = json.loads(json.dumps(content, default=str))
        self._tell(lambda run: run.config.update({tag: plain}, allow_val_change=True))
        lines = json.dumps(content, indent=1, default=str, ensure_ascii=False).splitlines()
        self.text(tag, "\n".join(f"    {line}" for line in lines))

    def close(self) -> None:
        """End the file."""
        self._tell(lambda run: run.finish())
        self._run = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _begin(self, folder: Path, project: str) -> None:
        try:
            import wandb

            # Without a key it would ask for one, and nobody is there to answer.
            known = os.environ.get("WANDB_MODE") or wandb.login(prompt=False, verify=False)
            folder.mkdir(parents=True, exist_ok=True)
            self._run = wandb.init(
                project=project,
                name=folder.name,
                dir=str(folder),
                mode=None if known else "offline",
                settings=wandb.Settings(silent=True, init_timeout=30),
            )
        except Exception as error:  # missing, unconfigured, unreachable: each its own kind
            self._without(error)

    def _tell(self, what: Callable[[Any], object]) -> None:
        if self._run is None:
            return
        try:
            what(self._run)
        except Exception as error:
            self._without(error)

    def _without(self, error: Exception) -> None:
        self._run = None
        self.problem = f"Weights & Biases is not told ({type(error).__name__}: {error})"

    def _summary(self, value: Any, step: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._write(step=step, summary=Summary(value=[value]))

    def _write(self, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        assert self._file is not None
        event = Event(wall_time=time.time(), **content)
        try:
            RecordWriter(self._file).write(event.SerializeToString())
        except OSError as error:
            self.problem = f"the log in {self.folder} ends early: {error}"
            self.close()


def started(shelf: Path, effort: str, now: float) -> Path:
    """Return the folder of the log of a training that begins now; it is made when written to."""
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    folder, number = shelf / LOGS / f"{moment}-{effort}", 2
    while folder.exists():
        folder, number = shelf / LOGS / f"{moment}-{effort}-{number}", number + 1
    return folder


def prune(shelf: Path, keep: int) -> list[str]:
    """Return the names of the logs removed: all but the newest `keep`."""
    logs = shelf / LOGS
    names = sorted(path.name for path in logs.iterdir() if path.is_dir()) if logs.is_dir() else []
    gone = names[: max(0, len(names) - max(0, keep))]
    for name in gone:
        with suppress(OSError):
            shutil.rmtree(logs / name)
    return gone


def peak_memory() -> float:
    """Return the most memory this process has had so far, in megabytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
