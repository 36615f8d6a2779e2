"""A world small enough to know every answer by heart. Everybody in it is made up.

Four people like westerns (w1..w6), four like space (s1..s6), and nobody crosses over, except Ivy,
who turns. In each group the first film is followed by the second within a minute, always in that
order. So it is known what each person misses, what follows what, what is popular, and what only
text can find.
"""

from __future__ import annotations

import polars as pl

DAY = 86_400
START = 1_700_000_000
"""The second at which the first event happens."""

NOW = START + 30 * DAY
"""A moment after the last event, at which the answers hold."""

WESTERNS = ("w1", "w2", "w3", "w4", "w5", "w6")
SPACE = ("s1", "s2", "s3", "s4", "s5", "s6")

ITEMS: dict[str, tuple[str, str, str]] = {
    "w1": ("Dust Over Abilene", "western", "A sheriff and a cattle baron duel on the prairie."),
    "w2": ("The Last Stagecoach", "western", "Outlaws rob a stagecoach on the prairie."),
    "w3": ("Six Guns at Noon", "western", "A gunfighter faces outlaws at a saloon."),
    "w4": ("Rustlers of Red Canyon", "western", "Cowboys chase cattle rustlers through a canyon."),
    "w5": ("A Rope for the Marshal", "western", "A marshal is framed by a crooked rancher."),
    "w6": ("Saddle and Silver", "western", "Two cowboys defend a silver mine from bandits."),
    "s1": ("Beyond Orion", "space", "A starship crew meets an alien fleet beyond Orion."),
    "s2": ("The Mars Signal", "space", "A signal from Mars calls a starship home."),
    "s3": ("Empire of Comets", "space", "Rebels fight a galactic empire with comets."),
    "s4": ("Orbit of Glass", "space", "An android pilots a station of glass around Saturn."),
    "s5": ("Ten Light Years", "space", "Colonists sleep on a starship for ten light years."),
    "s6": ("The Alien Envoy", "space", "An alien envoy brings peace to the galactic rebels."),
    "cold": ("Guns of the Cold Prairie", "western", "A cowboy and a gunfighter guard the prairie."),
}
"""Item id -> title, category, description. `cold` has no event: only its text tells of it."""

HISTORIES: dict[str, tuple[str, ...]] = {
    "ann": ("w1", "w2", "w3", "w4", "w5"),
    "ben": ("w1", "w2", "w3", "w4", "w6"),
    "cam": ("w1", "w2", "w3", "w5", "w6"),
    "dee": ("w1", "w2", "w4", "w5", "w6"),
    "eve": ("s1", "s2", "s3", "s4", "s5"),
    "fay": ("s1", "s2", "s3", "s4", "s6"),
    "gus": ("s1", "s2", "s3", "s5"),
    "hal": ("s1", "s2", "s4", "s5"),
    "ivy": ("w1", "w2", "w3", "s1", "s2", "s3"),
    "jo": (),
}
"""Who chose what, in order. Jo is known and has done nothing."""

MISSING: dict[str, frozenset[str]] = {
    "ann": frozenset({"w6"}),
    "ben": frozenset({"w5"}),
    "cam": frozenset({"w4"}),
    "dee": frozenset({"w3"}),
    "eve": frozenset({"s6"}),
    "fay": frozenset({"s5"}),
    "gus": frozenset({"s4", "s6"}),
    "hal": frozenset({"s3", "s6"}),
}
"""What each steady person has not had of their group, `cold` apart: the right first answers."""

POPULAR: tuple[frozenset[str], ...] = (
    frozenset({"w1", "w2", "s1", "s2"}),
    frozenset({"w3", "s3"}),
    frozenset({"w4", "w5", "w6", "s4", "s5"}),
    frozenset({"s6"}),
    frozenset({"cold"}),
)
"""The items by number of events (5, 4, 3, 1, 0), the most popular first."""

FOLLOWS: dict[str, str] = {"w1": "w2", "s1": "s2"}
"""What always comes within a minute after the key, and never before it."""


def items() -> pl.DataFrame:
    """Return the items: item_id, title, description, category."""
    rows = [(item_id, title, text, category) for item_id, (title, category, text) in ITEMS.items()]
    return pl.DataFrame(rows, schema=["item_id", "title", "description", "category"], orient="row")


def users() -> pl.DataFrame:
    """Return the people: user_id."""
    return pl.DataFrame({"user_id": list(HISTORIES)})


def events() -> pl.DataFrame:
    """Return the clicks in order of time: event_id, user_id, item_id, event, timestamp (seconds).

    Everybody begins on a day of their own and chooses one item a day, except that the second item
    comes a minute after the first; so does Ivy's second space film, after her turn.
    """
    rows = []
    for person, (user_id, history) in enumerate(HISTORIES.items()):
        time = START + person * DAY
        for place, item_id in enumerate(history):
            if place:
                time += 60 if FOLLOWS.get(history[place - 1]) == item_id else DAY
            rows.append((f"{user_id}-{place}", user_id, item_id, "click", time))
    columns = ["event_id", "user_id", "item_id", "event", "timestamp"]
    return pl.DataFrame(rows, schema=columns, orient="row").sort("timestamp", maintain_order=True)
