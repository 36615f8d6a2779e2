"""One training: view, sources on the past, rows of what came next, scorer, refit, snapshot.

Everything the ranker learns from was scored by sources that had not seen it, and everything that is
served was refitted on all there is.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from penchant.interests.context.config import ContextConfig
from penchant.interests.state import State
from penchant.language.generator.generator import Generator
from penchant.language.whitening import Whitening
from penchant.learn.categories import Derivation, counting, derive
from penchant.learn.config import LearnConfig
from penchant.learn.context import learning as circumstances
from penchant.learn.outcome import Outcome
from penchant.learn.release.gate import Incumbent, Request, Verdict, fair, incomparable, judge
from penchant.learn.response import learning as response
from penchant.learn.scorer import affinity as affinities
from penchant.learn.scorer import ranker
from penchant.learn.scorer.ablation import FREE, ablated, left
from penchant.learn.scorer.choice import LATE, Choice, choose
from penchant.learn.scorer.newcomer import popular_with_newcomers
from penchant.learn.scorer.rows import Rows, build
from penchant.learn.scorer.search import search
from penchant.learn.scorer.trials import Trials, fingerprint
from penchant.learn.scorer.walk import Asked, walk
from penchant.learn.sources.learner import SourcesLearner
from penchant.learn.threads import limited
from penchant.learn.tracking import Tracker, peak_memory
from penchant.learn.view import View
from penchant.learn.window import Window, open_window
from penchant.rank.scorers.affinity import Affinity
from penchant.recall.assemble import RecallPlan
from penchant.recall.sizes import RecallConfig, shrink
from penchant.store.artefacts import Artefacts
from penchant.store.vectors import Vectors
from penchant.types import Error, Floats, Ids, Seen, Tell

GROWTH = 1.2  # more rows than the choice was made on carry proportionally more trees
LEAST_EVENTS = 50  # wanted events below which there is nothing to learn from


class NothingToLearn(Error):
    """The log is too small for a training; the untrained engine goes on answering."""


@dataclass(frozen=True)
class Walked:
    """The requests of the window as rows, in the order of time, and θ fitted on all of them."""

    rows: Rows
    requests: list[Request]
    affinity: Affinity | None


class Training:
    """Carries the view, the configuration and where progress is told, from step to step.

    `tracker` is where curves are logged, `shelf` the directory where a search can be resumed,
    `sizes` how large the tables that serve may be, `generator` who names clusters of items.
    `context` is how circumstances count, and `seen` whether what was had may be wanted again.
    """

    def __init__(
        self,
        view: View,
        raw: Floats | None,
        config: LearnConfig,
        tell: Tell,
        *,
        tracker: Tracker | None = None,
        shelf: Path | None = None,
        sizes: RecallConfig | None = None,
        generator: Generator | None = None,
        context: ContextConfig | None = None,
        seen: Seen = "hide",
    ) -> None:
        self.config = config
        self.tell = tell
        self.tracker = Tracker() if tracker is None else tracker
        self.shelf = shelf
        self.sizes = sizes
        self.generator = generator
        self.context = ContextConfig() if context is None else context
        self.circumstances = circumstances.Learned(None, {}, {})
        self.seen = seen
        self.ranker = config.ranker
        self.whitening = None
        if raw is not None and np.isfinite(raw[:, 0]).sum() > 10:
            self.whitening = Whitening.fit(view.of_text(raw), config.whitened)
            view = replace(view, vectors=self.whitening(view.of_text(raw)))
        self.view = view
        self.raw = self.latest = raw  # what is measured out of time may read earlier texts
        # Where what was had comes again, each time counts.
        self.wanted = view.where(view.counted()) if seen == "keep" else view.wanted()
        self.vectors = Vectors(view.vectors)
        self.derivation: Derivation | None = None
        self.seconds: dict[str, float] = {}
        self._clock = time.monotonic()

    def run(self, target: Path, workspace: Path, incumbent: Incumbent | None = None) -> Outcome:
        """Write a whole snapshot into `target`; `workspace` holds what is not published.

        Nothing is written where the gate finds it worse than the `incumbent`, which serves now.
        """
        with limited(self.config.threads, self.config.sources.networks):
            return self._run(target, workspace, incumbent)

    def _run(self, target: Path, workspace: Path, incumbent: Incumbent | None) -> Outcome:
        view, wanted, config = self.view, self.wanted, self.config
        if len(wanted) < LEAST_EVENTS:
            raise NothingToLearn(
                f"expected at least {LEAST_EVENTS} wanted events of different users and items, "
                f"found {len(wanted)}; record more and train again (until then popularity, "
                "co-visitation and text answer)"
            )
        self.tracker.content("configuration", asdict(config))
        begin = view.wanted().newest(config.window)
        vectors = self._as_of(begin)
        raw = None if self.whitening is None else self.raw
        self.circumstances = circumstances.learn(view, begin, self.context)
        learner = SourcesLearner(
            config.sources,
            view.n_items,
            vectors,
            raw,
            view.layout,
            again=self.seen == "keep",
            schema=self.circumstances.schema,
        )
        past = Artefacts(workspace / "past")
        plan = learner.fit(wanted.before(begin), past, 1.0, self.tell, self._curve("past"))
        self._lap("sources")
        walked = self._walk(self._window(past, plan, begin))
        rows = walked.rows
        self._lap("rows")
        self._derive(walked)
        searched = self._search(rows)
        popular = popular_with_newcomers(self.view)
        choice = choose(rows, self.ranker, config.seed, popular=popular)
        ablation = ablated(rows, choice, self.ranker, config)
        self._lap("choice")
        self._track(choice, ablation)
        folder = Artefacts(target)
        dropped = [name for name in (*learner.names(), *FREE) if ablation.get(name, 1.0) < 0]
        learner.drop(dropped)
        verdict, found, answers = None, None, response.Learned()
        if incumbent is not None and config.gate:
            verdict = self._judge(incumbent, learner, past, begin, walked, choice, dropped)
            self._lap("gate")
        if verdict is None or verdict.published:
            self._write_scorer(folder, rows, choice, walked.affinity, dropped)
            self._lap("ranker")
            learner.read(view.vectors, self.latest)
            learner.fit(wanted, folder, config.refit, self.tell, self._curve("refit"))
            self._write_text(folder)
            circumstances.write(self.circumstances.schema, view, folder)
            self._shrink(folder)
            self._lap("refit")
            window = self._window(past, plan, begin)
            hidden = set(rows.names) - set(left(rows.names, dropped))
            answers = response.learn(view, window, rows, hidden, config, self.seen)
            answers.save(folder)
            self._lap("response")
            before = None if incumbent is None else incumbent.folder
            # scipy is asked for before any training: importing this file must not need it.
            from penchant.learn.interests import learning as interests

            found = interests.learn(
                view,
                folder,
                begin=begin,
                before=before,
                seed=config.seed,
                generator=self.generator,
            )
            self._lap("interests")
        return Outcome(
            events=len(view),
            items=view.n_items,
            users=len(np.unique(view.users)),
            requests=len(rows),
            choice=choice,
            ablation=ablation,
            left_out=tuple(dropped),
            seconds=self.seconds,
            search=searched,
            gate=verdict,
            categories=None if self.derivation is None else self.derivation.summary(),
            interests=found,
            context=self.circumstances.summary(),
            response=answers.measured,
        )

    def _derive(self, walked: Walked) -> None:
        """Derive the categories of items that have none, where enough is known of the others."""
        if self.latest is None:
            return
        found = derive(self.view, self.view.of_text(self.latest), self.config.seed)
        if found is not None:
            states = [request.state for request in walked.requests]
            config, seed = self.config.ranker, self.config.seed
            found = counting(found, self.view, walked.rows, states, config, seed)
            self._lap("categories")
        self.derivation = found

    def _as_of(self, moment: float) -> Floats | None:
        """Return the text vectors for all that is learned and measured out of time.

        Where texts hold reviews, those that were written later are not in them.
        """
        view = self.view
        if view.earlier is None or self.whitening is None:
            return view.vectors
        self.raw = view.earlier(moment)
        vectors = self.whitening(view.of_text(self.raw))
        self.vectors = Vectors(vectors)
        return vectors

    def _window(self, folder: Artefacts, plan: RecallPlan, begin: float) -> Window:
        """Return what was known before `begin`, of the sources in `folder`."""
        return open_window(
            self.view,
            begin,
            folder,
            plan,
            self.vectors,
            place=self.whitening,
            schema=self.circumstances.schema,
            threads=min(2, self.config.threads or 2),
        )

    def _walk(self, window: Window) -> Walked:
        """Return the requests of the window."""
        recall, histories = window.recall, window.histories
        requests: list[Request] = []

        def asked() -> Iterator[Asked]:
            for one in walk(
                self.view,
                window.begin,
                float("inf"),
                recall,
                histories,
                most=self.config.requests,
                seed=self.config.seed,
                seen=self.seen,
            ):
                requests.append(
                    Request(one.query.user, one.state, one.targets, one.query.context, self.seen)
                )
                yield one

        rows = build(
            asked(),
            recall,
            window.stages,
            spare=["affinity"],
            thinned=self.config.thinned,
            late=LATE,
            seed=self.config.seed,
            progress=self.tell,
            expected=self.config.requests,
        )
        column, affinity = affinities.out_of_fold(
            rows, _wanted(requests), self.vectors, self.view.n_items, self.config.seed
        )
        rows.features[:, -1] = column
        return Walked(rows, requests, affinity)

    def _judge(
        self,
        incumbent: Incumbent,
        learner: SourcesLearner,
        folder: Artefacts,
        begin: float,
        walked: Walked,
        choice: Choice,
        dropped: Sequence[str],
    ) -> Verdict:
        """Return whether what is learned may serve in the place of the incumbent.

        Judged is what was learned from the past alone, in `folder`. Where the incumbent knows more
        than that, the difference would be one of age: a copy learns up to the same moment first.
        """
        view, wanted, config = self.view, self.wanted, self.config
        early, _ = walked.rows.split(LATE)
        asked = fair(incumbent, walked.requests[len(early) :])
        if len(asked) < config.least_compared:
            return incomparable(incumbent, len(asked), config.least_compared)
        self.tell(f"comparing with snapshot {incumbent.id}", 0.0)
        known = view.times < begin
        if incumbent.until >= begin:
            known = view.times <= incumbent.until
            level = wanted.where(wanted.times <= incumbent.until)
            folder = Artefacts(folder.folder.with_name("level"))
            copy.deepcopy(learner).fit(level, folder, config.refit)
        replace(RecallPlan.load(folder), **learner.kept()).save(folder)
        before = _wanted(walked.requests[: len(early)])
        affinity = affinities.fit(before, self.vectors, view.n_items, seed=config.seed)
        self._write_scorer(folder, early, choice, affinity, dropped, growth=1.0)
        self._write_text(folder)
        circumstances.write(self.circumstances.schema, view.where(known), folder)
        self._shrink(folder)
        return judge(incumbent, folder, known, view, self.raw, asked, begin)

    def _search(self, rows: Rows) -> dict[str, Any] | None:
        """Return what a search of the ranker's parameters found, None where none is configured."""
        config = self.config
        if config.search_seconds <= 0:
            return None
        with Trials(self.shelf, fingerprint(self.view, config)) as trials:
            self.ranker, found = search(
                rows,
                config.ranker,
                trials,
                seed=config.seed,
                seconds=config.search_seconds,
                tell=self.tell,
            )
            for number, trial in enumerate(trials.finished()):
                self.tracker.scalar("search/NDCG@10 of each trial", trial.value or 0.0, number)
        self.tell(str(found), 1.0)
        self.tracker.text("search", str(found))
        self._lap("search")
        return asdict(found) | {"summary": str(found)}

    def _write_scorer(
        self,
        folder: Artefacts,
        rows: Rows,
        choice: Choice,
        affinity: Affinity | None,
        dropped: Sequence[str],
        growth: float = GROWTH,
    ) -> None:
        plan: dict[str, Any] = {
            "scorer": choice.scorer,
            "weights": choice.weights,
            "newcomer": choice.newcomer,
            "newcomer_alone": choice.newcomer_alone,
        }
        if affinity is not None:
            folder.write_array("affinity.theta", affinity.theta)
            plan["affinity"] = {"constant": affinity.constant, "days_half": affinity.days_half}
        if choice.scorer == "ranker":
            names = left(rows.names, dropped)
            trees = round(choice.trees * growth)
            booster = ranker.fit(rows, self.ranker, seed=self.config.seed, trees=trees, names=names)
            ranker.export(booster, folder.path("ranker.onnx"))
            plan |= {"models": ["ranker.onnx"], "features": names}
        folder.write_json("rank", plan)

    def _write_text(self, folder: Artefacts) -> None:
        if self.whitening is not None and self.view.vectors is not None:
            folder.write_array("text.mean", self.whitening.mean)
            folder.write_array("text.matrix", self.whitening.matrix)
            folder.write_array("text.vectors", self.view.vectors)
        if self.derivation is not None:
            self.derivation.save(folder)

    def _shrink(self, folder: Artefacts) -> None:
        if self.sizes is not None:
            shrink(folder, self.sizes)

    def _curve(self, when: str) -> Callable[[str, float, int], None]:
        return lambda name, loss, epoch: self.tracker.scalar(f"{name}/{when} loss", loss, epoch)

    def _track(self, choice: Choice, ablation: dict[str, float]) -> None:
        for trees, ndcg in choice.grown:
            self.tracker.scalar("ranker/NDCG@10 by trees", ndcg, trees)
        for name, ndcg in choice.measured.items():
            self.tracker.scalar(f"NDCG@10/{name}", ndcg)
        for name, gain in ablation.items():
            self.tracker.scalar(f"adds to NDCG@10/{name}", gain)

    def _lap(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = round(now - self._clock, 1)
        self._clock = now
        self.tracker.scalar(f"seconds/{name}", self.seconds[name])
        self.tracker.scalar(f"peak memory, MB/{name}", peak_memory())


def _wanted(requests: Sequence[Request]) -> list[tuple[State, Ids]]:
    return [(one.state, one.targets) for one in requests]
