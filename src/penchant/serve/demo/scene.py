"""How the demo looks in a terminal: a person, their history, and lists that move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from penchant.evaluate.simulate import NOTICE, Simulation
from penchant.evaluate.simulate.portraits import Portrait
from penchant.serve.demo.story import Film, Scene, came_true
from penchant.types import Profile

WINDOWS = {"session": "last session", "week": "this week", "all": "all the time"}
SHOWN = 6  # interests, and what may become one
ROSE, FELL, TURNED, QUIET = "green", "red", "bold cyan", "dim"


def heading(world: Simulation) -> RenderableType:
    """Return what the demo is, and that nobody in it exists."""
    return Group(
        Text("Penchant demo", style="bold"),
        Text(NOTICE, style="yellow"),
        Text(
            f"{len(world.items):,} real films, described for this project; "
            f"{len(world.users):,} simulated viewers; {len(world.events):,} events of a year: "
            "what they searched for or came for.",
            style=QUIET,
        ),
    )


def introduction(person: Portrait, world: Simulation, n: int = 6) -> RenderableType:
    """Return a simulated viewer and the films they watched last."""
    shown = _lines()
    for row in world.history(person.user_id, n).iter_rows(named=True):
        watched = "" if row["watched"] is None else f"watched {row['watched']:.0%}"
        stars = "" if row["stars"] is None else "★" * int(row["stars"])
        shown.add_row(
            f"{row['timestamp']:%d %b}",
            "",
            row["title"],
            str(row["year"]),
            ", ".join(row["genres"][:2]),
            Text(f"{watched}  {stars}".strip(), style=QUIET),
        )
    return Group(
        "",
        Rule(Text(f"{person.name}, a simulated viewer", style="bold"), align="left"),
        Text(f"{person.about}. Last seen:", style=QUIET),
        shown,
    )


def first(scene: Scene, known: Mapping[str, Film], person: Portrait) -> RenderableType:
    """Return the list before any event."""
    return Group(
        "", Text(f"What {person.name} is recommended now", style="bold"), _list(scene, known)
    )


def interests(found: Profile, person: Portrait) -> RenderableType:
    """Return what the viewer is interested in by name, and what they may come to like."""
    return Group(
        "",
        Text(f"What {person.name} is interested in", style="bold"),
        _strengths(found),
        Text(f"and may come to like, though {person.name} never touched it:", style=QUIET),
        _prospects(found),
    )


def became(
    before: Profile, now: Profile, clicked: Sequence[str], person: Portrait
) -> RenderableType:
    """Return what became of the viewer's interests, and of what they might have come to like."""
    taken = came_true(before, now, clicked)
    parts: list[RenderableType] = [
        "",
        Rule(style=QUIET),
        Text(f"What became of {person.name}'s interests: those that gained most", style="bold"),
        _strengths(now, before),
        *(
            Text(f"{WINDOWS[one.name]}: {', '.join(one.interests)}", style=QUIET)
            for one in now.windows
            if one.interests
        ),
    ]
    if taken:
        parts.append(Text(f"foreseen before the first click: {', '.join(taken)}", style=TURNED))
    else:
        parts.append(Text("This turn was not foreseen: nothing named before came true."))
    parts += [
        Text(f"What {person.name} may come to like is another list now:", style=QUIET),
        _prospects(now),
    ]
    return Group(*parts)


def _strengths(found: Profile, before: Profile | None = None) -> Table:
    """Return interests as bars, the strongest first; with `before` those that gained most."""
    earlier = {one.name: one.strength for one in before or ()}
    gained = {one.name: one.strength - earlier.get(one.name, 0.0) for one in found}
    order = list(found)
    if before is not None:
        order.sort(key=lambda one: -gained[one.name])
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    strongest = max((one.strength for one in found), default=1.0)
    for one in order[:SHOWN]:
        change = Text()
        if before is not None and one.name not in earlier:
            change = Text("▲ new", style=ROSE)
        elif before is not None and abs(gained[one.name]) >= 0.005:
            points = 100 * gained[one.name]
            change = Text(f"{'▲' if points > 0 else '▼'} {abs(points):.0f}")
            change.stylize(ROSE if points > 0 else FELL)
        bar = Text("█" * max(1, round(20 * one.strength / strongest)), style=TURNED)
        made.add_row(one.name, f"{one.strength:.0%}", bar, change)
    return made


