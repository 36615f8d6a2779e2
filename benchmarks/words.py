"""Prints how often what is asked for in words is found, in English and in Chinese.

    python benchmarks/words.py                    # the demo shelf, untrained and trained
    python benchmarks/words.py --folder /tmp/s    # keeps the shelf, and uses it again
    python benchmarks/words.py --missed           # names what was not found first
    python benchmarks/words.py --model FOLDER     # with another encoder

701 real films with original descriptions in both languages, simulated viewers. Each question is
asked by eight viewers with a history and by somebody new. Ways to order the same candidates: by the
words alone (`lexical`), by meaning alone (`dense`), as it is served (`both`), and as it is served
but for the two being fused by rank (Cormack et al. 2009, k = 60), `ranks` where they weigh 20 times
a standard deviation of taste at most, `ranks_alone` where they leave nothing to taste. MRR@10 with
95% intervals over questions, and `both` less the others on the same questions.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

import penchant
from penchant.evaluate.simulate import Simulation, simulate
from penchant.interests.history import stateless
from penchant.language.encoder.cache import CachedEncoder
from penchant.measure.intervals import bootstrap, paired
from penchant.rank.answer.served import Served
from penchant.recall.lexical import NAMED
from penchant.types import Candidates, Floats, Query
from questions import Asked, questions

VIEWERS = 8
RANKED = 60.0
FUSED = {"ranks": 20.0, "ranks_alone": 320.0}
WAYS = ("lexical", "dense", "both", *FUSED)


def ways(pool: Candidates) -> dict[str, Floats]:
    """Return the scores of the candidates by each way, -inf for what it does not find."""
    column = {name: pool.features[:, place] for place, name in enumerate(pool.names)}
    nothing = np.full(len(pool), np.nan, dtype=np.float32)
    found = column.get("lexical", nothing)
    by_meaning = "term:words" in column  # the encoder has read the question
    near = column["text"] if by_meaning else nothing
    own = pool.scores - column.get("term:words", 0.0) - column.get("term:found", 0.0)
    named = np.nan_to_num(found) >= NAMED
    ranks = (RANKED + 1) * (_shares(found - NAMED * named) + _shares(near))
    fused = {way: own + weight * ranks for way, weight in FUSED.items()}
    for scores in fused.values() if named.any() and not named.all() else ():
        scores[named] += max(0.0, float(scores[~named].max() - scores[named].min()) + 1.0)
    return {
        "lexical": np.where(found > 0, found, -np.inf),
        "dense": np.where(np.isfinite(near), near, -np.inf),
        "both": pool.scores,
        **fused,
    }


def _shares(scores: Floats) -> Floats:
    """Return 1 / (k + rank) of each score, 0 where there is none."""
    known = np.isfinite(scores)
    ranks = np.searchsorted(np.sort(-scores[known]), -scores[known]) + 1
    out: Floats = np.zeros_like(scores)
    out[known] = 1.0 / (RANKED + ranks)
    return out


def place(scores: Floats, wanted: np.ndarray) -> float:
    """Return the place of the best wanted candidate, ties in the middle; inf for none."""
    best = scores[wanted].max(initial=-np.inf)
    if best == -np.inf:
        return np.inf
    return 1 + float((scores > best).sum()) + float(((scores == best) & ~wanted).sum()) / 2


def asked(
    engine: penchant.Engine, people: Sequence[str], sort: Asked, now: float
) -> tuple[dict[str, np.ndarray], list[float]]:
    """Return by way the place of what was wanted, float[questions, people], and ms of answers."""
    places: dict[str, np.ndarray] = {w: np.full((len(sort), len(people)), np.inf) for w in WAYS}
    took = []
    for row, (text, wanted) in enumerate(sort.items()):
        for column, person in enumerate(people):
            began = time.perf_counter()
            slate = engine.recommend(person, 10, text=text, seen="keep", now=now, log=False)
            took.append(1000 * (time.perf_counter() - began))
            pool = slate.trace.pool
            assert pool is not None
            ids = engine._replica.follow().columns.ids
            answers = np.array([ids[item] in wanted for item in pool.items.tolist()])
            for way, scores in ways(pool).items():
                places[way][row, column] = place(scores, answers)
    return places, took


def figures(places: dict[str, np.ndarray]) -> Iterator[tuple[str, object]]:
    """Yield what is told of some questions by some people: rows are questions."""
    n, people = places["both"].shape
    question = np.repeat(np.arange(n), people)
    mrr = {
        w: np.where(p.ravel() <= 10, 1 / np.maximum(p.ravel(), 1), 0.0) for w, p in places.items()
    }
    rounded = {w: bootstrap(values, question) for w, values in mrr.items()}
    yield "mrr", {w: [round(x, 3) for x in (i.mean, i.low, i.high)] for w, i in rounded.items()}
    less = {w: paired(mrr["both"], mrr[w], question) for w in WAYS if w != "both"}
    yield "both_less", {w: [round(x, 3) for x in (d.mean, d.low, d.high)] for w, d in less.items()}
    for k in (1, 10):
        hit = {w: round(float((p <= k).mean()), 3) for w, p in places.items()}
        yield f"hit@{k}", hit


def latency(engine: penchant.Engine, texts: Sequence[str], now: float) -> dict[str, float]:
    """Return the median ms of each side: asking the index; encoding the words and comparing."""
    served = engine._replica.follow()
    lexical = served.pipeline.recall.sources[-1]
    took: dict[str, list[float]] = {"lexical_ms": [], "dense_ms": []}
    for text in texts:
        query = Query(now=now, n_items=served.columns.n, text=text)
        state = stateless(np.zeros(0, dtype=np.int32), now)
        began = time.perf_counter()
        lexical.score(query, state)
        took["lexical_ms"].append(1000 * (time.perf_counter() - began))
        began = time.perf_counter()
        words = _encoded(served, text)
        if words is not None:
            served.vectors.dot(words)
        took["dense_ms"].append(1000 * (time.perf_counter() - began))
    return {name: round(float(np.median(values)), 2) for name, values in took.items()}


def _encoded(served: Served, text: str) -> Floats | None:
    """Return the vector of a question, made anew: the cache would answer for the encoder."""
    encoder = served.encoder
    if isinstance(encoder, CachedEncoder):
        served = replace(served, encoder=encoder.encoder)
    return served.words(text)


def stored(folder: Path, world: Simulation, model: str = "") -> None:
    """Write an untrained shelf."""
    folder.mkdir(parents=True)
    if model:
        (folder / "penchant.toml").write_text(f"[encoder]\nmodel = {json.dumps(model)}\n")
    with penchant.open(folder, effort="fast") as engine:
        engine.add(world.items, users=world.users)
        engine.record(world.events.filter(pl.col("slate_id").is_null()), now=world.end)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--model", default="", help="a folder with another sentence encoder")
    parser.add_argument("--missed", action="store_true", help="name what was not found first")
    options = parser.parse_args()
    world = simulate(0, n_users=400, n_events=60_000)
    with tempfile.TemporaryDirectory() as scratch:
        root = options.folder or Path(scratch)
        if not (root / "trained").exists():
            stored(root / "untrained", world, options.model)
            shutil.copytree(root / "untrained", root / "trained")
            with penchant.open(root / "trained", effort="fast") as engine:
                engine.train()
        people = [*world.users["user_id"].sort()[:VIEWERS], "somebody new"]
        for state in ("untrained", "trained"):
            with penchant.open(root / state) as engine:
                engine.recommend(people[0], 10, text="a first question", now=world.end, log=False)
                for language in ("en", "zh"):
                    told(engine, people, language, state, world.end, missed=options.missed)


def told(
    engine: penchant.Engine,
    people: Sequence[str],
    language: str,
    state: str,
    now: float,
    *,
    missed: bool,
) -> None:
    """Print a line for each sort of question and sort of person."""
    for sort, texts in questions(language, np.random.default_rng(0)).items():
        places, took = asked(engine, people, texts, now)
        begin: dict[str, object] = {"shelf": state, "language": language, "asked": sort}
        for who, columns in (("with a history", slice(0, -1)), ("somebody new", slice(-1, None))):
            those = {way: found[:, columns] for way, found in places.items()}
            line = {**begin, "who": who, "questions": len(texts), **dict(figures(those))}
            print(json.dumps(line, ensure_ascii=False))
        ms = {"median_ms": round(float(np.median(took)), 1), **latency(engine, list(texts), now)}
        print(json.dumps({**begin, **ms}, ensure_ascii=False))
        if missed:
            late = (places["both"] > 1).any(axis=1)
            names = [text for text, is_late in zip(texts, late, strict=True) if is_late]
            print(json.dumps({**begin, "not_first_for_all": names}, ensure_ascii=False))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
