"""Prints what peers make of `frappe`, on the rows of benchmarks/circumstances.py.

    pip install -r benchmarks/peers/requirements-circumstances.txt
    python benchmarks/peers/circumstances.py --seeds 3 --limit 6000

How often a person used an app; LightFM (WARP) with the person and each value of the context as
features; a factorisation machine (Rendle, 2010) of the same fields with softmax over all apps;
LightGBM (lambdarank) of the same fields as categories, with the counts of person and app that it
cannot read from them. LightFM, the machine and LightGBM are tuned on a tenth of the training rows
of the first seed, `--trials` draws each. NDCG@10 over all apps, and AUC with two random apps a row.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bar import protocol
from rows import TOLD, auc, split

Scorer = Callable[[np.ndarray], np.ndarray]


class Rows:
    """Rows as numbers: users, items, and the codes of each field, over all rows of the data."""

    def __init__(self, events: pl.DataFrame) -> None:
        self.user_of = {one: at for at, one in enumerate(events["user_id"].unique().sort())}
        self.item_of = {one: at for at, one in enumerate(events["item_id"].unique().sort())}
        self.values, n = [], 0
        for name in TOLD:
            codes = {one: n + at for at, one in enumerate(events[name].unique().sort())}
            self.values.append(codes)
            n += len(codes)
        self.n_users, self.n_items, self.n_codes = len(self.user_of), len(self.item_of), n

    def read(self, frame: pl.DataFrame) -> np.ndarray:
        """Return int64[n, 2 + fields]: user, item, and a code for each field."""
        columns = [
            [self.user_of[one] for one in frame["user_id"]],
            [self.item_of[one] for one in frame["item_id"]],
            *(
                [codes[one] for one in frame[name]]
                for name, codes in zip(TOLD, self.values, strict=True)
            ),
        ]
        return np.array(columns, dtype=np.int64).T


def counted(rows: Rows, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return float32[users, items] and float32[items]: how often each was used."""
    own = np.zeros((rows.n_users, rows.n_items), dtype=np.float32)
    np.add.at(own, (train[:, 0], train[:, 1]), 1.0)
    return own, own.sum(axis=0)


def frequency(rows: Rows, train: np.ndarray, chosen: dict[str, Any], seed: int) -> Scorer:
    own, all_of_them = counted(rows, train)
    return lambda asked: own[asked[:, 0]] + 1e-6 * all_of_them


def lightfm(rows: Rows, train: np.ndarray, chosen: dict[str, Any], seed: int) -> Scorer:
    from lightfm import LightFM
    from scipy import sparse

    def features(some: np.ndarray) -> Any:
        fields = some.shape[1] - 2
        row = np.repeat(np.arange(len(some)), fields + 1)
        columns = np.concatenate((some[:, :1], rows.n_users + some[:, 2:]), axis=1).ravel()
        shape = (len(some), rows.n_users + rows.n_codes)
        return sparse.csr_matrix((np.ones(len(row), dtype=np.float32), (row, columns)), shape)

    # Each row of the training is a user of its own, made of the person and the circumstances.
    n = len(train)
    wanted = sparse.coo_matrix((np.ones(n), (np.arange(n), train[:, 1])), (n, rows.n_items))
    model = LightFM(
        no_components=chosen["d"],
        loss="warp",
        learning_rate=chosen["rate"],
        item_alpha=chosen["alpha"],
        user_alpha=chosen["alpha"],
        random_state=seed,
    )
    model.fit(wanted, user_features=features(train), epochs=chosen["epochs"], num_threads=2)
    item_bias, item_rows = model.get_item_representations()

    def score(asked: np.ndarray) -> np.ndarray:
        _, read = model.get_user_representations(features(asked))
        return read @ item_rows.T + item_bias

    return score


