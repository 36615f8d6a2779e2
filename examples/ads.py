"""Advertisements: what one pays times the chance of a click decides, and its budget how long.

    python examples/ads.py

Advertisements with bids for a click and budgets, simulated visitors whose chances are known. Those
are learned from slates: what was shown, and what of it was clicked. Paced, a bid counts less the
more of its budget is spent (Mehta et al., AdWords and generalized online matching, 2007).
"""

import tempfile

import numpy as np

import penchant

TOPICS, START = 6, 1_750_000_000
POLICIES = {  # of the chance, the bid, the share of the budget that is spent, and a random number
    "at random": lambda p, bid, spent, drawn: drawn,
    "by clicks": lambda p, bid, spent, drawn: p,
    "by value": lambda p, bid, spent, drawn: p * bid,
    "by value, paced": lambda p, bid, spent, drawn: p * bid * (1 - np.exp(spent - 1)),
}


def world(rng, ads=60, people=150):
    """Return ads with bids and budgets of 5 to 39 clicks, and chances, float[n_people, n_ads]."""
    bids, clicks = rng.lognormal(0, 0.9, ads).round(2).tolist(), rng.integers(5, 40, ads).tolist()
    kinds = [{"item_id": f"ad-{n}", "category": f"topic {n % TOPICS}"} for n in range(ads)]
    money = [{"bid": bid, "budget": bid * n} for bid, n in zip(bids, clicks, strict=True)]
    liking = rng.normal(0, 1.5, (people, TOPICS))[:, np.arange(ads) % TOPICS]
    chance = 1 / (1 + np.exp(2.0 - liking - rng.normal(0, 0.5, ads)))
    return [kind | paid for kind, paid in zip(kinds, money, strict=True)], chance


def scores(engine, user, ads, now):
    """Return float[n_ads]: what the engine says a visitor wants each ad, on one scale for all."""
    found = {x.item_id: x.score for x in engine.rank(user, ads, now=now, log=False)}
    return np.array([found[ad] for ad in ads]) / (np.std(list(found.values())) + 1e-9)


def learn(engine, ads, chance, rng, visits=2000, shown=4):
    """Return float[n_people, n_ads]: chances, by a logistic regression on the engine's scores."""
    rows, users = [], [f"visitor {u}" for u in range(len(chance))]
    for n in range(visits):
        u, now, drawn = int(rng.integers(len(users))), START + 60 * n, rng.permutation(len(ads))
        known = scores(engine, users[u], ads, now) if n >= visits // 2 else None
        slate = engine.rank(users[u], [ads[i] for i in drawn[:shown]], now=now)
        for i in drawn[:shown]:
            if clicked := rng.random() < chance[u, i]:
                engine.record(penchant.Event(users[u], ads[i], "click", now, slate_id=slate.id))
            rows += [] if known is None else [(1.0, known[i], clicked)]
    (x, y), w = np.split(np.array(rows), [2], axis=1), np.zeros((2, 1))
    for _ in range(20):  # Newton's method
        p = 1 / (1 + np.exp(-x @ w))
        w += np.linalg.solve((x.T * (p * (1 - p)).T) @ x, x.T @ (y - p))
    return 1 / (1 + np.exp(-w[0] - w[1] * [scores(engine, user, ads, now) for user in users]))


def earn(policy, learned, chance, items, visits=3000):
    """Return what a day earns, and float[n_ads]: the share of each budget spent at noon."""
    bid, budget = (np.array([item[name] for item in items]) for name in ("bid", "budget"))
    rng, spent, noon = np.random.default_rng(1), np.zeros(len(items)), np.zeros(len(items))
    for n, u in enumerate(rng.integers(len(chance), size=visits)):
        drawn, luck = rng.random((2, len(items)))
        worth = POLICIES[policy](learned[u], bid, spent / budget, drawn)
        i = int(np.argmax(np.where(left := spent + bid <= budget + 1e-9, worth, -1.0)))
        spent[i] += bid[i] * (left[i] and luck[i] < chance[u, i])
        noon = spent / budget if n == visits // 2 else noon
    return float(spent.sum()), noon


if __name__ == "__main__":
    items, chance = world(rng := np.random.default_rng(0))
    with tempfile.TemporaryDirectory() as folder, penchant.open(folder) as engine:
        engine.add(items)
        learned = learn(engine, [item["item_id"] for item in items], chance, rng)
    for policy in POLICIES:
        money, noon = earn(policy, learned, chance, items)
        print(f"{policy:16} earns {money:5.0f}; {np.sum(noon > 0.95):2} budgets are spent at noon")
