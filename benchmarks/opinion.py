"""How well the example that watches opinions does: `python benchmarks/opinion.py [--data FOLDER]`.

Topics are the categories of mind_sample, learned from four fifths of its articles; sentiment is
that of financial_phrasebank, learned from half of its sentences. The rest of both makes a stream of
60 days with clock times by day and night; on some days more negative sentences than usual come in
six hours. Measured: the topic's accuracy, and of the alerts how many are true, how many surges are
found, and how late. The stream before the first surge teaches what is usual.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl

import penchant
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.measure.intervals import bootstrap

DAYS, WARM = 60, 14
HOUR, DAY = 3600.0, 86400.0
A_DAY = 40.0  # articles
LENGTH = 6 * HOUR
SIZES = (10, 20, 40)  # negative sentences of a surge


def example() -> ModuleType:
    path = Path(__file__).parents[1] / "examples" / "opinion_monitor.py"
    spec = importlib.util.spec_from_file_location("opinion_monitor", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(values: np.ndarray) -> str:
    found = bootstrap(values, np.arange(len(values)), draws=2000)
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"


def stream(
    pool: int, negative: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Return the times, the texts (numbers of the pool) and the beginnings of surges."""
    hours = np.arange(DAYS * 24)
    rate = A_DAY / 24 * (1 + 0.8 * np.sin(2 * np.pi * (hours - 8) / 24))
    count = rng.poisson(rate)
    times = [hours.repeat(count) * HOUR + rng.random(count.sum()) * HOUR]
    which = [rng.integers(0, pool, count.sum())]
    begins = [(day + 6 * rng.random() / 24) * DAY + 8 * HOUR for day in range(WARM, DAYS - 2, 6)]
    for begin in begins:
        times.append(begin + np.sort(rng.random(size)) * LENGTH)
        which.append(rng.choice(negative, size))
    moments, texts = np.concatenate(times), np.concatenate(which)
    order = np.argsort(moments, kind="stable")
    return moments[order], texts[order], begins


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--streams", type=int, default=5)
    chosen = parser.parse_args()
    encoder = SentenceEncoder.open(threads=2)
    news = pl.read_parquet(chosen.data / "mind_sample" / "items.parquet")
    articles = [f"{t}. {d or ''}" for t, d in zip(news["title"], news["description"], strict=True)]
    category = news["category"].to_numpy()
    rng = np.random.default_rng(0)
    order = rng.permutation(len(articles))
    learn, rest = order[: len(order) * 4 // 5], order[len(order) * 4 // 5 :]
    often = [name for name in np.unique(category[learn]) if (category[learn] == name).sum() >= 5]
    learn = learn[np.isin(category[learn], often)]
    topics = penchant.learn_head(
        [articles[i] for i in learn], category[learn].tolist(), encoder=encoder
    )
    said = topics.predict([articles[i] for i in rest])
    names = np.array(said.names)[said.values.argmax(axis=1)]
    right, known = names == category[rest], said.known
    print(f"topic of {len(rest)} held-out articles, {len(often)} topics: accuracy {shown(right)},")
    print(f"of the {known.mean():.0%} that it calls known {shown(right[known])}")

    money = pl.read_parquet(chosen.data / "financial_phrasebank" / "texts.parquet")
    sentences, tone = money["text"].to_list(), money["label"].to_numpy()
    order = rng.permutation(len(sentences))
    half, others = order[: len(order) // 2], order[len(order) // 2 :]
    sentiment = penchant.learn_head(
        [sentences[i] for i in half], tone[half].tolist(), encoder=encoder
    )
    pool = [articles[i] for i in rest] + [sentences[i] for i in others]
    truth = np.concatenate([np.full(len(rest), "?"), tone[others]])
    of = topics.predict(pool).labels
    feeling = sentiment.predict(pool).labels
    negative = np.flatnonzero(truth == "negative")
    where = {i: of[i] for i in negative}
    found = np.array([feeling[i] == "negative" for i in negative])
    print(f"negative sentences that are called negative: {shown(found)}\n")
    print("| negative sentences in 6 hours | alerts | precision | surges found | delay, hours |")
    print("|---|---|---|---|---|")
    monitor = example()
    for size in SIZES:
        true, hit, delay, alerts = [], [], [], 0
        for seed in range(chosen.streams):
            times, texts, begins = stream(
                len(pool), negative, size, np.random.default_rng([seed, size])
            )
            seen: dict[str, object] = {}
            raised = []
            for now, text in zip(times.tolist(), texts.tolist(), strict=True):
                topic = seen.setdefault(of[text], monitor.Topic())
                if topic.add(now, feeling[text] == "negative") and now >= WARM * DAY:
                    raised.append(now)
            alerts += len(raised)
            # An alert is true from the beginning of a surge until twelve hours after its end.
            late = 12 * HOUR + LENGTH
            true += [any(b <= a < b + late for b in begins) for a in raised]
            for begin in begins:
                first = [a - begin for a in raised if begin <= a < begin + late]
                hit.append(bool(first))
                delay += [min(first) / HOUR] if first else []
        late_by = f"{np.median(delay):.1f}" if delay else "-"
        precision = shown(np.array(true)) if true else "-"
        print(f"| {size} | {alerts} | {precision} | {shown(np.array(hit))} | {late_by} |")
    shares = {name: list(where.values()).count(name) / len(where) for name in set(where.values())}
    top = sorted(shares.items(), key=lambda pair: -pair[1])[:3]
    print(f"\nnegative sentences lie in {', '.join(f'{n} ({s:.0%})' for n, s in top)}")


if __name__ == "__main__":
    main()
