"""`python -m penchant.learn DIRECTORY`: one training in a process of its own.

Progress goes to standard output as JSON lines, the last of which is the report; a failure is a
line with `error`. The process may be killed at any moment: what is not published is not there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

# Read by OpenMP when LightGBM and torch load it: threads that wait must sleep. Spinning ones stall
# each other for minutes wherever the machine is shared, and gain a few percent where it is not.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Large tensors come and go in each step: in huge pages they cost fewer faults, and a third less
# memory at the peak (amazon_beauty: 1.2 GB for 1.7).
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

from penchant.store.lifeline import end_with_caller
from penchant.types import Error, Policy


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0 trained, 3 nothing to learn or bad input, 1 anything else."""
    parser = argparse.ArgumentParser(prog="python -m penchant.learn")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--url", default=None)
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="of each library; 0: all cores")
    options = parser.parse_args(arguments)
    try:
        report = train(options)
    except Error as error:
        say(error=type(error).__name__, message=str(error))
        return 3
    say(report=report)
    return 0


def say(**content: Any) -> None:
    """Write one line of progress."""
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def tell(step: str, value: float) -> None:
    """Write how far a step is."""
    say(step=step, value=value)


def train(options: argparse.Namespace) -> dict[str, Any]:
    """Train and publish; return the report as plain JSON."""
    from penchant.interests.context.config import ContextConfig
    from penchant.language.generator.open import GeneratorConfig, open_generator
    from penchant.learn import tracking
    from penchant.learn.effort import LearnSection, derive
    from penchant.learn.release.encoding import settle
    from penchant.learn.release.publish import open_incumbent, open_view, publish, space
    from penchant.learn.requirements import afforded, need
    from penchant.learn.scorer import trials
    from penchant.learn.training import Training
    from penchant.learn.turn import alone
    from penchant.recall.sizes import RecallConfig
    from penchant.store.open import open_store

    began = time.time()
    with open_store(options.directory, options.url) as store, alone(store.directory):
        section = store.settings.section("learn", LearnSection)
        config = afforded(derive(options.effort, options.seed, options.threads, section))
        need(config, len(store.catalogue))
        view, raw, offset = open_view(store)
        log = tracking.started(store.directory, config.effort, began)
        told = store.settings.section("tracking", tracking.TrackingSection)
        with tracking.Tracker(log, told) as tracker:
            if tracker.problem:
                say(step=tracker.problem, value=1.0)
            target = store.snapshots.begin()
            try:
                encoding = settle(store, view, config, target, space(store), tell, tracker)
                if encoding.own:
                    view, raw, offset = open_view(store, target)
                training = Training(
                    view,
                    raw,
                    config,
                    tell,
                    tracker=tracker,
                    shelf=store.directory,
                    sizes=store.settings.section("recall", RecallConfig),
                    generator=open_generator(store.settings.section("generator", GeneratorConfig)),
                    context=store.settings.section("context", ContextConfig),
                    seen=store.settings.section("recommend", Policy).seen,
                )
                with tempfile.TemporaryDirectory(prefix="penchant-learn-") as workspace:
                    incumbent = open_incumbent(store, view, target)
                    outcome = training.run(target, Path(workspace), incumbent)
                outcome = replace(outcome, encoder=encoding.report)
                report = publish(store, target, outcome, config, view, offset, began)
            finally:
                # What was published is no longer there; what a killed process leaves, the next
                # training that publishes removes (`Snapshots.prune`).
                shutil.rmtree(target, ignore_errors=True)
        tracking.prune(store.directory, config.keep)
        trials.remove(store.directory)
    return report


if __name__ == "__main__":
    end_with_caller()
    sys.exit(main())
