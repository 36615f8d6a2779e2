"""One click moves a viewer's list at once, and so does the company they watch in.

    python examples/films.py

Real films; the viewers are simulated, and what they want is known.
"""

import json
import tempfile

import numpy as np
import polars as pl

import penchant
from penchant.evaluate.simulate import NOTICE, simulate

FAMILY = {"company": "family", "daypart": "morning", "device": "tablet"}
FRIENDS = {"company": "friends", "daypart": "night", "device": "tv"}
BRIGHT, DARK = {"family", "animation"}, {"horror", "thriller"}


def share(lists, genres, wanted):
    """Return the share of the films in lists of item ids that have one of the wanted genres."""
    return float(np.mean([bool(genres[item] & wanted) for one in lists for item in one]))


def clicks(engine, world, genres, person, genre, now):
    """Return the titles before any click, after each of three, and the share of the genre."""
    known = dict(world.items.select("item_id", "title").iter_rows())
    lists = [[line.item_id for line in engine.recommend(person, 10, now=now)]]
    for event in world.turn(person, genre, 3, now=now):
        engine.record(event, now=event.timestamp)
        slate = engine.recommend(person, 10, now=event.timestamp)
        lists.append([line.item_id for line in slate])
    titles = [[known[item] for item in one] for one in lists]
    return titles, [share([one], genres, {genre}) for one in lists]


def contexts(engine, world, genres, people, now):
    """Return shares of bright and dark films in two contexts, the engine's and the truth's."""
    found = {}
    for name, context in (("family", FAMILY), ("friends", FRIENDS)):
        slates = [engine.recommend(p, 10, context=context, now=now, log=False) for p in people]
        lists = [[line.item_id for line in slate] for slate in slates]
        worth = world.truth.matrix(now, context)[[world.truth.user_number[p] for p in people]]
        best = [[world.truth.item_ids[i] for i in row[:10]] for row in np.argsort(-worth)]
        found[name] = [share(x, genres, wanted) for wanted in (BRIGHT, DARK) for x in (lists, best)]
    return found


def prove(world, folder, person="keiko", genre="western"):
    """Return what `clicks` and `contexts` find on a shelf that has learned."""
    rows = world.items.select("item_id", "attributes").iter_rows()
    genres = {item: set(json.loads(text)["genres"]) for item, text in rows}
    chosen = world.events.filter(pl.col("slate_id").is_null())  # not from a list they were shown
    with penchant.open(folder, effort="fast") as engine:
        engine.add(world.items, users=world.users, links=world.links)
        engine.record(chosen, now=world.end)
        engine.train()
        people = world.users["user_id"].to_list()[:60]
        moved = contexts(engine, world, genres, people, world.end)
        return clicks(engine, world, genres, person, genre, world.end), moved


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        (titles, shares), moved = prove(simulate(n_users=120, n_events=9_000), folder)
    print(NOTICE)
    print("Keiko loves samurai. Before:", "; ".join(titles[0][:5]))
    print("After three clicks on westerns:", "; ".join(titles[-1][:5]))
    print("westerns among the ten:", " -> ".join(f"{10 * s:.0f}" for s in shares))
    for name, (bright, truly_bright, dark, truly_dark) in moved.items():
        print(f"with {name:8} family films and animation {bright:.2f} (truth {truly_bright:.2f}),")
        print(f"{'':14}horror and thrillers {dark:.2f} (truth {truly_dark:.2f})")
