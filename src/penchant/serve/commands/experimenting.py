"""The command about experiments: who is in them, what they showed, and stopping by hand."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from penchant.serve.commands.arguments import Json, NoShelf, Now, Shelf, Url, is_shelf, moment
from penchant.serve.commands.terminal import Terminal, day, facts, table
from penchant.types import InvalidInput

if TYPE_CHECKING:
    from penchant.evaluate.experiment.results import Comparison, Result

_COLOURS = {"better": "green", "worse": "red", "not to be trusted": "red"}


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(experiment)


def experiment(
    shelf: Shelf,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One of them.")] = None,
    stop: Annotated[
        str | None, typer.Option(metavar="VARIANT", help="Stop it: the control for everybody.")
    ] = None,
    lift: Annotated[
        str | None, typer.Option(metavar="VARIANT", help="Let it run again, counted from now.")
    ] = None,
    why: Annotated[str, typer.Option(help="A reason that is kept with a stop.")] = "",
    now: Now = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Show what experiments showed so far, with intervals; stop a variant, or lift a stop.

    Experiments are sections [experiments.NAME] of penchant.toml; docs/experiments.md says how.
    """
    from penchant.evaluate.experiment.measured import Measured
    from penchant.rank.answer.stops import Stops
    from penchant.store.open import open_store

    terminal = Terminal(json)
    if url is None and not is_shelf(shelf):
        raise NoShelf(f"{shelf} is no recommender yet; name its directory")
    clock = moment(now)
    clock = time.time() if clock is None else clock
    if (stop or lift) and (name is None or (stop and lift)):
        raise InvalidInput("name the experiment, and either --stop or --lift one of its variants")
    with open_store(shelf, url, read_only=True) as store:
        measured = Measured(store)
        with terminal.busy("counting"):
            measured.follow(settle=True)
        found = [one for one in measured.results(clock) if name in (None, one.name)]
        if name is not None and not found:
            known = ", ".join(one.name for one in measured.results(clock)) or "none"
            raise InvalidInput(f"no experiment {name!r} is in penchant.toml; there are {known}")
        if stop or lift:
            _change(found[0], stop, lift, why, clock, Stops(store.directory))
            measured.follow(settle=True)
            found = [one for one in measured.results(clock) if one.name == name]
    parts: list[RenderableType] = []
    for one in found:
        parts += list(_shown(one))
    terminal.answer(
        [one.as_data() for one in found],
        *(parts or ["No experiment: add a section [experiments.NAME] to penchant.toml."]),
    )


def _change(
    found: Result, stop: str | None, lift: str | None, why: str, now: float, stops: Any
) -> None:
    from penchant.rank.answer.experiments import CONTROL
    from penchant.rank.answer.stops import Stop

    variant = stop or lift
    variants = [one for one in found.shares if one != CONTROL]
    if variant not in variants:
        raise InvalidInput(
            f"experiment {found.name!r} has no variant {variant!r}; it has {', '.join(variants)}"
        )
    if stop and not stops.stop(
        found.name, stop, Stop(now, "hand", why or "by hand", found.as_data())
    ):
        raise InvalidInput(f"variant {stop!r} of {found.name!r} was stopped before")
    if lift and not stops.lift(found.name, lift, now):
        raise InvalidInput(f"variant {lift!r} of {found.name!r} was not stopped; it runs")


def _shown(one: Result) -> list[RenderableType]:
    period = f"{_when(one.start, 'always')} to {_when(one.end, 'always')}"
    parts: list[RenderableType] = [
        Text(f"\n{one.name}", style="bold"),
        facts({"state": one.state, "period": f"{period} UTC", "crossed over": one.crossed}),
    ]
    if one.why:
        parts.append(Text(f"✗ every experiment is halted: {one.why}", style="red"))
    if not one.trusted:
        parts.append(
            Text(
                "✗ NOT TO BE TRUSTED: that people are so unevenly split has a probability of "
                f"{one.ratio_p:.1g}. Some are lost in one variant, or shares were changed after "
                "the start. Find out why before you believe anything below.",
                style="bold red",
            )
        )
    people = table("variant", "people", "share asked for", "state")
    for name, n in one.people.items():
        stopped = one.stops.get(name)
        state = ""
        if stopped is not None:
            state = f"stopped {day(stopped.at)} by {stopped.by}: {stopped.why}"
        people.add_row(name, f"{n:,}", f"{one.shares[name]:.1%}", state)
    parts.append(people)
    if one.comparisons:
        rows = table("metric", "variant", "control", "its own", "difference, at every look", "")
        for each in one.comparisons:
            rows.add_row(*_row(each))
        parts.append(rows)
    return parts


def _row(one: Comparison) -> tuple[RenderableType, ...]:
    effect = one.effect
    size = f"{effect.difference:+.4g} [{effect.low:+.4g}, {effect.high:+.4g}]"
    if not math.isnan(effect.relative):
        size += f" {effect.relative:+.1%}"
    return (
        f"{one.metric} *" if one.decides else one.metric,
        one.variant,
        f"{effect.control:.4g}",
        f"{effect.treated:.4g}",
        size,
        Text(one.verdict, style=_COLOURS.get(one.verdict, "")),
    )


def _when(at: float | None, never: str) -> str:
    return never if at is None else day(at)
