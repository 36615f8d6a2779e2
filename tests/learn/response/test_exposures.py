"""What people were faced with: judgements, and what was shown and taken or not."""

from __future__ import annotations

import numpy as np

from penchant.ingest.kinds import Kinds
from penchant.learn.response.exposures import LEAST, WITHIN, exposures, valued
from penchant.store.log import Events

NAMES = ("impression", "click", "rating", "purchase")


def log(
    rows: list[tuple[int, int, float, str, float]], contexts: tuple[str | None, ...] = ()
) -> Events:
    users, items, times, kinds, values = zip(*rows, strict=True)
    n = len(rows)
    return Events(
        offsets=np.arange(1, n + 1, dtype=np.int64),
        users=np.array(users, dtype=np.int32),
        items=np.array(items, dtype=np.int32),
        times=np.array(times, dtype=np.float64),
        kinds=np.array([NAMES.index(kind) for kind in kinds], dtype=np.int16),
        values=np.array(values, dtype=np.float32),
        shared=np.ones(n, dtype=np.float32),
        texts=(),
        contexts=contexts,
        kind_names=NAMES,
    )


def test_what_was_shown_is_wanted_where_it_was_taken_within_a_day() -> None:
    nan = float("nan")
    rows: list[tuple[int, int, float, str, float]] = []
    for n in range(2 * LEAST):
        rows.append((n, 0, 1000.0, "impression", nan))
        rows.append((n, 1, 1000.0, "impression", nan))
        if n % 2:
            rows.append((n, 0, 1000.0 + n, "click", nan))
    rows += [
        (9000, 0, 1000.0, "impression", nan), (9000, 0, 1001.0 + WITHIN, "click", nan),  # too late
        (9001, 0, 1000.0, "click", nan), (9001, 0, 2000.0, "impression", nan),  # before
        (9002, 0, 1000.0, "impression", nan), (9003, 0, 1001.0, "click", nan),  # somebody else
        (9004, 0, 1000.0, "click", nan), (9004, 0, 1000.0, "impression", nan),  # in one second
    ]  # fmt: skip
    found = exposures(log(rows), Kinds())
    assert found is not None
    assert found.basis == "shown"
    assert len(found) == 4 * LEAST + 4
    by_person = {
        int(u): bool(w) for u, w in zip(found.users, found.wanted, strict=True) if u > 8999
    }
    assert by_person == {9000: False, 9001: False, 9002: False, 9004: True}
    assert found.wanted[found.items == 1].sum() == 0
    assert found.wanted[(found.items == 0) & (found.users < 9000)].sum() == LEAST


def test_judgements_count_also_where_they_are_neither_for_nor_against() -> None:
    stars = [5.0, 4.0, 3.0, 1.0] * LEAST
    rows = [(n, n % 7, float(n), "rating", value) for n, value in enumerate(stars)]
    found = exposures(log(rows, ("{}",) * len(rows)), Kinds())
    assert found is not None
    assert found.basis == "judged"
    assert found.wanted.tolist() == [value >= 4 for value in stars]
    assert found.values.tolist() == stars
    assert len(found.contexts) == len(rows)


def test_too_few_of_either_outcome_say_nothing() -> None:
    nan = float("nan")
    clicks = [(n, n % 7, float(n), "click", nan) for n in range(1000)]
    assert exposures(log(clicks), Kinds()) is None
    liked = [(n, n % 7, float(n), "rating", 5.0) for n in range(1000)]
    assert exposures(log(liked), Kinds()) is None


def test_values_are_those_of_the_kind_that_has_most() -> None:
    rng = np.random.default_rng(0)
    rows = [(n, 0, float(n), "rating", 4.0) for n in range(10)]
    rows += [(n, 1, 1e6 - n, "purchase", float(v)) for n, v in enumerate(rng.random(1000))]
    found = valued(log(rows))
    assert found is not None
    assert found.kind == "purchase"
    assert (np.diff(found.times) > 0).all()
    assert valued(log(rows[:10])) is None
    assert valued(log([(n, 0, float(n), "purchase", 2.0) for n in range(1000)])) is None
