"""Learning what items are worth: biases and factors of a matrix of values, by alternating ridge.

How strongly each part is held back is chosen on the newest values, on which a person is read from
what they said before, as live.
"""

from __future__ import annotations

import numpy as np

from penchant.rank.worth import Worth
from penchant.types import Floats, Ids

RIDGES = ((8, 4.0), (8, 10.0), (16, 10.0), (16, 25.0), (16, 60.0))  # dimensions, ridge
ROUNDS = 12
ITEM_BIAS, USER_BIAS = 5.0, 3.0  # values before a bias is half of what is believed
NEWEST = 0.1  # of the values, what the choice is made on


def learn(kind: str, users: Ids, items: Ids, values: Floats, n_items: int, seed: int) -> Worth:
    """Return what the values float32[m] of one kind of event say, in the order of time."""
    cut = int((1 - NEWEST) * len(values))
    errors = []
    for d, ridge in RIDGES:
        early = fit(kind, users[:cut], items[:cut], values[:cut], n_items, d, ridge, seed)
        errors.append(error(early, users, items, values, cut))
    d, ridge = RIDGES[int(np.argmin(errors))]
    return fit(kind, users, items, values, n_items, d, ridge, seed)


def fit(
    kind: str,
    users: Ids,
    items: Ids,
    values: Floats,
    n_items: int,
    d: int,
    ridge: float,
    seed: int,
) -> Worth:
    """Return biases and d factors that fit the values with this ridge."""
    rng = np.random.default_rng(seed)
    n_users = int(users.max(initial=-1)) + 1
    mean = float(values.mean()) if len(values) else 0.0
    count = np.bincount(items, minlength=n_items).astype(np.float64)
    own = np.bincount(users, minlength=n_users).astype(np.float64)
    item_bias, user_bias = np.zeros(n_items), np.zeros(n_users)
    rest = values - mean
    for _ in range(5):
        item_bias = np.bincount(items, rest - user_bias[users], n_items) / (count + ITEM_BIAS)
        user_bias = np.bincount(users, rest - item_bias[items], n_users) / (own + USER_BIAS)
    left = rest - item_bias[items] - user_bias[users]
    q = rng.normal(0, 0.1, (n_items, d))
    p = np.zeros((n_users, d))
    by_user, by_item = _runs(users, n_users), _runs(items, n_items)
    for _ in range(ROUNDS if len(values) else 0):
        _solve(p, q, by_user, items, left, ridge)
        _solve(q, p, by_item, users, left, ridge)
    return Worth(
        kind,
        mean,
        item_bias.astype(np.float32),
        count.astype(np.float32),
        q.astype(np.float32),
        ridge,
        USER_BIAS,
    )


def error(worth: Worth, users: Ids, items: Ids, values: Floats, begin: int) -> float:
    """Return the root mean square error on the values from `begin` on, told what was before."""
    order = np.argsort(users, kind="stable")
    starts = np.searchsorted(users[order], np.arange(int(users.max(initial=-1)) + 2))
    total = 0.0
    for user in np.unique(users[begin:]).tolist():
        mine = order[starts[user] : starts[user + 1]]
        for at in np.flatnonzero(mine >= begin).tolist():
            before = mine[:at]
            bias, taste = worth.person(items[before], values[before])
            item = int(items[mine[at]])
            said = worth.mean + float(worth.bias[item]) + bias + float(worth.rows[item] @ taste)
            total += (said - float(values[mine[at]])) ** 2
    return float(np.sqrt(total / max(len(values) - begin, 1)))


def _runs(numbers: Ids, n: int) -> list[np.ndarray]:
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.searchsorted(numbers[order], np.arange(1, n)))


def _solve(
    own: np.ndarray,
    other: np.ndarray,
    runs: list[np.ndarray],
    others: Ids,
    left: np.ndarray,
    ridge: float,
) -> None:
    """Write the ridge regression of what is left on the rows of the other side, row by row."""
    penalty = ridge * np.eye(other.shape[1])
    for number, run in enumerate(runs):
        if len(run):
            x = other[others[run]]
            own[number] = np.linalg.solve(x.T @ x + penalty, x.T @ left[run])
