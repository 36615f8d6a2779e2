"""How the demo looks in a terminal: a person, their history, and lists that move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from penchant.evaluate.simulate import NOTICE, Simulation
from penchant.evaluate.simulate.portraits import Portrait
from penchant.serve.demo.story import Film, Scene

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
