"""Prints RecTools' SASRec through the accuracy protocol: one line of JSON per data set and arm.

    python3.11 -m venv rectools && rectools/bin/pip install -r benchmarks/peers/requirements-rectools.txt
    OMP_NUM_THREADS=2 rectools/bin/python benchmarks/peers/rectools_sasrec.py ml_100k online_retail

Full softmax loss. How many epochs is chosen on the last tenth of the
training time, then the model is fitted anew on all of it. At a request the sequence ends with what
the user did last, so nothing is stale. Who has no known item gets RecTools' popularity of 7 days.
"""  # noqa: E501

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import torch
from rectools.dataset import Dataset
from rectools.models import PopularModel, SASRecModel
from rectools.models.nn.item_net import IdEmbeddingsItemNet

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bar import protocol

EPOCHS_AT_ONCE = 5
PATIENCE = 3


def dataset(rows: list[tuple[Any, str, int]]) -> Dataset:
    """Return (user, item, seconds) rows as a RecTools data set; their order settles ties."""
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "seconds"])
    frame["datetime"] = pd.to_datetime(frame.pop("seconds"), unit="s") + pd.to_timedelta(
        np.arange(len(frame)), unit="us"
    )
    frame["weight"] = 1.0
    return Dataset.construct(frame)


def answer(model: SASRecModel, popular: PopularModel, past: Dataset, requests: list[Any]) -> Any:
    """Return the ten items of each request; a request's history is a user of its own."""
    known = set(past.item_id_map.external_ids)
    rows = [(n, item, when) for n, r in enumerate(requests) for item, when in r.history]
    able = sorted({n for n, item, _ in rows if item in known})
    lists: list[list[str]] = [[] for _ in requests]
    if able:
        frame = model.recommend(able, dataset(rows), k=10, filter_viewed=True)
        for n, part in frame.sort_values("rank").groupby("user_id"):
            lists[n] = part["item_id"].tolist()
    anyone = past.user_id_map.external_ids[:1]
    recent = popular.recommend(anyone, past, k=500, filter_viewed=False)["item_id"].tolist()
    for n, request in enumerate(requests):
        if not lists[n]:
            had = {item for item, _ in request.history}
            lists[n] = [item for item in recent if item not in had][:10]
    return lists


def window(bar: Any, train: pl.DataFrame, most: int = 1000) -> tuple[pl.DataFrame, list[Any]]:
    """Return what lies before the last tenth of the training time, and requests within it."""
    cut = int(train["timestamp"].quantile(0.9))
    before, after = (
        train.filter(pl.col("timestamp") < cut),
        train.filter(pl.col("timestamp") >= cut),
    )
    history: dict[str, list[tuple[str, int]]] = {}
    for user, item, when in before.iter_rows():
        history.setdefault(user, []).append((item, when))
    requests = []
    moments = after.group_by("timestamp", "user_id", maintain_order=True).agg("item_id")
    for when, user, basket in moments.iter_rows():
        mine = history.setdefault(user, [])
        requests.append(bar.Request(user, when, list(mine), basket))
        mine.extend((item, when) for item in basket)
    if len(requests) > most:
        kept = np.random.default_rng(7).choice(len(requests), most, replace=False)
        requests = [requests[n] for n in sorted(kept)]
    return before, requests


def sasrec(options: argparse.Namespace, epochs: int) -> SASRecModel:
    """Return an unfitted model."""
    return SASRecModel(
        n_blocks=2, n_heads=2, n_factors=options.factors, session_max_len=options.length,
        item_net_block_types=(IdEmbeddingsItemNet,), loss="softmax", lr=1e-3, batch_size=128,
        epochs=epochs, deterministic=False, verbose=0,
    )  # fmt: skip


def popularity() -> PopularModel:
    """Return popularity over the last seven days, unfitted."""
    return PopularModel(period=pd.Timedelta(days=7))


def best_epochs(bar: Any, train: pl.DataFrame, options: argparse.Namespace) -> tuple[int, float]:
    """Return how many epochs served the validation window best, and its NDCG@10."""
    before, requests = window(bar, train)
    past = dataset(before.rows())
    popular = popularity().fit(past)
    model = sasrec(options, EPOCHS_AT_ONCE)
    best, figure, done = 0, -1.0, 0
    while done < options.most_epochs and done - best < PATIENCE * EPOCHS_AT_ONCE:
        model.fit_partial(past, min_epochs=EPOCHS_AT_ONCE, max_epochs=EPOCHS_AT_ONCE)
        done += EPOCHS_AT_ONCE
        lists = answer(model, popular, past, requests)
        now = float(np.mean([bar.gains(r, got) for r, got in zip(requests, lists, strict=True)]))
        print(f"{done} epochs: {now:.4f}", file=sys.stderr, flush=True)
        if now > figure:
            best, figure = done, now
    return best, figure


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="*", default=["ml_100k", "online_retail"])
    parser.add_argument("--arms", nargs="+", default=["next", "cart"])
    parser.add_argument("--factors", type=int, default=128)
    parser.add_argument("--length", type=int, default=100, help="items of a history that count")
    parser.add_argument("--most-epochs", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=0, help="fixed; 0 chooses them")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    bar = protocol(*options.data)
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as workspace, contextlib.chdir(workspace):
        for name in options.data:
            tasks = {arm: bar.task(name, arm) for arm in options.arms}
            train = next(iter(tasks.values())).train
            torch.manual_seed(options.seed)
            began = time.perf_counter()
            epochs, figure = options.epochs, None
            if not epochs:
                epochs, figure = best_epochs(bar, train, options)
            chosen = time.perf_counter()
            past = dataset(train.rows())
            model, popular = sasrec(options, epochs).fit(past), popularity().fit(past)
            fitted = time.perf_counter()
            for arm, task in tasks.items():
                result = bar.score(task, answer(model, popular, past, task.requests))
                spent = {
                    "choose_s": round(chosen - began, 1), "fit_s": round(fitted - chosen, 1)
                }  # fmt: skip
                settings = {
                    "factors": options.factors,
                    "length": options.length,
                    "epochs": epochs,
                    "validation": figure,
                }
                bar.show("RecTools SASRec", {"arm": arm, **result, "settings": settings, **spent})


if __name__ == "__main__":
    main()
