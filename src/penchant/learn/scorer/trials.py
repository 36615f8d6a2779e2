"""The trials of a search, kept in a file beside the log, so that a killed one is gone on with.

The file's name is a hash of all that the trials depend on: other data, another configuration or
seed never meets them. It is SQLite, which a kill leaves whole, written by Optuna.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from penchant.learn.config import LearnConfig
from penchant.learn.view import View

if TYPE_CHECKING:
    import optuna

NAME = "ranker"
FROM = ("window", "requests", "whitened", "seed", "sources", "ranker")  # what rows come from


class Trials:
    """Finished trials, in order, and the next one to make.

    `shelf` is the folder the file lies in, whose one training this is; without one trials are kept
    in memory. Closing leaves the file, `remove` takes it away.
    """

    def __init__(self, shelf: Path | None, key: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._storage: Any = None
        if shelf is None:
            self._study = optuna.create_study(study_name=NAME, direction="maximize")
            return
        path = shelf / f"search-{key}.db"
        _clear(shelf, but=path)
        try:
            self._study = self._open(path)
        except Exception:
            # Not a file of Optuna's, or of a version of it that this one cannot read.
            self.close()
            _clear(shelf)
            self._study = self._open(path)
        for trial in self._study.get_trials(deepcopy=False):
            if trial.state == optuna.trial.TrialState.RUNNING:  # killed with its process
                self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def _open(self, path: Path) -> optuna.Study:
        import optuna

        self._storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
        return optuna.create_study(
            study_name=NAME, storage=self._storage, direction="maximize", load_if_exists=True
        )

    def finished(self) -> list[optuna.trial.FrozenTrial]:
        """Return the trials that have a value, oldest first."""
        from optuna.trial import TrialState

        return self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))

    def seconds(self) -> float:
        """Return what the finished trials took."""
        return sum(float(trial.user_attrs.get("seconds", 0.0)) for trial in self.finished())

    def ask(
        self,
        space: dict[str, optuna.distributions.BaseDistribution],
        seed: int,
        random: int,
        given: dict[str, Any] | None,
    ) -> optuna.trial.Trial:
        """Return the next trial: that of the parameters `given`, else what the sampler proposes."""
        import optuna

        # The sampler's state is not in the file: seeded by how many are finished, it proposes the
        # same after a kill as without one.
        self._study.sampler = optuna.samplers.TPESampler(
            seed=seed * 10_000 + len(self.finished()), n_startup_trials=random
        )
        if given is not None:
            self._study.enqueue_trial(given)
        return self._study.ask(space)

    def tell(
        self,
        trial: optuna.trial.Trial,
        value: float,
        gains: npt.NDArray[np.float64],
        seconds: float,
    ) -> None:
        """Keep what a trial measured, in all and by request; it survives this process from here."""
        trial.set_user_attr("gains", [round(float(gain), 6) for gain in gains])
        trial.set_user_attr("seconds", round(seconds, 3))
        self._study.tell(trial, value)

    def close(self) -> None:
        """Let go of the file."""
        if self._storage is not None:
            self._storage.remove_session()
            self._storage.engine.dispose()
            self._storage = None

    def __enter__(self) -> Trials:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def gains_of(trial: optuna.trial.FrozenTrial) -> npt.NDArray[np.float64]:
    """Return what a finished trial measured, request by request."""
    return np.array(trial.user_attrs["gains"], dtype=np.float64)


def fingerprint(view: View, config: LearnConfig) -> str:
    """Return a hash of all that a search depends on: events, texts, configuration, versions.

    Not of the ranker's rows themselves: a network that was stopped by the clock never scores the
    same twice, and its rows would be new ones after each kill.
    """
    told: dict[str, Any] = {name: asdict(config)[name] for name in FROM}
    told["sources"].pop("threads")
    told["ranker"].pop("threads")
    told["versions"] = [version(name) for name in ("penchant", "lightgbm", "optuna")]
    told["items"], told["text"] = view.n_items, view.vectors is not None
    out = blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=8)
    for column in (view.users, view.items, view.times, view.strengths, view.shared):
        out.update(column.tobytes())
    if view.vectors is not None:
        out.update(view.vectors.tobytes())
    return out.hexdigest()


def remove(shelf: Path) -> None:
    """Take away the files of searches whose training was published."""
    _clear(shelf)


def _clear(shelf: Path, but: Path | None = None) -> None:
    for path in shelf.glob("search-*.db*"):
        if but is None or not path.name.startswith(but.name):
            with suppress(OSError):
                path.unlink()