def _prospects(found: Profile) -> Table:
    """Return what a viewer may come to like, with what leads to it."""
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for one in found.prospects[:SHOWN]:
        made.add_row(one.name, Text(one.why, style=QUIET))
    return made


def after(scene: Scene, known: Mapping[str, Film], person: Portrait, genre: str) -> RenderableType:
    """Return one event, and the list that it made."""
    event = scene.event
    assert event is not None
    film = known[event.item_id or ""]
    said = Text.assemble(
        ("▶ ", TURNED),
        (f"{person.name} clicks “{film.title}” ({film.year})", "bold"),
        (f"  {', '.join(film.genres)}", TURNED),
    )
    parts: list[RenderableType] = [
        "",
        Rule(style=QUIET),
        said,
        Text(
            f"stored for good, and answered again, in {scene.milliseconds:.0f} ms: no retraining",
            style=QUIET,
        ),
        _list(scene, known, genre),
    ]
    if scene.left:
        gone = ", ".join(known[item].title for item in scene.left[:6])
        more = f" and {len(scene.left) - 6} more" if len(scene.left) > 6 else ""
        parts.append(Text(f"left the list: {gone}{more}", style=QUIET))
    if scene.sentence:
        parts.append(Text(scene.sentence, style="italic"))
    return Group(*parts)


def ending(
    scenes: Sequence[Scene], known: Mapping[str, Film], genre: str, commands: Sequence[str]
) -> RenderableType:
    """Return what the events changed in numbers, and what to try next."""
    counts = [sum(genre in known[line.item_id].genres for line in s.lines) for s in scenes]
    times = [f"{s.milliseconds:.0f}" for s in scenes if s.event is not None]
    parts: list[RenderableType] = [
        "",
        Rule(style=QUIET),
        Text(f"{genre} among the ten: {' → '.join(map(str, counts))}", style="bold"),
        Text(f"event to next list: {', '.join(times)} ms, on this machine, durable", style=QUIET),
        "",
        Text("Go on from here:", style=QUIET),
        *(Text(f"  {command}") for command in commands),
    ]
    return Group(*parts)


def _list(scene: Scene, known: Mapping[str, Film], genre: str | None = None) -> Table:
    shown = _lines()
    for line in scene.lines:
        film = known[line.item_id]
        turned = genre is not None and genre in film.genres
        shown.add_row(
            f"{line.place}",
            Text() if scene.event is None else _moved(line.moved),
            Text(film.title, style=TURNED if turned else ""),
            str(film.year),
            Text(", ".join(film.genres[:2]), style=TURNED if turned else ""),
            Text(line.because, style=QUIET),
        )
    return shown


def _moved(places: int | None) -> Text:
    if places is None:
        return Text("▲ new", style=ROSE)
    if places == 0:
        return Text("·", style=QUIET)
    return Text(f"▲ {places}", style=ROSE) if places > 0 else Text(f"▼ {-places}", style=FELL)


def _lines() -> Table:
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0), expand=True)
    made.add_column(justify="right", style=QUIET, no_wrap=True, min_width=2)
    made.add_column(no_wrap=True, min_width=5)
    made.add_column(no_wrap=True, ratio=7, overflow="ellipsis")
    made.add_column(no_wrap=True, style=QUIET, min_width=4)
    made.add_column(no_wrap=True, ratio=5, overflow="ellipsis")
    made.add_column(no_wrap=True, ratio=8, overflow="ellipsis")
    return made
