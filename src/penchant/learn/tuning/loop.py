"""The steps of a training: rates, clipping, validation, early stop, faults, resume after a kill.

What is random in a step follows from the seed and the step's number alone, so that a run that was
killed and goes on ends in the same weights as one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from penchant.learn.tuning import checkpoint
from penchant.learn.tuning.checkpoint import Progress
from penchant.types import Error, Tell

Curve = Callable[[str, float, int], None]
# So many steps without a finite loss, and the training gives up; each halves the rate.
MOST_SKIPPED = 5
LEAST_HELD = 128


class Ended(Error):
    """A training that cannot go on; `progress` says how far it came."""

    progress: Progress


class TuningDiverged(Ended):
    """The loss was not finite again and again."""


class OutOfMemory(Ended):
    """Not even the smallest batch has room."""


@dataclass(frozen=True)
class Plan:
    """What a loop is told: how many steps, how long, how often it looks, and how it ends."""

    steps: int
    most_seconds: float
    validations: int
    patience: int
    clip: float
    warm_up: float
    held: int
    checkpoint_seconds: float


@dataclass
class Trained:
    """What moves: named parameters, their groups (each with its `rate`), and state beside them.

    `beside` and `restore` carry what a method knows besides its parameters.
    """

    parameters: dict[str, nn.Parameter]
    groups: list[dict[str, Any]]
    stepped: Callable[[int], None] = lambda step: None
    beside: Callable[[], dict[str, Tensor]] = dict
    restore: Callable[[dict[str, Tensor]], None] = lambda tensors: None


def run(
    trained: Trained,
    step: Callable[[int, int], float],
    plan: Plan,
    path: Path,
    mark: str,
    *,
    validate: Callable[[], float] | None = None,
    start: float | None = None,
    tell: Tell | None = None,
    curve: Curve | None = None,
) -> Progress:
    """Train until the plan ends, leave the best weights in the parameters, return how it went.

    `step(number, held)` adds the gradients of one step and returns its loss; `validate` is asked
    for the worth of the weights, where it is given: else the last weights are the best. `start` is
    that of the first weights, where it is known. `path` is the checkpoint, taken up where it has
    `mark`. Raises TuningDiverged or OutOfMemory, with the best weights in the parameters as well.
    """
    return _Run(trained, step, plan, path, mark, validate, start, tell, curve).through()


class _Run:
    def __init__(
        self,
        trained: Trained,
        step: Callable[[int, int], float],
        plan: Plan,
        path: Path,
        mark: str,
        validate: Callable[[], float] | None,
        start: float | None,
        tell: Tell | None,
        curve: Curve | None,
    ) -> None:
        self.trained, self.step, self.plan = trained, step, plan
        self.path, self.mark = path, mark
        self.validate, self.start = validate, start
        self.tell, self.curve = tell, curve
        self.optimiser = torch.optim.AdamW(trained.groups, lr=0.0)
        self.progress = Progress(held=plan.held)
        self.best: dict[str, Tensor] = {}
        self.faulty = False

    def through(self) -> Progress:
        """Run to the end; see `run`."""
        plan = self.plan
        if not self._resumed():
            self._keep()
            if self.validate is not None:
                self.progress.best = self._value() if self.start is None else self.start
        progress = self.progress
        began, saved = time.monotonic() - progress.seconds, time.monotonic()
        try:
            while progress.step < plan.steps and not self._done(progress):
                self._one(self._done_share())
                progress.seconds = time.monotonic() - began
                due = int(self._done_share() * plan.validations)
                if self.validate is not None and due > progress.told:
                    progress.told = due
                    self._compare()
                if time.monotonic() - saved >= plan.checkpoint_seconds:
                    self._save()
                    saved = time.monotonic()
            if self.validate is None:
                progress.best_step = progress.step
                self._keep()
            elif progress.step > (progress.values[-1][0] if progress.values else 0):
                self._compare()
        except Ended as error:
            error.progress = progress
            raise
        finally:
            self._take_best()
        return progress

    def _one(self, done: float) -> None:
        progress = self.progress
        number = progress.step
        for group in self.optimiser.param_groups:
            group["lr"] = group["rate"] * progress.factor * pace(done, self.plan.warm_up)
        self.optimiser.zero_grad(set_to_none=True)
        try:
            loss = self.step(number, progress.held)
        except (RuntimeError, MemoryError) as error:
            if not _no_room(error):
                raise
            self._smaller(error)
            return
        progress.step += 1
        parameters = [p for p in self.trained.parameters.values() if p.grad is not None]
        norm = nn.utils.clip_grad_norm_(parameters, self.plan.clip)
        if not (math.isfinite(loss) and math.isfinite(float(norm))):
            progress.skipped += 1
            progress.factor /= 2
            # Once may be the batch; twice, and the weights themselves are gone.
            if self.faulty:
                self._take_best()
                self.optimiser.state.clear()
            self.faulty = True
            if progress.skipped >= MOST_SKIPPED:
                raise TuningDiverged(
                    f"the loss was not finite in {progress.skipped} steps, the last of them step "
                    f"{progress.step}, though the learning rate was halved each time: the best "
                    "weights so far are kept; lower learning_rate, or raise temperature"
                )
            return
        self.faulty = False
        self.optimiser.step()
        self.trained.stepped(number)
        progress.losses.append(loss)
        if self.curve is not None:
            self.curve("loss", loss, progress.step)
        if self.tell is not None:
            self.tell(f"tuning, loss {loss:.3f}", min(1.0, done))

    def _smaller(self, error: Exception) -> None:
        # The same step is asked for again, with less; what it still holds has to go before.
        self.optimiser.zero_grad(set_to_none=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if self.progress.held <= LEAST_HELD:
            raise OutOfMemory(
                f"no memory for a step that holds the graph of {self.progress.held} tokens "
                f"({str(error).splitlines()[0]}): the best weights so far are kept; lower batch or "
                "max_tokens, or choose method last, lora or a smaller model"
            ) from error
        self.progress.held = max(LEAST_HELD, self.progress.held // 2)

    def _done_share(self) -> float:
        done = self.progress.step / self.plan.steps
        spent = self.progress.seconds / self.plan.most_seconds
        # Time takes over only where it is well ahead: runs within it are repeatable.
        return spent if spent > done + 0.05 else done

    def _done(self, progress: Progress) -> bool:
        late = progress.seconds >= self.plan.most_seconds
        return late or (self.validate is not None and progress.waited >= self.plan.patience)

    def _value(self) -> float:
        assert self.validate is not None
        value = self.validate()
        self.progress.values.append((self.progress.step, value))
        if self.curve is not None:
            self.curve("validation", value, self.progress.step)
        return value

    def _compare(self) -> None:
        progress, value = self.progress, self._value()
        assert progress.best is not None
        # A value that is no number is no improvement.
        if value > progress.best:
            progress.best, progress.best_step, progress.waited = value, progress.step, 0
            self._keep()
        else:
            progress.waited += 1

    def _keep(self) -> None:
        self.best = {n: p.detach().cpu().clone() for n, p in self.trained.parameters.items()}

    def _take_best(self) -> None:
        with torch.no_grad():
            for name, parameter in self.trained.parameters.items():
                parameter.copy_(self.best[name])

    def _save(self) -> None:
        tensors = {f"beside/{n}": t for n, t in self.trained.beside().items()}
        for name, parameter in self.trained.parameters.items():
            tensors[f"weight/{name}"] = parameter
            tensors[f"best/{name}"] = self.best[name]
            for part, tensor in self.optimiser.state.get(parameter, {}).items():
                tensors[f"optimiser/{part}/{name}"] = torch.as_tensor(tensor)
        checkpoint.save(self.path, self.mark, self.progress, tensors)

    def _resumed(self) -> bool:
        found = checkpoint.load(self.path, self.mark)
        if found is None:
            return False
        self.progress, tensors = found
        with torch.no_grad():
            for name, parameter in self.trained.parameters.items():
                parameter.copy_(tensors[f"weight/{name}"])
                self.best[name] = tensors[f"best/{name}"]
                state: dict[str, Tensor] = {}
                for part in ("step", "exp_avg", "exp_avg_sq"):
                    kept = tensors.get(f"optimiser/{part}/{name}")
                    if kept is not None:
                        state[part] = kept if part == "step" else kept.to(parameter.device)
                if state:
                    self.optimiser.state[parameter] = state
        lead = "beside/"
        self.trained.restore({n[len(lead) :]: t for n, t in tensors.items() if n.startswith(lead)})
        return True


def pace(done: float, warm_up: float) -> float:
    """Return the share of the rate when `done` (0 to 1) is behind: a ramp, then half a cosine."""
    if done < warm_up:
        return 0.02 + 0.98 * done / warm_up
    return 0.01 + 0.99 * 0.5 * (
        1.0 + math.cos(math.pi * min(1.0, (done - warm_up) / (1 - warm_up)))
    )


def _no_room(error: Exception) -> bool:
    said = str(error).lower()
    return (
        isinstance(error, (MemoryError, torch.OutOfMemoryError))
        or "out of memory" in said
        or "can't allocate memory" in said
    )
