"""How a service is, what it has learned, and what it tries."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from penchant.serve.http.schemas.shape import Closed, Open


class Training(Open):
    """How far a training is, and what the last one came to; times are seconds."""

    state: str = Field(description="idle, requested, training or failed")


class Snapshot(Closed):
    """One trained state that can serve; `ndcg` is NDCG@10 on the newest requests before it."""

    id: str
    created: float
    current: bool
    ndcg: float | None
    events: int | None


class Snapshots(Closed):
    """What can be activated, oldest first."""

    snapshots: list[Snapshot]


class Experiment(Closed):
    """What an experiment showed by `now`; with `trusted` false nothing of it is to be believed.

    `comparisons` hold, for each metric of each variant, the difference to the control with an
    interval that holds at every look, and one for a single look at the end.
    """

    name: str
    state: str
    now: float
    start: float | None
    end: float | None
    people: dict[str, int]
    shares: dict[str, float]
    ratio_p: float | None
    trusted: bool
    crossed: int
    comparisons: list[dict[str, Any]]
    stops: dict[str, dict[str, Any]]
    why: str


class Experiments(Closed):
    """Every experiment of the settings, as it was counted last."""

    experiments: list[Experiment]


class StopRequest(Closed):
    """Why a variant is stopped."""

    why: str | None = None


class Status(Closed):
    """What this worker knows: `lag` is how many events the log holds beyond what it has read."""

    snapshot: str
    items: int
    offset: int
    lag: int
    waiting: int
    failed: int
    warnings: list[str]
    version: str


class Live(Closed):
    """The worker runs."""

    status: Literal["live"]


class Ready(Closed):
    """The worker can be sent requests."""

    status: Literal["ready"]
    snapshot: str
    items: int
