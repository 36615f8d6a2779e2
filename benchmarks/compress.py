"""Prints what can be saved after tuning, and what it costs: two tables in Markdown.

    python benchmarks/compress.py                     # the default model
    python benchmarks/compress.py --model FOLDER      # tuned weights
    python benchmarks/compress.py --search            # only staged against exact search, by size

The first: model in fp32 and int8, with fewer layers (`learn/encoder/prune.py`, chosen on 200 titles
and not tuned afterwards), shorter vectors (turned first by `Whitening`, or cut off as they come),
and sign bits with rescoring (`staged.py`). Quality is NDCG@10 of the text source alone on
`amazon_beauty`, leave-one-out as in `tuned_text.py`, and how many of the ten nearest items are
those of fp32. Speed is one thread, of real titles.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from accuracy import protocol
from penchant.language.encoder.exported import ensure_onnx
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.encoder.weights import DEFAULT, resolve
from penchant.language.template import Template
from penchant.language.whitening import Whitening
from penchant.learn.encoder.prune import choose, fewer_layers
from penchant.measure.intervals import paired
from penchant.measure.ranking import Lists, hits, ndcg
from penchant.recall.text import Text
from penchant.store.vectors import Vectors
from penchant.types import Floats
from staged import Staged
from tuned_text import K, World, measured, opened

NEAREST = 10
WIDTH = 128
SURVIVORS = (100, 200, 400)
ASKED = 100
SIZES = (12_000, 200_000, 1_000_000)


def say(*cells: object) -> None:
    sys.stdout.write("| " + " | ".join(map(str, cells)) + " |\n")
    sys.stdout.flush()


def held(rows: Floats, folder: Path) -> Vectors:
    """Return the rows as a snapshot holds them: int8, mapped."""
    path = folder / f"{time.monotonic_ns()}.npy"
    Vectors(rows).save(path, "int8")
    return Vectors.open(path)


def exact(vectors: Vectors, query: Floats, k: int = NEAREST) -> np.ndarray:
    scores = vectors.dot(query)
    # NaN is put last.
    return np.argpartition(np.negative(scores, out=scores), k)[:k]


def milliseconds(ask: Callable[[Floats], object], queries: Floats) -> float:
    seconds = []
    for query in queries:
        started = time.perf_counter()
        ask(query)
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds)


def per_second(encoders: dict[str, SentenceEncoder], texts: Sequence[str]) -> dict[str, float]:
    """Return the best of three rounds, in turns."""
    best = dict.fromkeys(encoders, 0.0)
    for _ in range(3):
        for name, encoder in encoders.items():
            started = time.perf_counter()
            encoder.encode(texts)
            best[name] = max(best[name], len(texts) / (time.perf_counter() - started))
    return best


def nearest(rows: Floats, sample: np.ndarray) -> list[np.ndarray]:
    scores = np.nan_to_num(rows[sample] @ np.nan_to_num(rows).T, nan=-9.0)
    scores[np.arange(len(sample)), sample] = -9.0
    return list(np.argpartition(-scores, NEAREST, axis=1)[:, :NEAREST])


def overlap(found: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> float:
    same = [len(np.intersect1d(a, b)) for a, b in zip(found, wanted, strict=True)]
    return float(np.mean(same)) / NEAREST


def quality(gains: Floats, whole: list[Floats], world: World) -> str:
    """Return NDCG@10, and the 95% interval of what it is more than that of fp32, over people."""
    if not whole:
        whole.append(gains)
        return f"{gains.mean():.4f}"
    users = np.array([one.user for one in world.asked])
    found = paired(gains, whole[0], users)
    return f"{gains.mean():.4f} [{found.low:+.4f}, {found.high:+.4f}]"


def staged_gains(vectors: Vectors, staged: Staged, world: World) -> Floats:
    source = Text("text", vectors)
    ranked, targets = [], []
    for one in world.asked:
        allowed = np.ones(len(vectors), dtype=np.bool_)
        allowed[one.state.seen] = False
        wanted = source.wanted(one.state)
        best = np.zeros(0, np.int32) if wanted is None else staged.top(wanted, K, allowed)[0]
        ranked.append(np.pad(best, (0, K - len(best)), constant_values=-1))
        targets.append(one.targets)
    lists = Lists.of(targets)
    return ndcg(hits(np.array(ranked, dtype=np.int64), lists), lists.lengths, K)


def models(name: str, texts: Sequence[str], layers: Sequence[int], work: Path) -> dict[str, Path]:
    """Return the exports: the whole model, and those of fewer layers."""
    found = {"whole": ensure_onnx(name)}
    source = resolve(name)
    for k in layers:
        choice = choose(source, k, texts)
        kept = ", ".join(map(str, choice.layers))
        folder = fewer_layers(source, work / f"layers-{k}", choice.layers)
        named = f"{k} layers ({kept}; similarity .{round(1000 * choice.agreement):03d})"
        found[named] = ensure_onnx(folder, work / "cache")
    return found


def table(options: argparse.Namespace, work: Path) -> Floats:
    world = opened(protocol(), "amazon_beauty", options.folder or work / "shelf")
    step = max(1, len(world.asked) // options.requests)
    world = replace(world, asked=world.asked[::step])
    items = pl.read_parquet(protocol().DATA / "amazon_beauty" / "items.parquet")
    place = {item: i for i, item in enumerate(items["item_id"].to_list())}
    written = Template()(items)
    texts = [written[place[item]] for item in world.view.columns.ids]
    rng = np.random.default_rng(options.seed)
    some = [texts[i] for i in rng.choice(len(texts), 200, replace=False)]
    sample = rng.choice(len(texts), 1000, replace=False)
    exports = models(options.model, some, options.layers, work)
    encoders = {"fp32": SentenceEncoder(exports["whole"], precision="fp32")}
    encoders |= {f"int8, {n}": SentenceEncoder(f) for n, f in exports.items()}
    speeds = per_second(encoders, [texts[i] for i in sample[:300]])
    print(f"{len(texts):,} items, {len(world.asked):,} requests, seed {options.seed}\n")
    say(
        "variant", "model", "item", "texts/s", "ms/query", "NDCG@10 [above fp32]", "nearest as fp32"
    )
    say(*["---"] * 7)
    wanted: list[np.ndarray] = []
    gains: list[Floats] = []

    def line(name: str, size: str, speed: str, rows: Floats) -> None:
        vectors = held(rows, work)
        ask = milliseconds(lambda q: exact(vectors, q), np.nan_to_num(rows[sample[:300]]))
        near = overlap(nearest(rows, sample), wanted)
        score = quality(measured(rows, world)[0], gains, world)
        say(name, size, f"{rows.shape[1] + 4} B", speed, f"{ask:.3f}", score, f"{near:.3f}")

    raw = {}
    for name, encoder in encoders.items():
        file = encoder.folder / ("model.onnx" if name == "fp32" else "model.int8.onnx")
        rows = encoder.encode(texts)
        if name in ("fp32", "int8, whole"):
            raw[name] = rows
        turned = Whitening.fit(rows, WIDTH)(rows)
        wanted = wanted or nearest(turned, sample)
        size = f"{file.stat().st_size / 1e6:.1f} MB"
        line(f"{name}, {WIDTH} numbers", size, f"{speeds[name]:.0f}", turned)
    whole = raw["int8, whole"]
    for d in (384, 256, 64, 32):
        line(f"int8, turned and whitened to {d}", "", "", Whitening.fit(whole, d)(whole))
    for d in (128, 64):
        line(f"int8, turned to {d}", "", "", Whitening.fit(whole, d, floor=1.0)(whole))
        cut = whole[:, :d].copy()
        line(f"int8, the first {d}, whitened", "", "", Whitening.fit(cut, d)(cut))
    rows = Whitening.fit(whole, WIDTH)(whole)
    vectors = held(rows, work)
    for first in (0, 32):
        for survivors in SURVIVORS:
            staged = Staged(vectors, first=first, survivors=survivors)
            queries = np.nan_to_num(rows[sample])
            ask = milliseconds(lambda q, s=staged: s.top(q, NEAREST), queries[:300])
            found = [staged.top(q, NEAREST + 1)[0] for q in queries]
            found = [f[f != i][:NEAREST] for f, i in zip(found, sample, strict=True)]
            form = f"first {first}" if first else "sign bits"
            say(
                f"{form}, {survivors} rescored by {WIDTH}",
                "",
                f"{WIDTH + 4} + {first or WIDTH // 8} B",
                "",
                f"{ask:.3f}",
                quality(staged_gains(vectors, staged, world), gains, world),
                f"{overlap(found, wanted):.3f}",
            )
    return rows


def search(rows: Floats, seed: int, work: Path) -> None:
    """Print staged against exact search at several sizes of a catalogue spread from `rows`."""
    rng = np.random.default_rng(seed)
    print()
    say("items", "search", "ms/query", "recall@10 of exact", "bytes in memory an item")
    say(*["---"] * 5)
    known = rows[np.isfinite(rows[:, 0])]
    for n in SIZES:
        # Between two items each, and questions too, so that many are nearly as near as the ten
        # nearest: rows around single items would make it easy.
        share = rng.uniform(0.5, 0.75, (n + ASKED, 1)).astype(np.float32)
        many = share * known[rng.integers(0, len(known), n + ASKED)]
        many += (1 - share) * known[rng.integers(0, len(known), n + ASKED)]
        many += rng.standard_normal(many.shape, dtype=np.float32) * np.float32(0.3 / WIDTH**0.5)
        many /= np.linalg.norm(many, axis=1, keepdims=True)
        queries = many[n:].copy()
        vectors = held(many[:n], work)
        del many
        wanted = [exact(vectors, q) for q in queries]
        alone = milliseconds(vectors.dot, queries)
        say(f"{n:,}", "exact product alone", f"{alone:.2f}", "", WIDTH + 4)
        best = milliseconds(lambda q, v=vectors: exact(v, q), queries)
        say(f"{n:,}", "exact, best ten", f"{best:.2f}", "1", "")
        for first, survivors in ((0, 100), (0, 400), (0, 1600), (32, 400), (64, 400)):
            staged = Staged(vectors, first=first, survivors=survivors)
            ask = milliseconds(lambda q, s=staged: s.top(q, NEAREST), queries)
            near = overlap([staged.top(q, NEAREST)[0] for q in queries], wanted)
            form = f"first {first}" if first else "sign bits"
            more = f"+{staged.nbytes / n:.0f}"
            say(f"{n:,}", f"{form}, {survivors} rescored", f"{ask:.2f}", f"{near:.3f}", more)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--layers", type=int, nargs="*", default=[4, 3, 2])
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--folder", type=Path, default=None, help="keeps the shelf, to go on with")
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        if options.search:
            world = opened(protocol(), "amazon_beauty", options.folder or work / "shelf")
            rows = Whitening.fit(world.raw, WIDTH)(world.raw)
        else:
            rows = table(options, work)
        search(rows, options.seed, work)


if __name__ == "__main__":
    main()
