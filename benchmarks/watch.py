"""Prints what the watch over the log finds of faults put into a simulated log, and where it errs.

    python benchmarks/watch.py --seeds 20
    python benchmarks/watch.py --real online_retail
    python benchmarks/watch.py --real online_retail --spread none   # or median: how counts vary
    python benchmarks/watch.py --two-sample                         # how samples are compared

For each fault: the share of logs in which it is found within two days (recall), the delay until
then, and the share of the findings raised meanwhile that are of it (precision). On logs without a
fault, and on stretches of a real one, each finding is a false alarm: how many come a week.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from penchant.evaluate.simulate.traffic import (
    DAY,
    FAULTS,
    KINDS,
    START,
    Fault,
    Traffic,
    traffic,
    until,
)
from penchant.evaluate.watch import rate
from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.course import Course
from penchant.evaluate.watch.finding import Finding
from penchant.evaluate.watch.findings import Findings
from penchant.evaluate.watch.recent import Happened, Slates, slate_key, unshown
from penchant.evaluate.watch.scores import DISTANCE
from penchant.measure.surprise import kolmogorov, spread_of, stability

TICK = 600.0
WEEKS = 6  # of a log before it is watched
WITHIN = 48 * 3600.0
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
OF: dict[str, set[str]] = {
    "kind stops": {"silence", "mix"},
    "rare kind stops": {"silence", "mix"},
    "all stops": {"silence", "rate"},
    "rate doubles": {"rate"},
    "item surges": {"item"},
    "person floods": {"person", "rate", "mix"},
    "scores shift": {"scores"},
    "topics shift": {"topics"},
    "bad snapshot": {"quality"},
    "duplicated client": {"repeats", "rate", "mix"},
    "slow loss": {"drift", "mix"},
}
"""What may be said of each fault; the first that counts as found is any of them."""
NEEDED = {"duplicated client": {"repeats"}, "person floods": {"person"}, "slow loss": {"drift"}}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--visits", type=float, nargs="*", default=[300.0, 900.0, 6000.0])
    parser.add_argument("--faults", nargs="*", default=list(FAULTS))
    parser.add_argument("--strength", type=float, default=1.0)
    parser.add_argument("--surprise", type=float, default=WatchConfig().surprise)
    parser.add_argument("--real", nargs="*", default=[])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--spread", choices=["quantile", "median", "none"], default="quantile")
    parser.add_argument("--two-sample", action="store_true")
    options = parser.parse_args()
    if options.two_sample:
        two_sample()
        return
    if options.spread == "median":  # median and MAD instead of a high quantile
        rate.spread_of = partial(spread_of, share=0.5, z=0.6745)  # type: ignore[attr-defined]
    if options.spread == "none":  # a Poisson law
        rate.Rate.spread = lambda *_: 0.0  # type: ignore[method-assign, assignment]
    config = WatchConfig(surprise=options.surprise, replay=0)
    for name in options.real:
        real(name, config)
    if options.real:
        return
    with ProcessPoolExecutor(options.processes) as pool:
        for visits in options.visits:
            for fault in [None, *options.faults]:
                jobs = [
                    pool.submit(watched, seed, visits, fault, options.strength, config)
                    for seed in range(options.seeds)
                ]
                report(visits, fault, [job.result() for job in jobs])


def two_sample(rounds: int = 2_000) -> None:
    """Print how often a sample of scores is called shifted: by the index, and by the test."""
    rng = np.random.default_rng(0)
    alarm = np.log10(WatchConfig().surprise)
    for n in (60, 150, 300):
        for shift in (0.0, 0.25, 0.5, 0.8):
            called = np.zeros(2)
            for _ in range(rounds):
                old, new = rng.normal(size=2_000), rng.normal(shift, 1.0, n)
                distance, p = kolmogorov(new, old)
                called += stability(new, old) > 0.25, distance >= DISTANCE and p <= alarm
            index, test = (called / rounds).round(4).tolist()
            line = {"slates": n, "shift": shift, "index_above_0.25": index, "kolmogorov": test}
            print(json.dumps(line), flush=True)


def watched(
    seed: int, visits: float, fault: Fault | None, strength: float, config: WatchConfig
) -> tuple[float, list[tuple[float, str, str]]]:
    """Return when the fault began, and time, kind and subject of each finding raised."""
    rng = np.random.default_rng([seed, 5])
    # After six weeks that are only learned from and some days that are looked at.
    since = START + DAY * (7 * WEEKS + 4 + 2 * rng.random())
    days = 7 * WEEKS + {None: 14, "slow loss": 24}.get(fault, 9)
    log = traffic(seed, days=days, visits=visits, fault=fault, since=since, strength=strength)
    end = START + DAY * days if fault in (None, "slow loss") else since + WITHIN
    course = Course(
        config,
        Findings(),
        own=own(log),
        things=lambda numbers: log.topics[np.asarray(numbers, dtype=np.int64)],
    )
    begin = START + DAY * 7 * WEEKS
    raised = [
        (at, one.kind, one.subject) for at, one in walk(course, log, begin, end) if one.over is None
    ]
    return since, raised


def walk(course: Course, log: Traffic, begin: float, end: float) -> Iterator[tuple[float, Finding]]:
    """Yield what becomes known of a log and when: learned from until `begin`, watched to `end`."""
    course.take(*columns(until(log, 0.0, begin), 0), KINDS, begin)
    course.look(begin + course.config.grace)
    done = int(np.searchsorted(log.times, begin))
    for tick in range(int(begin // TICK) + 1, int(end // TICK) + 1):
        now = tick * TICK
        part = until(log, now - TICK, now)
        course.take(*columns(part, done), KINDS, now)
        done += len(part.times)
        for one in course.look(now + course.config.grace):
            yield now, one


def columns(log: Traffic, first: int) -> tuple[Happened, Slates]:
    """Return a stretch of a log as the watch takes it; its first event is number `first`."""
    n, m = len(log.times), len(log.shown_at)
    events = Happened(
        offsets=np.arange(first, first + n),
        users=log.users,
        items=log.items,
        times=log.times,
        kinds=log.kinds,
        wanted=(log.items >= 0) & (log.kinds > 0),
        texts=log.kinds == KINDS.index("search"),
        slates=np.zeros(n, dtype=np.int64),
    )
    if not m:
        return events, unshown()
    ids = (f"{user}-{time:.3f}" for user, time in zip(log.shown_to, log.shown_at, strict=True))
    names, codes = np.unique(log.snapshots, return_inverse=True)
    return events, Slates(
        numbers=np.arange(m),
        keys=np.array([slate_key(one) for one in ids]),
        users=log.shown_to,
        times=log.shown_at,
        snapshots=codes.astype(np.int16),
        names=tuple(f"{name:06d}" for name in names.tolist()),
        starts=np.arange(0, 10 * m + 1, 10),
        items=log.slates.reshape(-1),
        scores=log.scores[:, 0],
    )


def own(log: Traffic):  # type: ignore[no-untyped-def]
    """Return what looks up how busy a person was before a time."""
    order = np.lexsort((log.times, log.users))
    users, times = log.users[order], log.times[order]

    def look(user: int, before: float) -> tuple[int, int]:
        a, b = np.searchsorted(users, (user, user + 1))
        mine = times[a:b]
        mine = mine[(mine < before) & (mine >= before - 60 * DAY)].astype(np.int64)
        return len(np.unique(mine)), len(np.unique(mine // 86_400))

    return look


def report(visits: float, fault: Fault | None, runs: list) -> None:  # type: ignore[type-arg]
    """Print one line."""
    line: dict[str, object] = {"visits_a_day": visits, "fault": fault or "none", "logs": len(runs)}
    if fault is None:
        weeks = 2.0 * len(runs)
        kinds = Counter(kind for _, raised in runs for _, kind, _ in raised)
        line["false_alarms_a_week"] = round(sum(kinds.values()) / weeks, 3)
        line["by_kind"] = dict(kinds)
    else:
        delays, right, all_of = [], 0, 0
        for since, raised in runs:
            after = [row for row in raised if row[0] >= since]
            needed = NEEDED.get(fault, OF[fault])
            hits = [at for at, kind, _ in after if kind in needed]
            delays += [hits[0] - since] if hits else []
            right += sum(kind in OF[fault] for _, kind, _ in after)
            all_of += len(after)
        line["recall"] = round(len(delays) / len(runs), 2)
        line["precision"] = round(right / all_of, 2) if all_of else None
        line["delay_h_median"] = round(float(np.median(delays)) / 3600, 1) if delays else None
        line["delay_h_90%"] = round(float(np.quantile(delays, 0.9)) / 3600, 1) if delays else None
        others = [k for s, r in runs for t, k, _ in r if t >= s and k not in OF[fault]]
        line["others"] = dict(Counter(others))
    print(json.dumps(line), flush=True)


def real(name: str, config: WatchConfig) -> None:
    """Print what is found in a real log that is taken to be sound, after the first six weeks."""
    if not (DATA / name).exists():
        print(json.dumps({"data": name, "skipped": f"{DATA / name} is missing"}))
        return
    frame = pl.read_parquet(DATA / name / "events.parquet").sort("timestamp", maintain_order=True)
    log = Traffic(
        users=frame["user_id"].rank("dense").to_numpy().astype(np.int32) - 1,
        items=frame["item_id"].rank("dense").to_numpy().astype(np.int32) - 1,
        times=frame["timestamp"].to_numpy().astype(np.float64),
        kinds=frame["event"]
        .replace_strict({"purchase": 1, "return": 2})
        .to_numpy()
        .astype(np.int16),
        **{n: np.zeros((0, 10)) for n in ("slates", "scores")},
        **{n: np.zeros(0) for n in ("shown_to", "shown_at", "snapshots")},
        topics=np.zeros((0, 0)),
    )
    begin = np.floor(log.times[0] / DAY) * DAY + 7 * WEEKS * DAY
    end = float(log.times[-1])
    course = Course(config, Findings(), own=own(log))
    began = time.perf_counter()
    found = [(at, one) for at, one in walk(course, log, begin, end) if one.over is None]
    for at, one in found:
        print(f"{np.datetime64(int(at), 's')} {one.kind:8} {one.subject:16} {one.sentence[:120]}")
    weeks = (end - begin) / (7 * DAY)
    print(
        json.dumps(
            {
                "data": name,
                "weeks": round(weeks, 1),
                "findings_a_week": round(len(found) / weeks, 3),
                "by_kind": Counter(one.kind for _, one in found),
                "seconds": round(time.perf_counter() - began, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
