"""What heads are worth on real texts: `python benchmarks/heads.py PART [--data FOLDER]`.

frozen     banking77: accuracy and calibration of a head on the encoder as it is, int8 and fp32
tuned      banking77: the same on an encoder that was tuned on the labels, three seeds
sentiment  financial_phrasebank: five folds, frozen and tuned on the same ones
few        banking77: 5, 10 and 20 labels an intent, with and without unlabelled texts
active     banking77: as many labels, of texts chosen in four ways
unknown    banking77: intents that were left out of the training, told apart by four scores

Each prints a markdown table. `tuned` and `sentiment` take minutes for each seed or fold, keep what
they have in `--work`, and go on from there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.encoder.weights import DEFAULT
from penchant.language.heads.classes import ClassHead
from penchant.language.heads.familiarity import nearest
from penchant.language.heads.linear import softmax
from penchant.learn.heads.active import choose
from penchant.learn.heads.classes import learn_classes
from penchant.learn.heads.config import HeadConfig, TunedConfig
from penchant.learn.heads.folds import dealt
from penchant.measure.calibration import calibration_error, separation
from penchant.measure.intervals import bootstrap, paired

PER_CLASS = (5, 10, 20)
SEEDS = range(5)
HELD_OUT = 17


class Texts:
    """Texts and labels of a data set, and their vectors under each encoder, encoded once."""

    def __init__(self, folder: Path, precision: str = "int8") -> None:
        table = pl.read_parquet(folder / "texts.parquet")
        self.texts: list[str] = table["text"].to_list()
        self.labels = table["label"].to_numpy()
        split = table["split"].to_numpy() if "split" in table.columns else np.full(len(table), "")
        self.train, self.test = np.flatnonzero(split == "train"), np.flatnonzero(split == "test")
        self.encoder = SentenceEncoder.open(precision=precision)
        self.rows = self.encoder.encode(self.texts)

    def head(self, places: np.ndarray, more: np.ndarray | None = None, seed: int = 0) -> ClassHead:
        unlabelled = None if more is None else self.rows[more]
        config = HeadConfig(seed=seed)
        return learn_classes(
            self.rows[places], self.labels[places], self.encoder.id, config, unlabelled=unlabelled
        )


def right(head: ClassHead, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    said = head.predict(rows).values.argmax(axis=1)
    return np.asarray(np.array(head.names)[said] == labels)


def shown(values: np.ndarray) -> str:
    found = bootstrap(values, np.arange(len(values)), draws=2000)
    return f"{found.mean:.4f} [{found.low:.4f}, {found.high:.4f}]"


def spread_of(values: list[float]) -> str:
    """Return the mean over seeds with its 95% interval (Student's t)."""
    from scipy import stats

    half = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)
    return f"{np.mean(values):.4f} ± {half:.4f}"


