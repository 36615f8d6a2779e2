"""Where a tuning stands, in one file: written whole or not at all, so that a killed one resumes."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor


@dataclass
class Progress:
    """How far a tuning is. `step` counts the steps done; `best_step` 0 is where it began.

    `values` are (step, value) of each validation, `factor` what the learning rate was lowered by,
    `waited` the validations since the best one, `told` how many of them were due so far.
    """

    step: int = 0
    best_step: int = 0
    best: float | None = None
    losses: list[float] = field(default_factory=list)
    values: list[tuple[int, float]] = field(default_factory=list)
    factor: float = 1.0
    skipped: int = 0
    waited: int = 0
    told: int = 0
    held: int = 0
    seconds: float = 0.0


def save(path: Path, mark: str, progress: Progress, tensors: dict[str, Tensor]) -> None:
    """Write the file. `mark` names the tuning that it belongs to."""
    partial = path.with_suffix(".partial")
    about = {"mark": mark, "progress": json.dumps(asdict(progress))}
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, partial, about)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def load(path: Path, mark: str) -> tuple[Progress, dict[str, Tensor]] | None:
    """Return what was saved of the tuning `mark`; None where there is nothing of it to read."""
    try:
        with safe_open(path, "pt") as file:
            about: dict[str, Any] = file.metadata() or {}
            if about.get("mark") != mark:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        progress = Progress(**json.loads(about["progress"]))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None
    progress.values = [(int(step), float(value)) for step, value in progress.values]
    return progress, tensors
