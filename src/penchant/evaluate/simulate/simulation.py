"""The demo shelf with a year of simulated viewers: frames for the engine, and the truth for tests.

Nobody in it exists. Ids are "viewer-017" or a first name, and the attributes of every viewer say
`"simulated": true`; whatever shows them has to say so too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl

from penchant.evaluate.simulate import shelf
from penchant.evaluate.simulate.portraits import PORTRAITS, Portrait
from penchant.evaluate.simulate.truth import Truth, draw_truth
from penchant.evaluate.simulate.viewers import Drift, draw_viewers
from penchant.evaluate.simulate.visits import DAY, plan_visits, walk
from penchant.types import Event, InvalidInput

NOTICE = "The viewers are simulated: no person watched, searched for or reviewed these films."
"""Shown wherever the simulation is."""

START = 1_735_689_600.0
"""2025-01-01 00:00 UTC, a Wednesday."""

_PER_VISIT = 2.55
_LATE_FILMS = 0.14
_MICROS = 1_000_000


@dataclass(frozen=True)
class Simulation:
    """A shelf of real films and a log of simulated viewers.

    `items` (item_id, title, description, category, tags, released, attributes), `users` (user_id,
    attributes), `links` (head, relation, tail, weight), `events` (event_id, user_id, item_id,
    event, timestamp, value, slate_id, text, context), in order of time. `impressions` are the lists
    as they were shown, one row a film: slate_id, user_id, timestamp, context, choices (how many
    films could have been drawn first), item_id, position (from 1), propensity (given the films
    above), clicked. A watch's value is the share of the film that was watched, a rating's and a
    review's are 1 to 5 stars; a context is a JSON object.
    """

    items: pl.DataFrame
    users: pl.DataFrame
    links: pl.DataFrame
    events: pl.DataFrame
    impressions: pl.DataFrame
    truth: Truth
    portraits: tuple[Portrait, ...]
    seed: int

    @property
    def start(self) -> float:
        """Return the first second of the simulated period."""
        return self.truth.start

    @property
    def end(self) -> float:
        """Return the second at which the simulated period ends; nothing is later."""
        return self.truth.end

    def history(self, user_id: str, n: int = 10, until: float | None = None) -> pl.DataFrame:
        """Return a simulated viewer's last n films with titles, latest first.

        Columns: item_id, title, year, genres, timestamp, watched (share, null if only clicked),
        stars.
        """
        mine = self.events.filter(
            pl.col("user_id") == user_id, pl.col("item_id").is_not_null(), pl.col("event") != "skip"
        )
        if until is not None:
            mine = mine.filter(pl.col("timestamp").dt.epoch("us") <= round(until * _MICROS))
        watched = pl.col("value").filter(pl.col("event") == "watch").last()
        stars = pl.col("value").filter(pl.col("event").is_in(["rating", "review"])).last()
        return (
            mine.group_by("item_id", maintain_order=True)
            .agg(pl.col("timestamp").max(), watched=watched, stars=stars)
            .sort("timestamp", descending=True)
            .head(n)
            .join(shelf.films().select("item_id", "title", "year", "genres"), on="item_id")
            .sort("timestamp", descending=True)
            .select("item_id", "title", "year", "genres", "timestamp", "watched", "stars")
        )

    def turn(
        self,
        user_id: str,
        genre: str,
        n: int = 3,
        event: str = "click",
        now: float | None = None,
    ) -> tuple[Event, ...]:
        """Return n events, a minute apart from `now` on, by which a viewer turns to a genre.

        They choose films of that genre that they have not touched and that share no genre with
        what they love most, the most popular ones first; `now` is the end of the period if absent.
        """
        mine = self.events.filter(pl.col("user_id") == user_id)
        loved = next(iter(self.truth.taste(user_id, self.end)["genre"]), None)
        films = shelf.films().filter(
            pl.col("genres").list.contains(genre),
            ~pl.col("item_id").is_in(mine["item_id"].drop_nulls().unique().to_list()),
        )
        if loved is not None and loved != genre:
            films = films.filter(~pl.col("genres").list.contains(loved))
        if len(films) < n:
            raise InvalidInput(
                f"expected {n} films of genre {genre!r} that {user_id!r} has not touched, "
                f"there are {len(films)}; genres are {list(genres())}"
            )
        clicks = self.events.filter(pl.col("event") == "click")["item_id"].value_counts()
        films = films.join(clicks, on="item_id", how="left").sort(
            pl.col("count").fill_null(0), "item_id", descending=[True, False]
        )
        first = self.end if now is None else now
        return tuple(
            Event(user_id, item_id, event, timestamp=first + 60.0 * i)
            for i, item_id in enumerate(films["item_id"].head(n))
        )

    def write(self, directory: Path) -> dict[str, Path]:
        """Return the paths of the frames written as parquet into an existing folder."""
        frames = {
            "items": self.items,
            "users": self.users,
            "links": self.links,
            "events": self.events,
            "impressions": self.impressions,
        }
        paths = {name: directory / f"{name}.parquet" for name in frames}
        for name, frame in frames.items():
            frame.write_parquet(paths[name])
        return paths


def genres() -> tuple[str, ...]:
    """Return the genres of the shelf in alphabetical order."""
    facets = shelf.facets()
    return tuple(facets.names[j][1] for j in facets.of_kind("genre"))


def simulate(
    seed: int = 0,
    n_users: int = 400,
    n_events: int = 30_000,
    days: float = 365.0,
    start: float = START,
    drift: Drift = "any",
) -> Simulation:
    """Return the demo shelf with simulated viewers: the same seed gives the same world.

    A quarter of the viewers turn to another genre: to any, or, where `drift` is "latent", to one
    that is like the one they love and that they were faintly inclined to all along. `n_events` is
    met within a few per cent. `start` (seconds) is rounded down to midnight; about one film in
    seven joins the shelf during the period, the others were there before it.
    """
    if n_users < 1 or n_events < 0 or not 14 <= days <= 3660:
        raise InvalidInput(
            f"expected at least 1 viewer, 0 events and 14 to 3660 days; got {n_users} viewers, "
            f"{n_events} events, {days} days"
        )
    if drift not in get_args(Drift):
        raise InvalidInput(f"drift is one of {', '.join(get_args(Drift))}; got {drift!r}")
    start = float(np.floor(start / DAY) * DAY)
    end = start + days * DAY
    # Streams of their own: more events leave the same viewers with the same tastes.
    of_viewers, of_films, of_visits, of_acts = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(4)
    )
    facets = shelf.facets()
    item_ids = tuple(shelf.films()["item_id"])
    late = of_films.random(len(item_ids)) < _LATE_FILMS
    released = np.where(
        late,
        start + of_films.uniform(0.02, 0.98, len(item_ids)) * (end - start),
        start - of_films.uniform(1.0, 720.0, len(item_ids)) * DAY,
    )
    released = np.floor(released / DAY) * DAY
    viewers = draw_viewers(n_users, facets, of_viewers, drift)
    truth = draw_truth(item_ids, facets, viewers, released, (start, end), of_films)
    visits = plan_visits(truth, round(n_events / _PER_VISIT), of_visits)
    rows = walk(truth, visits, of_acts)
    return Simulation(
        items=shelf.items(_times(released)),
        users=pl.DataFrame(
            {
                "user_id": viewers.ids,
                "attributes": [json.dumps(row, ensure_ascii=False) for row in viewers.attributes],
            },
            schema={"user_id": pl.String, "attributes": pl.String},
        ),
        links=shelf.links(),
        events=_events(rows.events, seed),
        impressions=_impressions(rows.impressions),
        truth=truth,
        portraits=PORTRAITS[:n_users],
        seed=seed,
    )


def _times(seconds: Sequence[float] | shelf.Reals) -> pl.Series:
    micros = np.round(np.asarray(seconds, dtype=np.float64) * _MICROS).astype(np.int64)
    return pl.Series(micros, dtype=pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _events(rows: list[tuple[Any, ...]], seed: int) -> pl.DataFrame:
    """Return the event rows as a frame in order of time, with ids that tell the seed."""
    schema = {
        "user_id": pl.String,
        "item_id": pl.String,
        "event": pl.String,
        "timestamp": pl.Float64,
        "value": pl.Float64,
        "slate_id": pl.String,
        "text": pl.String,
        "context": pl.String,
    }
    frame = pl.DataFrame(rows, schema=schema, orient="row").sort("timestamp", maintain_order=True)
    ids = [f"simulated-{seed}-{i:07d}" for i in range(len(frame))]
    return frame.with_columns(_times(frame["timestamp"].to_numpy()).alias("timestamp")).select(
        pl.Series("event_id", ids, dtype=pl.String), *schema
    )


def _impressions(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    schema = {
        "slate_id": pl.String,
        "user_id": pl.String,
        "timestamp": pl.Float64,
        "context": pl.String,
        "choices": pl.Int64,
        "item_id": pl.String,
        "position": pl.Int64,
        "propensity": pl.Float64,
        "clicked": pl.Boolean,
    }
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(_times(frame["timestamp"].to_numpy()).alias("timestamp"))