def calibration(head: ClassHead, rows: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return the calibration error on new texts without and with the temperature."""
    t = head.learned["temperature"]
    hit = right(head, rows, labels)
    logits = head.linear(rows)
    raw, calibrated = softmax(logits * t).max(axis=1), softmax(logits).max(axis=1)
    return calibration_error(raw, hit), calibration_error(calibrated, hit)


def frozen(data: Path, _: argparse.Namespace) -> None:
    from sklearn.linear_model import LogisticRegression

    print("| encoder | head | accuracy [95%] | calibration error before | after |")
    print("|---|---|---|---|---|")
    for precision in ("int8", "fp32"):
        texts = Texts(data / "banking77", precision)
        rows, labels = texts.rows[texts.test], texts.labels[texts.test]
        plain = LogisticRegression(C=10.0, max_iter=1000)
        plain.fit(texts.rows[texts.train], texts.labels[texts.train])
        hit = plain.predict(rows) == labels
        error = calibration_error(plain.predict_proba(rows).max(axis=1), hit)
        print(f"| {precision} | plain logistic regression | {shown(hit)} | {error:.4f} | |")
        head = texts.head(texts.train)
        before, after = calibration(head, rows, labels)
        answers, hit = head.predict(rows), right(head, rows, labels)
        # What the head said before the temperature, which isotonic regression starts from.
        raw = softmax(head.linear(rows) * head.learned["temperature"])
        likeliest = raw.max(axis=1)
        print(
            f"| {precision} | learn_head | {shown(right(head, rows, labels))} | {before:.4f} | "
            f"{after:.4f} |"
        )
        error = calibration_error(isotonic(texts, head.learned["strength"], likeliest), hit)
        print(f"| {precision} | isotonic instead of the temperature | | | {error:.4f} |")
        kept = answers.known
        print(
            f"| {precision} | the {kept.mean():.1%} it calls known | "
            f"{shown(right(head, rows, labels)[kept])} | | |"
        )


def isotonic(texts: Texts, strength: float, likeliest: np.ndarray) -> np.ndarray:
    """Return `likeliest` as isotonic regression on held-out texts corrects it."""
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression

    rows, labels = texts.rows[texts.train], texts.labels[texts.train]
    folds = dealt(labels, 5, 0)
    said, hit = np.zeros(len(rows)), np.zeros(len(rows))
    for fold in range(5):
        seen, out = folds != fold, folds == fold
        model = LogisticRegression(C=strength, max_iter=500).fit(rows[seen], labels[seen])
        said[out] = model.predict_proba(rows[out]).max(axis=1)
        hit[out] = model.predict(rows[out]) == labels[out]
    law = IsotonicRegression(out_of_bounds="clip").fit(said, hit)
    return np.asarray(law.predict(likeliest))


def tuned_once(
    texts: list[str],
    labels: np.ndarray,
    learn: np.ndarray,
    test: np.ndarray,
    folder: Path,
    config: TunedConfig,
) -> dict[str, Any]:
    """Return what a tuned encoder gets right on `test`, by precision; it is tuned once."""
    from penchant.learn.heads.tuned import held_out, tune

    kept, own = folder.with_suffix(".json"), [texts[i] for i in learn]
    if not kept.is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter(), time.process_time()
        made = tune(own, list(labels[learn]), folder, config=config)
        said({"values": made.values, "problem": made.problem})
        spent = {
            "seconds": time.perf_counter() - started[0],
            "processor": time.process_time() - started[1],
            "epochs": len(made.values) - 1,
        }
        kept.write_text(json.dumps(spent))
    out: dict[str, Any] = json.loads(kept.read_text())
    folds = np.full(len(learn), -1)
    folds[held_out(labels[learn], config)] = 0
    for precision in ("int8", "fp32"):
        encoder = SentenceEncoder.open(folder, cache_directory=folder.parent, precision=precision)
        head = learn_classes(encoder.encode(own), labels[learn], encoder.id, folds=folds)
        rows = encoder.encode([texts[i] for i in test])
        before, after = calibration(head, rows, labels[test])
        out[precision] = {
            "right": right(head, rows, labels[test]),
            "before": before,
            "after": after,
        }
        said({precision: float(out[precision]["right"].mean()), **head.learned})
    return out


def said(line: dict[str, Any]) -> None:
    print(json.dumps(line), file=sys.stderr, flush=True)


def tuned(data: Path, chosen: argparse.Namespace) -> None:
    texts = Texts(data / "banking77")
    runs = [
        tuned_once(
            texts.texts,
            texts.labels,
            texts.train,
            texts.test,
            chosen.work / f"banking77-{seed}",
            TunedConfig(seed=seed, threads=chosen.threads),
        )
        for seed in chosen.seeds
    ]
    base = right(texts.head(texts.train), texts.rows[texts.test], texts.labels[texts.test])
    print("| seed | int8 [95%] | fp32 | above frozen [95%] | calibration error | seconds |")
    print("|---|---|---|---|---|---|")
    for seed, run in zip(chosen.seeds, runs, strict=True):
        hit = run["int8"]["right"]
        more = paired(hit, base, np.arange(len(hit)))
        print(
            f"| {seed} | {shown(hit)} | {np.mean(run['fp32']['right']):.4f} | {more.mean:+.4f} "
            f"[{more.low:+.4f}, {more.high:+.4f}] | {run['int8']['before']:.4f} to "
            f"{run['int8']['after']:.4f} | {run['seconds']:.0f} |"
        )
    mean = np.mean([run["int8"]["right"] for run in runs], axis=0)
    more = paired(mean, base, np.arange(len(mean)))
    exact = np.mean([run["fp32"]["right"] for run in runs])
    print(
        f"| mean | {shown(mean)} | {exact:.4f} | {more.mean:+.4f} "
        f"[{more.low:+.4f}, {more.high:+.4f}] | | |"
    )


def sentiment(data: Path, chosen: argparse.Namespace) -> None:
    texts = Texts(data / "financial_phrasebank")
    fold_of = dealt(texts.labels, 5, 0)
    plain, better, exact = np.zeros((3, len(fold_of)))
    print("| fold | frozen | tuned, int8 | fp32 | calibration error | seconds |")
    print("|---|---|---|---|---|---|")
    for fold in range(5):
        learn, test = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        head = texts.head(learn)
        plain[test] = right(head, texts.rows[test], texts.labels[test])
        run = tuned_once(
            texts.texts,
            texts.labels,
            learn,
            test,
            chosen.work / f"sentiment-{fold}",
            # Sentiment is said in many ways: smoothing keeps three labels from being too sure.
            TunedConfig(rate=1e-4, smoothing=0.1, threads=chosen.threads),
        )
        better[test], exact[test] = run["int8"]["right"], run["fp32"]["right"]
        print(
            f"| {fold} | {plain[test].mean():.4f} | {better[test].mean():.4f} | "
            f"{exact[test].mean():.4f} | {run['int8']['before']:.4f} to "
            f"{run['int8']['after']:.4f} | {run['seconds']:.0f} |",
            flush=True,
        )
    more = paired(better, plain, np.arange(len(plain)))
    print(
        f"| all | {shown(plain)} | {shown(better)} | {exact.mean():.4f} | | |\n\n"
        f"tuned above frozen: {more.mean:+.4f} [{more.low:+.4f}, {more.high:+.4f}]"
    )


def an_intent(texts: Texts, k: int, seed: int) -> np.ndarray:
    """Return k places of each intent of the training part."""
    rng = np.random.default_rng([seed, k])
    labels = texts.labels[texts.train]
    found = [
        rng.choice(own, min(k, len(own)), replace=False)
        for own in (texts.train[labels == name] for name in np.unique(labels))
    ]
    return np.sort(np.concatenate(found))


def few(data: Path, _: argparse.Namespace) -> None:
    texts = Texts(data / "banking77")
    rows, labels = texts.rows[texts.test], texts.labels[texts.test]
    print("| labels an intent | labels alone | and unlabelled texts | gain | texts added |")
    print("|---|---|---|---|---|")
    for k in PER_CLASS:
        plain, taught, added = [], [], []
        for seed in SEEDS:
            places = an_intent(texts, k, seed)
            plain.append(right(texts.head(places, None, seed), rows, labels).mean())
            head = texts.head(places, np.setdiff1d(texts.train, places), seed)
            taught.append(right(head, rows, labels).mean())
            added.append(head.learned["unlabelled"])
        gain = spread_of([b - a for a, b in zip(plain, taught, strict=True)])
        print(
            f"| {k} | {spread_of(plain)} | {spread_of(taught)} | {gain} | {np.mean(added):.0f} |",
            flush=True,
        )


def active(data: Path, chosen: argparse.Namespace) -> None:
    texts = Texts(data / "banking77")
    pool = texts.train
    rows, labels = texts.rows[texts.test], texts.labels[texts.test]
    n = len(np.unique(texts.labels))
    print(
        "| labels | random | typical | unsure | mixed | mixed above random | mixed, self-taught |"
    )
    print("|---|---|---|---|---|---|---|")
    ways = ("random", "typical", "unsure", "mixed")
    found: dict[tuple[str, int], list[float]] = {}
    for seed in SEEDS:
        for way in ways:
            for k, places in rounds(texts, pool, n, way, seed):
                head = texts.head(places, None, seed)
                found.setdefault((way, k), []).append(right(head, rows, labels).mean())
                if way == "mixed":
                    head = texts.head(places, np.setdiff1d(pool, places), seed)
                    found.setdefault(("taught", k), []).append(right(head, rows, labels).mean())
    for k in PER_CLASS:
        by = {way: found[way, k] for way in (*ways, "taught")}
        gain = spread_of([m - r for m, r in zip(by["mixed"], by["random"], strict=True)])
        cells = " | ".join(spread_of(by[way]) for way in ways)
        print(f"| {n * k} | {cells} | {gain} | {spread_of(by['taught'])} |", flush=True)


def rounds(
    texts: Texts, pool: np.ndarray, n: int, way: str, seed: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield what was labelled after 5, 10 and 20 labels an intent, asked for in rounds of 5."""
    have = np.zeros(0, np.int64)
    for k in (5, 10, 15, 20):
        want = n * k - len(have)
        more = choose(texts.rows[pool], have, texts.labels[pool][have], want, way=way, seed=seed)
        have = np.concatenate([have, more])
        if k in PER_CLASS:
            yield k, pool[have]


def unknown(data: Path, _: argparse.Namespace) -> None:
    texts = Texts(data / "banking77")
    names = np.unique(texts.labels)
    rows = texts.rows[texts.test]
    scores: dict[str, list[float]] = {}
    shares = []
    for seed in SEEDS:
        out = np.random.default_rng(seed).choice(names, HELD_OUT, replace=False)
        places = texts.train[~np.isin(texts.labels[texts.train], out)]
        known = ~np.isin(texts.labels[texts.test], out)
        head = texts.head(places, None, seed)
        said = head.predict(rows)
        logits = head.linear(rows)
        likeliest = softmax(logits).max(axis=1)
        by = {
            "probability of the likeliest label": likeliest,
            "energy of the logits (Liu et al. 2020)": np.log(np.exp(logits).sum(axis=1)),
            "cosine to the nearest text": nearest(rows, texts.rows[places]),
            "Mahalanobis distance to the nearest label": mahalanobis(texts, places, rows),
            "log probability and nearest text (ours)": said.familiar,
        }
        for name, score in by.items():
            scores.setdefault(name, []).append(separation(known, score))
        shares.append((said.known[known].mean(), 1.0 - said.known[~known].mean()))
    print("| score | AUROC |\n|---|---|")
    for name, values in scores.items():
        print(f"| {name} | {spread_of(values)} |")
    kept, found = np.mean(shares, axis=0)
    print(
        f"\nAt the threshold for keeping 95% of known texts: {kept:.1%} of known ones are kept, "
        f"{found:.1%} of those of unknown intents are called unknown."
    )


def mahalanobis(texts: Texts, places: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return minus the distance to the nearest mean of a label (Lee et al. 2018)."""
    own, classes = texts.rows[places], np.unique(texts.labels[places], return_inverse=True)[1]
    means = np.stack([own[classes == i].mean(axis=0) for i in range(classes.max() + 1)])
    covariance = np.cov((own - means[classes]).T)
    covariance = 0.9 * covariance + 0.1 * np.trace(covariance) / len(covariance) * np.eye(
        len(covariance)
    )
    turned = np.linalg.cholesky(np.linalg.inv(covariance))
    a, b = rows @ turned, means @ turned
    square = (a * a).sum(1)[:, None] - 2 * a @ b.T + (b * b).sum(1)[None]
    return np.asarray(-square.min(axis=1))


PARTS = {
    "frozen": frozen,
    "tuned": tuned,
    "sentiment": sentiment,
    "few": few,
    "active": active,
    "unknown": unknown,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("runs/heads"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=4)
    chosen = parser.parse_args()
    if not (chosen.data / "banking77").is_dir():
        raise SystemExit(f"no data in {chosen.data}: see its README for where the sets come from")
    print(f"{chosen.part}: encoder {DEFAULT}\n")
    PARTS[chosen.part](chosen.data, chosen)


if __name__ == "__main__":
    main()
