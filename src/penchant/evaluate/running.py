"""An evaluation from start to end: the past rebuilt and trained on, then every arm walked."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from penchant.engine import Engine
from penchant.evaluate.assess import contest, facts, freshness
from penchant.evaluate.entrants import EASE_LIMIT, Entrant, baselines
from penchant.evaluate.informed import Informed
from penchant.evaluate.past import VECTORS, Past, read_past, rebuild
from penchant.evaluate.plan import Plan, Protocol, plan
from penchant.evaluate.replay import Walk
from penchant.evaluate.report import Report, Table
from penchant.evaluate.trial import Trial
from penchant.language.encoder.open import EncoderConfig, open_encoder
from penchant.language.template import Template, TextConfig
from penchant.measure.moments import Arm
from penchant.store.settings import FILE, Settings
from penchant.types import Tell

SUBJECT = "penchant"


def run(
    directory: Path,
    workspace: Path,
    *,
    url: str | None = None,
    protocol: Protocol = "global-time",
    k: int = 10,
    most: int = 6000,
    seed: int = 7,
    effort: str = "balanced",
    tell: Tell = lambda step, value: None,
) -> Report:
    """Return how well an engine, trained on the past of `directory`, finds what came after.

    Everything is made in `workspace`. `tell` hears each step and its share done, 0 to 1.
    """
    past = read_past(directory, url)
    arms: tuple[Arm, ...] = ("next",) if protocol == "leave-one-out" else ("next", "cart")
    catalogue = past.items["item_id"].to_list()
    plans = {
        arm: plan(past.positives, catalogue, protocol=protocol, arm=arm, most=most, seed=seed)
        for arm in arms
    }
    first = plans["next"]
    keep = past.before(first)
    trained, later = workspace / "trained", past.events.filter(~keep)
    rebuild(past, keep, trained)
    with Engine(trained, effort=effort) as engine:
        engine.train(progress=lambda step, value: tell(f"training: {step}", value), seed=seed)
    vectors = _vectors(past, trained, first)

    @contextmanager
    def trial(live: bool, trials: list[Trial]) -> Iterator[Trial]:
        copy = workspace / "copy"
        shutil.copytree(trained, copy)
        try:
            with Trial(copy, later, live=live, sources=k if live else 0) as system:
                trials.append(system)
                yield system
        finally:
            shutil.rmtree(copy)

    since = past.met.filter(pl.col("timestamp") >= (first.split.cut or 0.0))

    @contextmanager
    def stale() -> Iterator[Informed]:
        # What a user met since the cut is left out in every arm, heard of or not.
        with trial(False, []) as system:
            yield Informed(system, since)

    tables: list[Table] = []
    answers: dict[str, Walk] = {}
    # One request at a time: several threads for its small products only wait for each other.
    with threadpool_limits(1, "blas"):
        for arm, made in plans.items():
            if not len(made.requests):
                continue
            trials: list[Trial] = []
            walks: dict[str, Walk] = {}

            def start(trials: list[Trial] = trials) -> AbstractContextManager[Trial]:
                return trial(True, trials)

            tables.append(
                contest(
                    made,
                    chain([Entrant(SUBJECT, start)], baselines(made, met=past.met, k=k)),
                    SUBJECT,
                    k=k,
                    vectors=vectors,
                    parts=partial(_beside, made, trials),
                    walks=walks,
                    progress=_shares(tell, arm),
                )
            )
            answers.setdefault("event", walks[SUBJECT])
        if protocol != "leave-one-out":
            tables.append(
                freshness(
                    first,
                    lambda arm: stale(),
                    k=k,
                    vectors=vectors,
                    given={"event": answers["event"]},
                    progress=_shares(tell, "freshness"),
                )
            )
    return Report(
        title=f"How well {directory.resolve().name} would have been served",
        subject=SUBJECT,
        protocol=protocol,
        k=k,
        seed=seed,
        facts={**facts(first), "effort": effort},
        tables=tuple(tables),
        notes=tuple(_notes(past, plans, most)),
    )


def _beside(made: Plan, trials: list[Trial]) -> dict[str, Walk]:
    return trials[0].beside(made)


def _shares(tell: Tell, label: str) -> Callable[[str, int, int], None]:
    last: dict[str, int] = {}

    def report(name: str, done: int, total: int) -> None:
        percent = 100 * done // max(1, total)
        if last.get(name) != percent:
            last[name] = percent
            tell(f"{label}: {name}", percent / 100)

    return report


def _vectors(past: Past, trained: Path, made: Plan) -> npt.NDArray[np.float32] | None:
    """Return the text vectors of the catalogue by item number, NaN rows for items without text."""
    settings = Settings(trained / FILE)
    config = settings.section("encoder", EncoderConfig)
    if config.model == "none" or not past.items.height:
        return None
    encoder = open_encoder(config, trained / VECTORS)
    texts = Template(settings.section("text", TextConfig))(past.items)
    number = {item: n for n, item in enumerate(made.items)}
    out = np.full((len(made.items), encoder.dimension), np.nan, dtype=np.float32)
    out[[number[item] for item in past.items["item_id"]]] = encoder.encode(texts)
    return out


def _notes(past: Past, plans: dict[Arm, Plan], most: int) -> Iterator[str]:
    first = plans["next"]
    if first.protocol == "leave-one-out":
        yield (
            "Leave-one-out is for comparison with papers: what others did later is in training, "
            "so all figures are flattered."
        )
    if first.protocol == "last":
        yield "Only each user's last moment after the cut is asked for; all of it is recorded."
    for made in plans.values():
        if len(made.requests) == most:
            yield f"Arm {made.arm!r} has more requests; {most:,} were drawn by seed."
    cold = float((first.counts[first.wanted.values] == 0).mean()) if len(first.wanted) else 0.0
    if cold:
        yield f"{cold:.1%} of what was wanted had no event before the cut."
    if first.train["item_id"].n_unique() > EASE_LIMIT:
        yield f"EASE was left out: its closed form is for at most {EASE_LIMIT:,} items."
    left = len(past.events) - int(past.wanted.sum())
    if left:
        yield (
            f"{left:,} events are no wishes (searches, returns, low ratings) and asked of nobody. "
            f"The engine is told of them; every system leaves out what a user met that way."
        )
    yield "Settings of the baselines were chosen on the last tenth of the training time."