def machine(rows: Rows, train: np.ndarray, chosen: dict[str, Any], seed: int) -> Scorer:
    import torch
    from torch.nn import functional as F

    torch.manual_seed(seed)
    torch.set_num_threads(2)
    d, n = chosen["d"], rows.n_users + rows.n_codes
    told = torch.nn.Embedding(n, d)
    item = torch.nn.Embedding(rows.n_items, d)
    torch.nn.init.normal_(told.weight, std=0.05)
    torch.nn.init.normal_(item.weight, std=0.05)
    bias = torch.nn.Parameter(torch.zeros(rows.n_items))
    drop = torch.nn.Dropout(chosen["dropout"])
    parameters = [*told.parameters(), *item.parameters(), bias]
    optimiser = torch.optim.AdamW(parameters, lr=chosen["rate"], weight_decay=chosen["alpha"])

    def read(some: np.ndarray) -> Any:
        codes = np.concatenate((some[:, :1], rows.n_users + some[:, 2:]), axis=1)
        return told(torch.from_numpy(codes)).sum(1)

    rng = np.random.default_rng(seed)
    for _ in range(chosen["epochs"]):
        order = rng.permutation(len(train))
        for begin in range(0, len(order), 1024):
            some = train[order[begin : begin + 1024]]
            # Terms without the item are the same for all apps, and say nothing of their order.
            logits = drop(read(some)) @ item.weight.T + bias
            loss = F.cross_entropy(logits, torch.from_numpy(some[:, 1]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    def score(asked: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return (read(asked) @ item.weight.T + bias).numpy()

    return score


def boosted(rows: Rows, train: np.ndarray, chosen: dict[str, Any], seed: int) -> Scorer:
    import lightgbm

    own, all_of_them = counted(rows, train)
    rng = np.random.default_rng(seed)

    def table(some: np.ndarray, items: np.ndarray, minus: np.ndarray) -> np.ndarray:
        out = np.empty((len(some), 4 + len(TOLD)), dtype=np.float32)
        out[:, 0], out[:, 1], out[:, 2 : 2 + len(TOLD)] = some[:, 0], items, some[:, 2:]
        out[:, -2] = own[some[:, 0], items] - minus
        out[:, -1] = all_of_them[items] - minus
        return out[:, first:]

    # Of ids it learns by heart; what is chosen may do without the person's, or both.
    first = {"both": 0, "app": 1, "none": 2}[chosen["ids"]]
    kept = train[rng.permutation(len(train))[: chosen["rows"]]]
    per = chosen["negatives"]
    # Half of the others are apps that the person used, which are hard to tell apart.
    wrong = rng.integers(0, rows.n_items, (len(kept), per))
    for at, user in enumerate(kept[:, 0]):
        mine = np.flatnonzero(own[user])
        wrong[at, : per // 2] = rng.choice(mine, per // 2)
    items = np.concatenate((kept[:, 1:2], wrong), axis=1)
    minus = (items == kept[:, 1:2]).astype(np.float32)
    some = np.repeat(kept, per + 1, axis=0)
    labels = (items == kept[:, 1:2]).astype(int).ravel()
    data = lightgbm.Dataset(
        table(some, items.ravel(), minus.ravel()),
        labels,
        group=np.full(len(kept), per + 1),
        categorical_feature=list(range(2 + len(TOLD) - first)),
    )
    booster = lightgbm.train(
        {
            "objective": "lambdarank",
            "num_leaves": chosen["leaves"],
            "learning_rate": chosen["rate"],
            "min_data_in_leaf": chosen["least"],
            "cat_smooth": chosen["smooth"],
            "verbosity": -1,
            "num_threads": 2,
            "seed": seed,
        },
        data,
        chosen["trees"],
    )
    every = np.arange(rows.n_items)

    def score(asked: np.ndarray) -> np.ndarray:
        out = np.empty((len(asked), rows.n_items), dtype=np.float32)
        for at in range(len(asked)):
            one = np.repeat(asked[at : at + 1], rows.n_items, axis=0)
            out[at] = booster.predict(table(one, every, np.float32(0.0)), num_threads=2)
        return out

    return score


def draw(name: str, rng: np.random.Generator) -> dict[str, Any]:
    """Return settings drawn at random, as wide as is usual for each."""
    d = int(rng.choice([16, 32, 64, 128]))
    if name == "lightfm":
        rate, alpha = rng.choice([0.02, 0.05, 0.1]), rng.choice([0.0, 1e-6, 1e-5])
        return {"d": d, "rate": rate, "alpha": alpha, "epochs": int(rng.choice([10, 20, 40]))}
    if name == "machine":
        rate, alpha = rng.choice([1e-3, 3e-3, 1e-2]), rng.choice([0.0, 1e-2, 1e-1])
        epochs, dropout = int(rng.choice([6, 10, 16])), float(rng.choice([0.0, 0.3, 0.5]))
        return {"d": d, "rate": rate, "alpha": alpha, "epochs": epochs, "dropout": dropout}
    return {
        "rows": 20_000,
        "ids": str(rng.choice(["both", "app", "none"])),
        "negatives": int(rng.choice([10, 30])),
        "leaves": int(rng.choice([15, 31, 63])),
        "rate": float(rng.choice([0.05, 0.1])),
        "least": int(rng.choice([20, 100])),
        "smooth": float(rng.choice([10.0, 50.0])),
        "trees": int(rng.choice([100, 200, 300])),
    }


def measured(rows: Rows, score: Scorer, asked: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """Return the NDCG@10 of each row, and the AUC of all with two random apps for each."""
    rng = np.random.default_rng(seed)
    ndcg, right, wrong = [], [], []
    for begin in range(0, len(asked), 256):
        some = asked[begin : begin + 256]
        scores = score(some)
        at = np.arange(len(some))
        own = scores[at, some[:, 1]]
        above = (scores > own[:, None]).sum(axis=1)
        ndcg.append(np.where(above < 10, 1 / np.log2(above + 2), 0.0))
        drawn = rng.integers(0, rows.n_items, (len(some), 2))
        right.append(own)
        wrong.append(scores[at[:, None], drawn][drawn != some[:, 1:2]])
    return np.concatenate(ndcg), auc(np.concatenate(right), np.concatenate(wrong))


def main() -> None:
    """Tune each peer once, then measure all of them on each seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=1_000_000)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--peers", default="frequency,lightfm,machine,boosted")
    options = parser.parse_args()
    bar = protocol("frappe")
    events = pl.read_parquet(bar.DATA / "frappe" / "events.parquet")
    rows = Rows(events)
    peers = {"frequency": frequency, "lightfm": lightfm, "machine": machine, "boosted": boosted}
    for name in options.peers.split(","):
        rng = np.random.default_rng(0)
        train, _ = split(events, 0)
        read = rows.read(train)
        cut = int(0.9 * len(read))
        best: tuple[float, dict[str, Any]] = (-1.0, {})
        for _ in range(0 if name == "frequency" else options.trials):
            chosen = draw(name, rng)
            later = read[cut : cut + 1500]
            gains, _ = measured(rows, peers[name](rows, read[:cut], chosen, 0), later, 0)
            best = max(best, (float(gains.mean()), chosen), key=lambda pair: pair[0])
        for seed in range(options.seeds):
            began = time.time()
            train, asked = split(events, seed)
            score = peers[name](rows, rows.read(train), best[1], seed)
            gains, area = measured(rows, score, rows.read(asked.head(options.limit)), seed)
            line = {"peer": name, "seed": seed, "NDCG@10": round(float(gains.mean()), 4)}
            line |= {"AUC": round(area, 4), "asked": len(gains), "s": round(time.time() - began)}
            print(json.dumps({**line, "chosen": best[1]}, default=float), flush=True)


if __name__ == "__main__":
    main()
