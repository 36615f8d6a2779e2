"""What to play for a group of friends: one list made of the lists of its members.

    PENCHANT_DATA=... python examples/groups.py

Listeners of Last.fm and their friends (HetRec 2011, not shipped). Two ways to make one list of
many (Masthoff, Group recommender systems, 2011): by the average of the places an artist has in the
members' lists, and by the worst of them ("least misery").
"""

import os
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

import penchant

DATA = Path(os.environ.get("PENCHANT_DATA", "data")) / "lastfm_hetrec"
DEEP, SIZE = 50, 4  # how much of each list is asked for, and how many are a group


def sample(people=700, least=15):
    """Return artists, half of what people listen to, all of it, and who are friends."""
    names = ("events.parquet", "items.parquet", "user_friends.parquet")
    events, items, pairs = (pl.read_parquet(DATA / name) for name in names)
    chosen = pairs["userID"].value_counts().sort("count", "userID")["userID"][-people:].implode()
    pairs = pairs.filter(pl.all().is_in(chosen))
    every = events.filter(pl.col("user_id").is_in(chosen)).filter(pl.len().over("item_id") >= least)
    # Nothing says when, and the order of a file would be taken for that of the listening.
    told = every.sample(fraction=0.5, shuffle=True, seed=0)
    return items.join(every, on="item_id", how="semi"), told, every, pairs


def groups(told, pairs, count=300):
    """Return people with friends of theirs, the most active of each group first."""
    active, rng = dict(told["user_id"].value_counts().iter_rows()), np.random.default_rng(0)
    found, table = [], pairs.group_by("userID").agg(pl.col("friendID").sort()).sort("userID")
    for one, friends in table.rows():
        if one in active and len(known := [f for f in friends if f in active]) >= SIZE - 1:
            found.append([one, *rng.choice(known, SIZE - 1, replace=False).tolist()])
    return [sorted(found[i], key=active.get)[::-1] for i in rng.permutation(len(found))[:count]]


def merged(lists, k):
    """Return k items of the members' lists for each way; what a list lacks has its last place."""
    places = {i: [x.index(i) if i in x else DEEP for x in lists] for x in lists for i in x}
    average = sorted(places, key=lambda i: sum(places[i]))
    misery = sorted(average, key=lambda i: max(places[i]))
    return {"most active's": lists[0], "average of ranks": average, "least misery": misery}.items()


def prove(folder, k=20, **sizes):
    """Return float[n_groups, 2] by way: how many of k the least happy and a mean member knows."""
    items, told, every, pairs = sample(**sizes)
    likes = {user: set(liked) for user, liked in every.group_by("user_id").agg("item_id").rows()}
    links, found = (penchant.Link(a, "friend", b) for a, b in pairs.iter_rows()), {}
    with penchant.open(folder, effort="fast") as engine:
        engine.add(items.drop("kg_entity"), links=links)
        engine.record(told)
        engine.train()
        for members in groups(told, pairs):
            slates = [engine.recommend(m, DEEP, seen="keep", log=False) for m in members]
            for way, order in merged([[x.item_id for x in slate] for slate in slates], k):
                hits = [len(likes[m] & set(order[:k])) for m in members]
                found.setdefault(way, []).append((min(hits), np.mean(hits)))
    return {way: np.array(rows) for way, rows in found.items()}


if __name__ == "__main__":
    if not DATA.exists():
        raise SystemExit(f"skipped: there is no {DATA}; say where the data is in PENCHANT_DATA")
    with tempfile.TemporaryDirectory() as folder:
        found = prove(folder)
    print(f"Of 20 artists for {SIZE} friends, how many are those of")
    for way, rows in found.items():
        gain, (least, mean) = rows[:, 0] - found["most active's"][:, 0], rows.mean(axis=0)
        print(f"{way:18}{least:.2f} the least happy member, {mean:.2f} a member on average")
        print(f"{'':18}{gain.mean():+.2f}, 95% within {1.96 * gain.std() / len(gain) ** 0.5:.2f}")
