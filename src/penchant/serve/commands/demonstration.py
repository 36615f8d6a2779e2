"""The command that shows what this is: demo."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penchant.serve.commands.arguments import Effort, Json, need_learning
from penchant.serve.commands.terminal import Terminal
from penchant.types import InvalidInput, Slate

if TYPE_CHECKING:
    from penchant.evaluate.simulate.portraits import Portrait

VIEWERS, EVENTS = 400, 60_000
VIEWER, GENRE = "keiko", "western"


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(demo)


def demo(
    directory: Annotated[Path, typer.Argument(help="Where the demo's shelf goes.")] = Path(
        "demo-shelf"
    ),
    viewer: Annotated[
        str, typer.Option(help="Who it is about: a named simulated viewer.")
    ] = VIEWER,
    genre: Annotated[str, typer.Option(help="What they turn to.")] = GENRE,
    events: Annotated[int, typer.Option(min=1, max=10, help="How many events.")] = 3,
    effort: Effort = "fast",
    seed: Annotated[int, typer.Option(help="Which simulated world.")] = 0,
    pace: Annotated[
        float | None, typer.Option(help="Seconds between the scenes; 2 in a terminal.")
    ] = None,
    json: Json = False,
) -> None:
    """Show how one event changes the next answer, and why. Ends by itself.

    Builds a shelf of about 700 real films and simulated viewers, learns, and lets one viewer turn
    to another genre, one click at a time.
    """
    from penchant.engine import Engine
    from penchant.evaluate.simulate import simulate
    from penchant.serve.commands.answering import reasons
    from penchant.serve.demo import scene, story

    need_learning(effort)
    terminal = Terminal(json)
    waits = pace if pace is not None else 2.0 if terminal.out.is_terminal and not json else 0.0
    filled = story.prepare(directory, seed, effort)
    began = time.monotonic()
    with terminal.busy("simulating viewers"):
        whole = simulate(seed, n_users=VIEWERS, n_events=EVENTS)
    person = _portrait(whole.portraits, viewer)
    turns = whole.turn(person.user_id, genre, events)
    world = story.unled(whole)
    known = story.films(world)
    terminal.show(scene.heading(world))
    with terminal.busy("opening the shelf (the first time, the language model is exported)"):
        engine = Engine(directory, effort=effort)
    with engine:
        if not filled:
            with terminal.busy("storing films and events"):
                story.fill(engine, world)
        elif story.take_back(engine):
            terminal.note("The events of an earlier telling were undone.")
        if engine.recommend(person.user_id, 1, now=world.end, log=False).snapshot == "untrained":
            with terminal.steps("learning") as tell:
                engine.train(progress=tell, seed=seed)
        terminal.note(f"Ready after {time.monotonic() - began:.0f} s (effort {effort}).")
        terminal.show(scene.introduction(person, world))
        categories = {item: film.genres[0] for item, film in known.items()}

        def why(slate: Slate) -> dict[str, str]:
            return reasons(engine, slate, categories, 1)

        before = engine.expand(person.user_id, now=world.end, local=True)
        terminal.show(scene.interests(before, person))
        scenes = []
        for one in story.tell(engine, turns, known, why, now=world.end):
            if one.event is None:
                terminal.show(scene.first(one, known, person))
            else:
                terminal.show(scene.after(one, known, person, genre))
            scenes.append(one)
            time.sleep(waits)
        last = turns[-1].timestamp
        assert isinstance(last, float)
        since = engine.expand(person.user_id, now=last, local=True)
        clicked = [one.item_id for one in turns if one.item_id is not None]
        terminal.show(scene.became(before, since, clicked, person))
    at = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(world.end + 60 * events))
    name = "penchant" if shutil.which("penchant") else sys.argv[0]
    commands = [
        f"{name} recommend {directory} {person.user_id} --now {at}",
        f"{name} interests {directory} {person.user_id} --now {at}",
        f"{name} similar {directory} {turns[0].item_id}",
        f"{name} demo {directory} --viewer ada --genre 'space opera'",
        f"{name} doctor {directory}",
    ]
    terminal.answer(
        {
            "directory": str(directory),
            "simulated": True,
            "viewer": person.user_id,
            "genre": genre,
            "scenes": [asdict(one) for one in scenes],
            "interests": {"before": asdict(before), "after": asdict(since)},
            "came_true": story.came_true(before, since, clicked),
        },
        scene.ending(scenes, known, genre, commands),
    )


def _portrait(portraits: tuple[Portrait, ...], viewer: str) -> Portrait:
    found = next((one for one in portraits if one.user_id == viewer.lower()), None)
    if found is None:
        names = ", ".join(one.user_id for one in portraits)
        raise InvalidInput(f"--viewer is one of the simulated viewers {names}; got {viewer!r}")
    return found
