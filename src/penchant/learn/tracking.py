"""Event files of a training, one folder each, for TensorBoard: `tensorboard --logdir SHELF/logs`.

A record is on disk when its call returns, so a training can be watched while it goes on, and one
that is killed leaves what it knew. Where section `tracking` names a project, the same curves go to
Weights & Biases. Nothing that goes wrong here stops a training.
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

from pydantic import BaseModel, ConfigDict, Field

LOGS = "logs"
_INIT_SECONDS = 30.0  # a service that cannot be reached delays a training by this much, once
_FINISH_SECONDS = 60.0  # and by this much at its end


class TrackingSection(BaseModel):
    """Section `tracking`: where the curves of trainings go beside `logs/`, which they always do.

    `project` names a project of Weights & Biases (the extra `wandb`), "" for none; `entity` whose
    it is, "" for the account's default. Told are figures, times and settings of the training, and
    nothing of persons, items or the machine. The key is that of `wandb login` or of
    `WANDB_API_KEY`. Without one, or with `offline`, all of it is written into the folder of the
    log, for `wandb sync`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: str = Field("", max_length=128)
    entity: str = ""
    offline: bool = False


class Tracker:
    """Writes into one folder; nothing where that is None, tensorboard missing or the disk full.

    `told` says whether Weights & Biases is told as well. `problem` says what went wrong, if
    anything did; the training goes on.
    """

    def __init__(self, folder: Path | None = None, told: TrackingSection | None = None) -> None:
        self.folder = folder
        self.problem = ""
        self._file: BinaryIO | None = None
        self._run: Any = None
        if folder is None:
            return
        if told is not None and told.project:
            self._begin(folder, told)
        try:
            # Here, because it may be missing; and one that does not fit the protobuf beside it
            # fails with errors of every kind.
            import tensorboard.plugins.text.metadata
            import tensorboard.summary.writer.record_writer  # noqa: F401
        except Exception as error:
            self._warn(f'tensorboard cannot be used ({error}): `pip install "penchant[train]"`')
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"events.out.tfevents.{time.time():010.0f}.penchant"
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            self._warn(f"no log could be written into {folder}: {error}")
            return
        self._write(file_version="brain.Event:2")

    def scalar(self, tag: str, value: float, step: int = 0) -> None:
        """Write one point of the curve `tag`."""
        # Each curve counts its own steps; the service would take one count for all.
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
        """End the file, and the run."""
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

    def _begin(self, folder: Path, told: TrackingSection) -> None:
        try:
            import wandb

            # Without a key it would ask for one, and nobody is there to answer.
            known = bool(os.environ.get("WANDB_MODE"))
            if not told.offline and not known:
                known = wandb.login(prompt=False, verify=False)
            folder.mkdir(parents=True, exist_ok=True)
            self._run = wandb.init(
                project=told.project,
                entity=told.entity or None,
                name=folder.name,
                dir=str(folder),
                mode="offline" if told.offline or not known else None,
                settings=wandb.Settings(
                    silent=True,
                    init_timeout=_INIT_SECONDS,
                    finish_timeout=_FINISH_SECONDS,
                    finish_timeout_raises=True,
                    # Standard output is how a training speaks to whoever started it, and what
                    # is known of the machine and whoever works at it is nobody's business.
                    console="off",
                    host="penchant",
                    disable_git=True,
                    save_code=False,
                    disable_job_creation=True,
                    x_disable_meta=True,
                    x_disable_stats=True,
                    x_disable_machine_info=True,
                    x_save_requirements=False,
                ),
            )
        except Exception as error:  # missing, refused, unreachable: each its own kind
            self._alone(error)

    def _tell(self, what: Callable[[Any], object]) -> None:
        if self._run is None:
            return
        try:
            what(self._run)
        except Exception as error:
            self._alone(error)

    def _alone(self, error: Exception) -> None:
        self._run = None
        hint = ': `pip install "penchant[wandb]"`' if isinstance(error, ImportError) else ""
        said = (str(error) or type(error).__name__).splitlines()[0]
        self._warn(f"Weights & Biases is not told of this training ({said}){hint}")

    def _warn(self, problem: str) -> None:
        self.problem = f"{self.problem}; {problem}" if self.problem else problem

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
            self._warn(f"the log in {self.folder} ends early: {error}")
            self._file.close()
            self._file = None


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
