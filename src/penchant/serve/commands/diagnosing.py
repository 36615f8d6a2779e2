"""The command that looks for what is wrong: doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from penchant.serve.commands.arguments import Json, NoShelf, Url, is_shelf
from penchant.serve.commands.terminal import Terminal, amount, day, facts, table
from penchant.types import InvalidInput

UNSOUND = 1


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(doctor)


def doctor(
    shelf: Annotated[
        Path | None, typer.Argument(metavar="[SHELF]", help="The directory; none: this machine.")
    ] = None,
    live: Annotated[
        str | None,
        typer.Option(metavar="URL-or-SHELF", help="A service that runs, asked from outside."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(envvar="PENCHANT_API_KEY", help="A key that may read, for --live."),
    ] = None,
    stages: Annotated[
        bool, typer.Option("--stages", help="The steps of a request to the shelf, and their worth.")
    ] = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Look over an installation, a shelf or a running service; ends with 1 if something is wrong.

    Versions, sizes, rows kept aside and why, whether snapshots are whole, what the watch over the
    log found, the encoder, and every address that data can reach. With --live: health, versions,
    lag, the age of the snapshot, errors, findings, clocks, and one answer that is recorded nowhere.
    With --stages: the steps of a request in order, what each did to one that was asked just now,
    and what they were found to be worth in the last training.
    """
    if live is not None:
        if shelf is not None:
            raise InvalidInput("give a shelf to look into, or --live with an address; not both")
        _live(live, key, Terminal(json))
        return
    from dataclasses import asdict

    from penchant.serve.doctor.diagnosis import diagnose

    terminal = Terminal(json)
    if shelf is not None and url is None and not is_shelf(shelf):
        raise NoShelf(f"{shelf} is no recommender; name its directory, or leave it out")
    if stages:
        _stages(shelf, url, terminal)
        return
    with terminal.busy("looking"):
        found = diagnose(shelf, url)
    parts: list[RenderableType] = [_head("versions"), facts(found.versions)]
    if found.store:
        parts += [_head("store"), facts(_told(found.store))]
        kinds = table("kind of event", "events", "weight")
        for kind, row in found.store["kinds"].items():
            kinds.add_row(kind, f"{row['events']:,}", f"{row['weight']:+g}")
        parts += [_head("what people did"), kinds if found.store["kinds"] else "nothing yet"]
        if found.store["unknown_kinds"]:
            names = ", ".join(found.store["unknown_kinds"])
            parts.append(f"no weight is known for {names}; give one in [events] weights")
        parts += [_head("kept aside"), _quarantine(found.quarantine)]
        parts += [_head("snapshots"), _snapshots(found.snapshots)]
    if found.findings:
        parts += [_head("what the watch found"), _found(found.findings)]
    parts += [_head("encoder"), facts(found.encoder), _head("addresses that data can reach")]
    parts += [f"{row['address']}: {row['what']}" for row in found.addresses] or ["none"]
    parts += [_head("disk"), facts(_sizes(found.disk))]
    parts += _verdict(found.wrong)
    terminal.answer(asdict(found), *parts)
    if found.wrong:
        raise typer.Exit(UNSOUND)


def _live(where: str, key: str | None, terminal: Terminal) -> None:
    from dataclasses import asdict

    from penchant.serve.doctor.live import examine

    with terminal.busy("asking"):
        health = examine(where, key=key)
    parts: list[RenderableType] = [f"{health.address}"]
    for name in ("service", "snapshot", "training", "requests", "canary"):
        rows = {str(k).replace("_", " "): v for k, v in getattr(health, name).items()}
        if rows:
            if isinstance(rows.get("made"), float):
                rows["made"] = day(rows["made"])
            parts += [_head(name), facts({k: v for k, v in rows.items() if v is not None})]
    if health.findings:
        parts += [_head("what the watch found"), _found(health.findings)]
    parts += _verdict(health.wrong)
    terminal.answer(asdict(health), *parts)
    if health.wrong:
        raise typer.Exit(UNSOUND)


