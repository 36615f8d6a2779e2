"""Prints how well the example that answers questions does, as JSON lines.

    python benchmarks/support.py [--data FOLDER]
    python benchmarks/support.py --fit      # the numbers of its confidence, on the training split

Questions are those of banking77, the answer that is wanted is the one written for the intent.
`curve`: its 3,080 test questions after some of the training questions were asked and their answer
accepted, each by somebody else. `unknown`: the same with ten answers taken out, five draws, beside
questions that no bank answers; a question is answered rightly where the first answer is the wanted
one and the desk is sure. `turns`: short second turns, with and without the first. `switch`: test
questions after another one that has nothing to do with them. `grounded`: sentences of the answers
and of others, as a generator might give them. Intervals are 95%, over questions.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl

import penchant
from conversations import LATER, OUT_OF_SCOPE, SAID, TURNS
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.grounded import Grounded
from penchant.measure.intervals import bootstrap
from penchant.recall import asked

NOW = 1_800_000_000.0
DAY = 86_400.0
ACCEPTED = (0, 77, 770, 3_080, 10_003)
DRAWS, OUT = 5, 10
Rows = list[tuple[str, str]]  # question, id of the answer


def example() -> ModuleType:
    path = Path(__file__).parents[1] / "examples" / "support_desk.py"
    spec = importlib.util.spec_from_file_location("support_desk", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told(**line: object) -> None:
    print(json.dumps(line), flush=True)


def interval(values: Sequence[float] | np.ndarray) -> list[float]:
    found = bootstrap(np.asarray(values, dtype=float), np.arange(len(values)), draws=2000)
    return [round(x, 4) for x in (found.mean, found.low, found.high)]


def questions(folder: Path, split: str) -> Rows:
    """Return the questions of a split in an order of their own, with the ids of the answers."""
    table = pl.read_parquet(folder / "banking77" / "texts.parquet").filter(pl.col("split") == split)
    label = pl.col("label").str.to_lowercase().str.strip_chars("?")
    mixed = table.with_columns(label=label).sample(fraction=1.0, shuffle=True, seed=0)
    return list(mixed.select("text", "label").iter_rows())


def first_of_each(rows: Rows, count: int) -> Rows:
    """Return `count` rows, those of each answer in turn: 77 hold every answer once."""
    seen: dict[str, int] = {}
    turn = [seen.setdefault(row[1], 0) for row in rows]
    for place, (_, label) in enumerate(rows):
        turn[place], seen[label] = seen[label], seen[label] + 1
    return [rows[i] for i in np.argsort(turn, kind="stable")[:count]]


@contextmanager
def desk(accepted: Rows, without: frozenset[str] = frozenset()) -> Iterator[Any]:
    """Open a desk in a new folder, after questions were asked and their answers accepted."""
    module = example()
    with tempfile.TemporaryDirectory() as scratch:
        lines = module.ANSWERS.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if json.loads(line)["item_id"] not in without]
        answers = Path(scratch) / "answers.jsonl"
        answers.write_text("\n".join(kept), encoding="utf-8")
        made = module.Desk(Path(scratch) / "desk", answers)
        events = []
        for place, (text, item) in enumerate(accepted):
            then = NOW - 30 * DAY * (1 - place / len(accepted)) - 600
            events.append(penchant.Event(f"v{place}", None, "search", then, text=text))
            events.append(penchant.Event(f"v{place}", item, "click", then + 20))
        made.engine.record(events, now=NOW)
        try:
            made.look("nobody yet", "a first question", NOW)
            yield made
        finally:
            made.engine.close()


def ask(made: Any, rows: Rows) -> dict[str, np.ndarray]:
    """Return what the desk says of each question: how sure, where the wanted stands, features."""
    sure, place, features = [], [], []
    for text, wanted in rows:
        probability, slate, _ = made.look("nobody yet", text, NOW)
        names = [line.item_id for line in slate]
        sure.append(probability)
        place.append(names.index(wanted) if wanted in names else 9)
        features.append((slate.trace.first("text"), slate.lead))
    return {"sure": np.array(sure), "place": np.array(place), "features": np.array(features)}


def auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    """Return how often what is known is surer than what is not, ties a half."""
    order = np.sort(unknown)
    low, high = np.searchsorted(order, known), np.searchsorted(order, known, side="right")
    return float((low + high).mean() / 2 / len(unknown))


def curve(learn: Rows, rows: Rows) -> None:
    for count in ACCEPTED:
        with desk(first_of_each(learn, count)) as made:
            began = time.perf_counter()
            said = ask(made, rows)
            took = (time.perf_counter() - began) / len(rows)
        known = said["sure"] >= example().KNOWN
        told(
            measured="curve",
            accepted=count,
            questions=len(rows),
            top1=interval(said["place"] == 0),
            top3=interval(said["place"] < 3),
            answered=interval(known),
            right_where_answered=interval(said["place"][known] == 0),
            mean_sure=round(float(said["sure"].mean()), 4),
            ms=round(1000 * took, 2),
        )


def unknown(learn: Rows, rows: Rows) -> None:
    others = [(text, "") for text in OUT_OF_SCOPE]
    for count in (0, 770, len(learn)):
        found = []
        for draw in range(DRAWS):
            names = sorted({label for _, label in rows})
            gone = frozenset(np.random.default_rng(draw).choice(names, OUT, replace=False).tolist())
            kept = [row for row in learn if row[1] not in gone]
            with desk(first_of_each(kept, count), gone) as made:
                said, strange = ask(made, rows), ask(made, others)
            out = np.array([label in gone for _, label in rows])
            sure = said["sure"] >= example().KNOWN
            found.append(
                (
                    auroc(said["sure"][~out], said["sure"][out]),
                    auroc(said["sure"][~out], strange["sure"]),
                    float((~sure[out]).mean()),
                    float((strange["sure"] < example().KNOWN).mean()),
                    float(sure[~out].mean()),
                    float((said["place"][sure] == 0).mean()),
                )
            )
        columns = np.array(found)
        what = ("auroc_taken_out", "auroc_out_of_scope", "taken_out_unknown")
        what += ("out_of_scope_unknown", "known_answered", "right_where_answered")
        values = zip(what, columns.mean(axis=0), columns.std(axis=0, ddof=1), strict=True)
        shown = {name: [round(float(m), 4), round(float(s), 4)] for name, m, s in values}
        told(measured="unknown", accepted=count, draws=DRAWS, mean_and_deviation=shown)


def turns(learn: Rows, rows: Rows) -> None:
    """Each pair and each question is asked by a visitor of its own, through the whole of `ask`."""
    for count in (0, 3_080):
        with desk(first_of_each(learn, count)) as made:
            alone, after, plain = [], [], []
            for place, (first, second, wanted) in enumerate((*TURNS, *LATER)):
                alone.append(_told(made, f"alone {place}", second, wanted))
                slate = made.engine.recommend(f"said {place}", 3, text=first, now=NOW, log=False)
                made.engine.record(
                    penchant.Event(f"said {place}", None, "search", NOW, text=first), now=NOW
                )
                assert len(slate) == 3
                # As the engine answers by itself, with the first turn in the log.
                slate = made.engine.recommend(
                    f"said {place}", 3, text=second, now=NOW + 30, log=False
                )
                names = [line.item_id for line in slate]
                plain.append((names[0] in wanted, bool({*names} & {*wanted}), 0.0))
                made.ask(f"both {place}", first, NOW)
                after.append(_told(made, f"both {place}", second, wanted))
            for way, found in (("alone", alone), ("in the log", plain), ("with the first", after)):
                _say("turns", way, count, np.array(found[: len(TURNS)]))
                _say("later turns", way, count, np.array(found[len(TURNS) :]))
            switched, single = [], []
            for place, (text, wanted) in enumerate(rows[:500]):
                single.append(_told(made, f"single {place}", text, (wanted,)))
                made.ask(f"switch {place}", rows[place - 1][0], NOW)
                switched.append(_told(made, f"switch {place}", text, (wanted,)))
            for way, found in (("alone", single), ("after another", switched)):
                _say("switch", way, count, np.array(found))
            strange = []
            for place, text in enumerate(OUT_OF_SCOPE):
                made.ask(f"strange {place}", rows[place][0], NOW)
                strange.append(made.ask(f"strange {place}", text, NOW + 30)[0] < example().KNOWN)
            told(
                measured="out of scope after a question", accepted=count, unknown=interval(strange)
            )


def _told(made: Any, visitor: str, text: str, wanted: Sequence[str]) -> tuple[bool, bool, float]:
    sure, items, _ = made.ask(visitor, text, NOW + 30)
    names = [item.item_id for item in items]
    return names[0] in wanted, bool({*names} & {*wanted}), sure


def _say(measured: str, way: str, count: int, found: np.ndarray) -> None:
    known = found[:, 2] >= example().KNOWN
    line: dict[str, object] = {"measured": measured, "asked": way, "accepted": count}
    line |= {"n": len(found), "top1": interval(found[:, 0]), "top3": interval(found[:, 1])}
    if found[:, 2].any():
        line |= {"answered": interval(known), "right_where_answered": interval(found[known, 0])}
    told(**line)


def grounded() -> None:
    """Sentences that a generator might give for two answers, true to them and not."""
    answers = [json.loads(line) for line in example().ANSWERS.read_text("utf-8").splitlines()]
    passages = {row["item_id"]: f"{row['title']} {row['description']}" for row in answers}
    names = list(passages)
    check = Grounded(SentenceEncoder.open())
    began, checked = time.perf_counter(), 0
    sorts: dict[str, list[bool]] = {}
    for place, (item, sort, text) in enumerate(SAID):
        beside = names[(names.index(item) + 7 + place) % len(names)]
        caught = bool(check.unsupported(text, [passages[item], passages[beside]]))
        sorts.setdefault(sort, []).append(caught)
        checked += 1
    for row in answers:
        own = row["description"].split(". ")
        other = passages[names[(names.index(row["item_id"]) + 38) % len(names)]].split(". ")
        cases = {
            "as it is written": [f"{part.rstrip('.')} [1]." for part in own],
            "of another answer": [f"{part.rstrip('.')} [1]." for part in other[1:]],
            "cites nothing": [f"{own[0].rstrip('.')}."],
        }
        for sort, texts in cases.items():
            for text in texts:
                caught = bool(check.unsupported(text, [passages[row["item_id"]]]))
                sorts.setdefault(sort, []).append(caught)
                checked += 1
    took = (time.perf_counter() - began) / checked
    for sort, caught in sorts.items():
        told(measured="grounded", sentences=sort, n=len(caught), refused=interval(caught))
    told(measured="grounded", ms=round(1000 * took, 2))


def fit(learn: Rows) -> None:
    """Print a logistic regression of whether the first answer is right, on the training split."""
    from sklearn.linear_model import LogisticRegression

    rows, learn = learn[:1000], learn[1000:]
    names = sorted({label for _, label in rows})
    features, right = [], []
    for draw, count in enumerate((0, 77, 770, 3_080, len(learn))):
        gone = frozenset(np.random.default_rng(draw).choice(names, OUT, replace=False).tolist())
        kept = [row for row in learn if row[1] not in gone]
        with desk(first_of_each(kept, count), gone) as made:
            said = ask(made, rows)
        features.append(said["features"])
        right.append(said["place"] == 0)
        known = said["sure"] >= example().KNOWN
        told(
            accepted=count,
            top1_of_all=float(np.mean(right[-1])),
            mean_sure=float(said["sure"].mean()),
            answered=float(known.mean()),
            right_where_answered=float(right[-1][known].mean()),
        )
    x, y = np.concatenate(features), np.concatenate(right)
    model = LogisticRegression(C=100.0).fit(x, y)
    told(nearness=model.coef_[0, 0], lead=model.coef_[0, 1], shift=model.intercept_[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--development", action="store_true", help="the training split alone")
    parser.add_argument("--only", default="curve unknown turns grounded")
    chosen = parser.parse_args()
    asked.PATIENCE = 600.0  # what was accepted is known before the first question
    learn, rows = questions(chosen.data, "train"), questions(chosen.data, "test")
    if chosen.fit:
        fit(learn)
        return
    if chosen.development:
        rows, learn = learn[:1000], learn[1000:]
    if "curve" in chosen.only:
        curve(learn, rows)
    if "unknown" in chosen.only:
        unknown(learn, rows)
    if "turns" in chosen.only:
        turns(learn, rows)
    if "grounded" in chosen.only:
        grounded()


if __name__ == "__main__":
    main()
