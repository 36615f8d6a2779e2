"""Tastes: what people of the log would say of what is best known."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from penchant.learn.interests.factors import factors
from penchant.learn.interests.tastes import ITEMS, PEOPLE, tastes


def crowd(people: int = 80, items: int = 40, seed: int = 0) -> sp.csr_matrix:
    """Return two crowds, each of which wants items of its own half."""
    rng = np.random.default_rng(seed)
    wanted = np.zeros((people, items), dtype=np.float32)
    for person in range(people):
        half = np.arange(items // 2) + (person % 2) * (items // 2)
        wanted[person, rng.choice(half, 6, replace=False)] = 1
    return sp.csr_matrix(wanted)


def test_people_of_one_crowd_are_likely_to_want_what_it_wants() -> None:
    wanted = crowd()
    found = tastes(wanted, factors(wanted))
    assert found is not None
    assert sorted(found.items.tolist()) == list(range(40))
    assert found.likely.shape == (80, 40)
    own = found.items < 20
    first = found.likely[:, own].mean(axis=1)
    second = found.likely[:, ~own].mean(axis=1)
    assert ((first > 2 * second) | (second > 2 * first)).mean() > 0.95
    assert found.likely.min() >= 0
    assert found.likely.max() <= 1


def test_the_question_it_leads_to_separates_the_crowds() -> None:
    wanted = crowd()
    found = tastes(wanted, factors(wanted))
    assert found is not None
    none = np.zeros(0, dtype=np.int32)
    (first,) = found.questions(none, none, np.ones(40, dtype=np.bool_), 1)
    liked = np.array([first.item], dtype=np.int32)
    belief = found.believed(liked, none)
    own = (found.items < 20) == (first.item < 20)
    assert (belief @ found.likely)[own].mean() > 4 * (belief @ found.likely)[~own].mean()
    after = found.questions(liked, none, np.ones(40, dtype=np.bool_), 1)[0]
    assert after.gain < 0.2 * first.gain


def test_large_logs_are_sampled_and_small_ones_left() -> None:
    wanted = crowd(people=900, items=600)
    found = tastes(wanted, factors(wanted))
    assert found is not None
    assert found.likely.shape == (PEOPLE, ITEMS)
    assert tastes(crowd(people=2), factors(crowd(people=2))) is None
    nobody = sp.csr_matrix((5, 4), dtype=np.float32)
    assert tastes(nobody, factors(nobody)) is None
    # Nobody wanted any item often enough to be asked about it.
    apart = sp.csr_matrix(np.eye(12, dtype=np.float32).repeat(3, axis=0).reshape(12, 36))
    assert tastes(apart, factors(apart)) is None
