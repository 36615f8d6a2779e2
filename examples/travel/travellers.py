"""Simulated travellers whose tastes are known: what they would visit, where, when, in what weather.

    world = simulate(seed=0)
    world.events    # dicts: who visited what, when, and in which context
    world.utility("traveller-7", "louvre", {"weather": "rain", "season": "winter"})

The sights are real, the travellers are not. What a traveller gets out of a sight is the sum of

    taste      what they love or dislike: categories, and tags that several sights share
    quality    what everybody thinks of the sight
    price      each level costs some travellers more than others
    distance   -FAR * log(1 + km / NEAR), from where they stand
    season     a sight in the open is better in its best seasons and worse in the others
    weather    rain drives indoors, sun to beaches, parks and views; each sight says what suits it
    daypart    a sight outside its best hours is worth less
    company    families, friends, couples and people alone look for different things

and they choose by a multinomial logit (McFadden, 1974) among all sights they have not visited.
What a context leaves out adds nothing.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

SIGHTS = Path(__file__).with_name("sights.jsonl")
START, DAYS = datetime(2024, 1, 1, tzinfo=UTC), 730
FAR, NEAR, EARTH = 1.5, 2.0, 6371.0  # a weight, then kilometres
HOURS = {"morning": 9, "afternoon": 14, "evening": 19, "night": 23}
SUNNY = {"beach": 1.2, "park": 0.7, "garden": 0.6, "viewpoint": 0.6, "walk": 0.4}
COMPANY = {
    "alone": {"museum": 0.4, "temple": 0.3, "walk": 0.3},
    "couple": {"viewpoint": 0.6, "garden": 0.5, "theatre": 0.5, "nightlife": -0.3},
    "family": {"children": 1.2, "aquarium": 0.8, "park": 0.5, "beach": 0.4, "nightlife": -1.5},
    "friends": {"food street": 0.6, "nightlife": 0.8, "bars": 0.8, "market": 0.3, "church": -0.4},
}
SNOWY = {"Kyoto", "Tokyo", "Istanbul", "Paris", "London", "Berlin", "Vienna", "New York"}


def kilometres(latitude, longitude, latitudes, longitudes):
    """Return the great-circle distance from one place to each of many, degrees to kilometres."""
    a, o, b, p = map(np.radians, (latitude, longitude, latitudes, longitudes))
    half = np.sin((b - a) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin((p - o) / 2) ** 2
    return 2 * EARTH * np.arcsin(np.sqrt(np.clip(half, 0, 1)))


def season(moment, latitude):
    """Return the season of a place: half a year later in the southern hemisphere."""
    names = ("winter", "spring", "summer", "autumn")
    return names[(moment.month % 12 // 3 + (2 if latitude < 0 else 0)) % 4]


@dataclass(frozen=True)
class World:
    """`sights` and `events` (dicts, in order of time), `users` (ids), and the truth behind them.

    `taste` float64[n_users, n_facets] weighs `facets`, the categories and tags that `holds`
    bool[n_sights, n_facets] marks; `quality` float64[n_sights], `thrift` float64[n_users].
    """

    sights: list
    facets: list
    holds: np.ndarray
    users: list
    taste: np.ndarray
    quality: np.ndarray
    thrift: np.ndarray
    events: list

    def utility(self, user_id, item_id, context):
        """Return what one sight is worth to one traveller in a context."""
        at = [s["item_id"] for s in self.sights].index(item_id)
        return float(self.utilities(user_id, context)[at])

    def utilities(self, user_id, context):
        """Return float64[n_sights]: what each sight is worth to one traveller in a context."""
        u, price = self.users.index(user_id), np.array([s["price_level"] for s in self.sights])
        worth = self.holds @ self.taste[u] + self.quality - self.thrift[u] * price
        return worth + self.moment(context)

    def moment(self, context):
        """Return float64[n_sights]: what the context alone adds, the same for everybody."""
        added, outdoors = np.zeros(len(self.sights)), ~np.array([s["indoor"] for s in self.sights])
        if "latitude" in context:
            places = np.array([(s["latitude"], s["longitude"]) for s in self.sights])
            far = kilometres(context["latitude"], context["longitude"], *places.T)
            added -= FAR * np.log1p(far / NEAR)
        if "season" in context:
            good = np.array([context["season"] in s["best_seasons"] for s in self.sights])
            added += np.where(outdoors, np.where(good, 0.5, -1.5), 0.0)
        if "weather" in context:
            sun = context["weather"] == "sun"
            added -= [1.5 * (context["weather"] not in s["weather"]) for s in self.sights]
            added += [sun * SUNNY.get(s["category"], 0.0) for s in self.sights]
            added += np.where(sun, 0.0, np.where(outdoors, -0.7, 0.7))
        if "daypart" in context:
            added -= [2.0 * (context["daypart"] not in s["best_dayparts"]) for s in self.sights]
        for name, weight in COMPANY.get(context.get("company"), {}).items():
            added += weight * self.holds[:, self.facets.index(name)]
        return added


def simulate(travellers=300, trips=5, seed=0):
    """Return a World: `travellers` make about `trips` journeys each, of six visits, in `DAYS`."""
    rng = np.random.default_rng(seed)
    sights = [json.loads(line) for line in SIGHTS.read_text(encoding="utf-8").splitlines()]
    names = [{s["category"], *s["tags"]} for s in sights]
    kinds = sorted({s["category"] for s in sights})
    tags = sorted(set().union(*names) - set(kinds))
    facets = kinds + [t for t in tags if sum(t in n for n in names) > 2]
    holds = np.array([[f in n for f in facets] for n in names])
    taste = rng.normal(0, 0.2, (travellers, len(facets)))
    for row in taste:
        loved = rng.choice(len(kinds), 3, replace=False)
        row[loved] += (2.0, 1.5, -1.5)
        row[len(kinds) + rng.choice(len(facets) - len(kinds), 5, replace=False)] += 1.2
    quality, thrift = rng.normal(0, 0.4, len(sights)), rng.uniform(0, 0.4, travellers)
    users = [f"traveller-{u}" for u in range(travellers)]
    world = World(sights, facets, holds, users, taste, quality, thrift, [])
    for u in range(travellers):
        new, days = np.ones(len(sights), bool), rng.permutation(DAYS - 5)
        for day in np.sort(days[: 1 + rng.poisson(trips - 1)]):
            world.events.extend(journey(world, u, START + timedelta(int(day)), new, rng))
    world.events.sort(key=lambda e: (e["timestamp"], e["user_id"]))
    return world


def journey(world, u, first, new, rng):
    """Yield the visits of three days in one city; `new` marks what the traveller has not seen."""
    home = world.sights[rng.integers(len(world.sights))]
    hotel = np.array([home["latitude"], home["longitude"]]) + rng.normal(0, 0.01, 2)
    company = str(rng.choice(list(COMPANY)))
    for day in range(3):
        place, today = hotel, season(first, hotel[0])
        snow = today == "winter" and home["city"] in SNOWY
        weather = str(rng.choice(["sun", "rain", "snow"][: 2 + snow]))
        for part in sorted(rng.choice(list(HOURS), 2, replace=False), key=HOURS.get):
            context = dict(zip(("latitude", "longitude"), map(float, place.round(3)), strict=True))
            context |= dict(season=today, weather=weather, daypart=str(part), company=company)
            worth = world.utilities(world.users[u], context) + rng.gumbel(size=len(new))
            chosen = int(np.argmax(np.where(new, worth, -np.inf)))
            new[chosen], sight = False, world.sights[chosen]
            place = np.array([sight["latitude"], sight["longitude"]])  # one goes on from there
            when = first + timedelta(day, 60 * (60 * HOURS[part] + int(rng.integers(120))))
            visit = dict(event="visit", timestamp=when.timestamp(), **context)
            yield dict(user_id=world.users[u], item_id=sight["item_id"], **visit)