def _stages(shelf: Path | None, url: str | None, terminal: Terminal) -> None:
    from dataclasses import asdict

    from penchant.serve.doctor.stages import steps

    if shelf is None:
        raise InvalidInput("--stages is of a shelf; name its directory")
    with terminal.busy("asking"):
        found = steps(shelf, url)
    asked = table("stage", "came", "went", "ms", "remarks")
    for row in found.asked:
        remarks = ", ".join(f"{name} {what}" for name, what in row["notes"].items())
        counts = (f"{row['came']:,}", f"{row['went']:,}", f"{row['milliseconds']:.2f}")
        asked.add_row(row["stage"], *counts, remarks)
    parts: list[RenderableType] = [_head(f"a request to snapshot {found.snapshot}"), asked]
    if found.worth:
        gone = {name: ", left out" if name in found.left_out else "" for name in found.worth}
        worth = {name: f"{gain:+.4f}{gone[name]}" for name, gain in found.worth.items()}
        parts += [_head("what they add to NDCG@10, as the training found"), facts(worth)]
    if found.context.get("gains"):
        kept = found.context["fields"]
        told = {
            name: f"{gain:+.4f} nats a wish" + ("" if name in kept else ", left out")
            for name, gain in found.context["gains"].items()
        }
        told |= {name: f"left out: {why}" for name, why in found.context["left_out"].items()}
        parts += [_head("circumstances"), facts(told)]
    if found.response:
        rows = {name.replace("_", " "): value for name, value in found.response.items()}
        parts += [_head("what is expected of each line"), facts(rows)]
    terminal.answer(asdict(found), *parts)


def _verdict(wrong: list[str]) -> list[RenderableType]:
    if not wrong:
        return [_head("verdict"), Text("✓ nothing is wrong", style="green")]
    return [_head("verdict"), *(Text(f"✗ {one}", style="red") for one in wrong)]


def _found(rows: list[dict[str, Any]]) -> RenderableType:
    shown = table("since", "severity", "kind", "about", "what")
    for row in rows:
        since = day(row["since"]) if "since" in row else ""
        about = row.get("person") or row.get("subject", "")
        what = row.get("sentence") or f"{row.get('many')} of them"
        shown.add_row(since, str(row["severity"]), str(row["kind"]), str(about), str(what))
    return shown


def _head(name: str) -> Text:
    return Text(f"\n{name}", style="bold")


def _told(store: dict[str, object]) -> dict[str, object]:
    rows = {
        name.replace("_", " "): value
        for name, value in store.items()
        if name not in ("kinds", "unknown_kinds", "first_event", "last_event")
    }
    first, last = store["first_event"], store["last_event"]
    if isinstance(first, float) and isinstance(last, float):
        rows["period"] = f"{day(first)} to {day(last)} UTC"
    return rows


def _quarantine(rows: list[dict[str, object]]) -> RenderableType:
    if not rows:
        return "no row: everything that came was believed"
    shown = table("rows", "reason", "meaning")
    for row in rows:
        shown.add_row(f"{row['rows']:,}", str(row["reason"]), str(row["meaning"]))
    return shown


def _snapshots(rows: list[dict[str, object]]) -> RenderableType:
    if not rows:
        return "none: popularity, co-visitation and text answer until `penchant train`"
    shown = table("", "id", "made", "size", "state")
    for row in rows:
        made, size = row["created"], row["size"]
        shown.add_row(
            "→" if row["current"] else "",
            str(row["id"]),
            day(made) if isinstance(made, float) else "",
            amount(size) if isinstance(size, int) else "",
            "sound" if row["sound"] else "damaged",
        )
    return shown


def _sizes(disk: dict[str, object]) -> dict[str, object]:
    free, total, files = disk["free"], disk["total"], disk.get("files")
    assert isinstance(free, int)
    assert isinstance(total, int)
    rows: dict[str, object] = {"free": f"{amount(free)} of {amount(total)}"}
    if isinstance(files, dict):
        rows |= {name: amount(size) for name, size in files.items()}
    return rows
