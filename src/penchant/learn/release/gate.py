"""The gate: what was learned serves only where it is not worse than the snapshot that serves.

Both are asked the same requests through the pipeline that answers live, and neither has learned
from them: they lie after everything the old one knows, and in the later part of those that the new
one's scorer was chosen on. That part chose the count of trees and what to leave out, which favours
the new one a little; it is held back only where the interval of the difference lies wholly below
zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.interests.history import LAST
from penchant.interests.state import State
from penchant.learn.scorer.walk import Histories, events
from penchant.learn.view import Earlier, View
from penchant.measure.intervals import paired
from penchant.measure.ranking import Figures, Lists, hits, ndcg
from penchant.rank.answer.served import load
from penchant.rank.pipeline import Pipeline, order
from penchant.recall.popularity import Popularity
from penchant.store.artefacts import Artefacts
from penchant.types import Candidates, Floats, Ids, Query, Seen

K = 10
Known = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Incumbent:
    """The snapshot that serves while another is trained.

    `known` bool[n] marks the events of the view that it has learned from, `until` is the time of
    the newest of them, NaN where its manifest does not say; `removed` counts those it has learned
    from that the log holds no more. `earlier` gives what its own encoder made of the texts as of a
    moment, None where it reads with the encoder of the view.
    """

    id: str
    folder: Path
    known: Known
    until: float
    removed: int = 0
    earlier: Earlier | None = None


@dataclass(frozen=True)
class Request:
    """A request that was walked: who asked, what was known of them, and what they then wanted.

    In which context, and whether what they had was to be hidden.
    """

    user: int
    state: State
    targets: Ids
    context: Mapping[str, Any] = field(default_factory=dict)
    seen: Seen = "hide"


@dataclass(frozen=True)
class Verdict:
    """Whether the new model is published, and why; `against` is the id of the one that serves.

    `ndcg` and `ndcg_before` are the NDCG@10 of the new one and of the old one on `requests`
    requests, `interval` the bounds of their difference; None where nothing could be compared.
    """

    published: bool
    against: str
    requests: int
    reason: str
    ndcg: float | None = None
    ndcg_before: float | None = None
    interval: tuple[float, float] | None = None


def fair(incumbent: Incumbent, requests: Sequence[Request]) -> list[Request]:
    """Return the requests that the snapshot cannot have learned from."""
    return [one for one in requests if one.state.now > incumbent.until]


def incomparable(incumbent: Incumbent, requests: int, least: int) -> Verdict:
    """Return the verdict where too little happened since the snapshot was made: published."""
    since = f"{requests} requests since, of {least} needed"
    if np.isnan(incumbent.until):
        since = "its manifest does not say until when it knows"
    return Verdict(True, incumbent.id, requests, f"not comparable: {since}")


def judge(
    incumbent: Incumbent,
    fresh: Artefacts,
    known: Known,
    view: View,
    raw: Floats | None,
    requests: Sequence[Request],
    moment: float = math.inf,
) -> Verdict:
    """Return whether the model in the folder `fresh` may take the place of the incumbent.

    `known` bool[n] marks the events of `view` that `fresh` has learned from; `raw` float32[n, d]
    are the text vectors of the catalogue before whitening, as of `moment`; `requests` are in the
    order of time.
    """
    try:
        read = raw if incumbent.earlier is None else incumbent.earlier(moment)
        old = figures(Artefacts(incumbent.folder), incumbent.known, view, read, requests)
    except Exception as error:  # of another version, or for another encoder: it cannot serve either
        return Verdict(
            True,
            incumbent.id,
            len(requests),
            f"not comparable: it cannot answer ({type(error).__name__}: {error})",
        )
    new = figures(fresh, known, view, raw, requests)
    difference = paired(new, old, np.array([one.user for one in requests]))
    worse = difference.high < 0
    reason = "not worse than the snapshot that serves"
    if worse:
        reason = (
            "worse than the snapshot that serves, which goes on serving. Look at what came into "
            "the log since it was made (`penchant doctor`), remove it and train again; or publish "
            "all the same with `gate = false` in section [learn], or once with "
            "PENCHANT__LEARN__GATE=false in the environment"
        )
    if worse and incumbent.removed:
        reason = (
            f"worse, and published: the snapshot before it has learned from {incumbent.removed} "
            "events that have since been removed from the log"
        )
    return Verdict(
        published=not worse or bool(incumbent.removed),
        against=incumbent.id,
        requests=len(requests),
        reason=reason,
        ndcg=float(new.mean()),
        ndcg_before=float(old.mean()),
        interval=(difference.low, difference.high),
    )


def figures(
    folder: Artefacts, known: Known, view: View, raw: Floats | None, requests: Sequence[Request]
) -> Figures:
    """Return the NDCG@10 of each request, float64[r], answered from `folder` as it was live then.

    Everything that happened before a request and that the models do not know is folded first:
    into popularity, which knows nothing of its own, and into the sources that learn live.
    """
    wanted = view.counted()
    past = view.times < requests[0].state.now
    heard = view.where(wanted & past)
    popularity = Popularity(heard.items, heard.times)
    histories = Histories(heard, LAST)
    served = load(
        folder,
        folder.folder.name,
        columns=view.columns,
        popularity=popularity,
        recent=histories.recent,
        texts=raw is not None,
        layout=view.layout,
    )
    if raw is not None:
        served.learn_items(np.arange(len(raw), dtype=np.int32), raw)
    pipeline = served.pipeline
    unknown = view.where(wanted & past & ~known)
    for source in pipeline.recall.sources:
        source.fold(events(unknown.users, unknown.items, unknown.times))
    coming = view.where(wanted & ~past)
    ranked = np.full((len(requests), K), -1, dtype=np.int64)
    done = 0
    for row, one in enumerate(requests):
        reached = int(np.searchsorted(coming.times, one.state.now, side="left"))
        if reached > done:
            new = slice(done, reached)
            users, items, times = coming.users[new], coming.items[new], coming.times[new]
            for place in range(len(users)):
                cut = slice(place, place + 1)
                strengths = coming.strengths[new][cut]
                told = None if coming.contexts is None else coming.contexts[new][cut]
                histories.append(
                    int(users[place]), items[cut], float(times[place]), strengths, told
                )
            pipeline.recall.fold(events(users, items, times))
            done = reached
        best = _answer(pipeline, one, view).items[:K]
        ranked[row, : len(best)] = best
    targets = Lists.of(one.targets for one in requests)
    return ndcg(hits(ranked, targets), targets.lengths, K)


def _answer(pipeline: Pipeline, one: Request, view: View) -> Candidates:
    """Return the candidates in the order of the scorer, before anything is moved for variety."""
    allowed = view.columns.servable(one.state.now)
    if one.seen == "hide":
        allowed[one.state.seen] = False
    query = Query(
        now=one.state.now,
        n_items=view.n_items,
        user=one.user,
        k=K,
        context=one.context,
        seen=one.seen,
        allowed=allowed,
    )
    pool, _ = pipeline.recall.gather(query, one.state)
    for stage in pipeline.stages:
        pool = stage(query, one.state, pool)
    return order(pool)
