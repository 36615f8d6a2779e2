"""The demo as data: a shelf of films, simulated viewers, and what each event does to the next list.

Nothing here is special to the demo but the shelf: every answer comes from the engine's own verbs.
"""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

import penchant
from penchant.evaluate.simulate import Simulation
from penchant.types import Error, Event, InvalidInput, Profile, Slate

if TYPE_CHECKING:
    from penchant.engine import Engine

DEEP = 100
"""How far down the list before an event is remembered, to tell how far a film has come."""

_FILE = "demo.json"
_FORMAT = 1


class NoDemo(Error):
    """A directory that is something else than the demo's shelf."""


@dataclass(frozen=True, slots=True)
class Film:
    """What is shown of a film."""

    title: str
    year: int
    genres: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a list. `before` is its place before the event, None if below `DEEP`."""

    item_id: str
    place: int
    before: int | None
    because: str

    @property
    def moved(self) -> int | None:
        """How many places it rose (negative: fell), None where it was not to be seen before."""
        return None if self.before is None else self.before - self.place


@dataclass(frozen=True, slots=True)
class Scene:
    """One answer: the event that came before it (None at first), its lines, and what they show.

    `milliseconds` is the time from handing in the event to holding the next list; `left` are the
    items the event drove out of it; `told` is the line that `sentence` explains: of those that rose
    and share the event's genre the highest, else the one that rose most.
    """

    event: Event | None
    lines: tuple[Line, ...]
    left: tuple[str, ...]
    milliseconds: float
    told: str
    sentence: str


def unled(world: Simulation) -> Simulation:
    """Return the world with what viewers searched for or came for by themselves.

    What they chose from lists they were shown is left out: those lists were made of popular films,
    and a click on one says more about the list than about the person.
    """
    return dataclasses.replace(world, events=world.events.filter(pl.col("slate_id").is_null()))


def films(world: Simulation) -> Mapping[str, Film]:
    """Return what is shown of each film, by item id."""
    rows = world.items.select("item_id", "title", "attributes").iter_rows()
    out = {}
    for item_id, title, attributes in rows:
        known = json.loads(attributes)
        out[item_id] = Film(title, known["year"], tuple(known["genres"]))
    return out


def prepare(directory: Path, seed: int, effort: str) -> bool:
    """Return whether the directory holds this very demo already, with its events of before.

    A fresh or empty directory is marked as the demo's; NoDemo for any other.
    """
    marks = {"format": _FORMAT, "version": penchant.__version__, "seed": seed, "effort": effort}
    path = directory / _FILE
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        if {name: found.get(name) for name in marks} != marks:
            raise NoDemo(
                f"{directory} holds the demo with other settings or of another version; remove "
                "it, or choose another directory"
            )
        return bool(found["filled"])
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise NoDemo(f"{directory} exists and is not the demo's; choose another directory")
    directory.mkdir(parents=True, exist_ok=True)
    _write(directory, marks | {"filled": False, "told": []})
    return False


def fill(engine: Engine, world: Simulation) -> None:
    """Put the films and the simulated log into the shelf."""
    engine.add(world.items, users=world.users, links=world.links)
    engine.record(world.events, now=world.end)
    _note(engine.directory, filled=True)


def take_back(engine: Engine) -> int:
    """Return how many events of an earlier telling were undone, so that it can be told again."""
    told = json.loads((engine.directory / _FILE).read_text(encoding="utf-8"))["told"]
    undone = sum(engine.undo(event_id) for event_id in told)
    _note(engine.directory, told=[])
    return undone


def tell(
    engine: Engine,
    events: Sequence[Event],
    known: Mapping[str, Film],
    why: Callable[[Slate], Mapping[str, str]],
    *,
    now: float,
    k: int = 10,
) -> Iterator[Scene]:
    """Yield the list of the person of `events` at `now`, then the list after each event."""
    if not events:
        raise InvalidInput("expected at least one event to tell, got none")
    person = events[0].user_id
    slate = engine.recommend(person, k, now=now)
    yield Scene(None, _lines(slate, {}, why), (), 0.0, "", "")
    for event in events:
        before = {line.item_id: line.rank for line in (*slate, *slate.more(DEEP - k))}
        shown = [line.item_id for line in slate]
        assert isinstance(event.timestamp, float)
        assert event.item_id is not None
        named = dataclasses.replace(event, event_id=f"demo-{uuid.uuid4().hex}")
        _note(engine.directory, told=[named.event_id], more=True)
        began = time.perf_counter()
        engine.record(named, now=event.timestamp)
        slate = engine.recommend(person, k, now=event.timestamp)
        took = 1000 * (time.perf_counter() - began)
        lines = _lines(slate, before, why)
        there = {line.item_id for line in lines} | {event.item_id}
        left = tuple(item for item in shown if item not in there)
        told = _told(lines, known, known[event.item_id].genres[0])
        sentence = engine.explain(slate, told).sentence if told else ""
        yield Scene(event, lines, left, took, told, sentence)


def came_true(before: Profile, now: Profile, clicked: Iterable[str]) -> tuple[str, ...]:
    """Return what somebody might have come to like, and does since they clicked these items."""
    items = set(clicked)
    known = {one.name for one in now if items & set(one.evidence)}
    return tuple(one.name for one in before.prospects if one.name in known)


def _lines(
    slate: Slate, before: Mapping[str, int], why: Callable[[Slate], Mapping[str, str]]
) -> tuple[Line, ...]:
    because = why(slate)
    return tuple(
        Line(line.item_id, line.rank, before.get(line.item_id), because[line.item_id])
        for line in slate
    )


def _told(lines: Sequence[Line], known: Mapping[str, Film], genre: str) -> str:
    """Return the item of the line that is worth explaining."""
    risen = {line.item_id: DEEP if line.moved is None else line.moved for line in lines}
    for line in lines:
        if genre in known[line.item_id].genres and risen[line.item_id] > 0:
            return line.item_id
    return max(risen, key=lambda item: risen[item], default="")


def _note(directory: Path, *, more: bool = False, **values: Any) -> None:
    """Keep values in the demo's own file; with `more`, lists grow instead of being replaced."""
    known = json.loads((directory / _FILE).read_text(encoding="utf-8"))
    if more:
        values = {name: [*known[name], *value] for name, value in values.items()}
    _write(directory, known | values)


def _write(directory: Path, values: Mapping[str, Any]) -> None:
    fresh = directory / f".{_FILE}"
    fresh.write_text(json.dumps(values, indent=1), encoding="utf-8")
    fresh.replace(directory / _FILE)
