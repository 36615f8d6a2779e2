"""What is the matter with a recommender: facts about its parts, and what is wrong."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sqlalchemy import func, make_url, select

from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.findings import Findings
from penchant.ingest.cleaning import REFUSALS
from penchant.ingest.kinds import Kinds
from penchant.ingest.privacy import (
    KEY_FILE,
    Privacy,
    PrivacyConfig,
    PrivacyError,
    hides,
    key_missing,
)
from penchant.language.encoder.exported import cache_home, standing
from penchant.language.encoder.open import EncoderConfig
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.encoder.weights import DEFAULT, WeightsMissing, is_folder
from penchant.language.generator.endpoint import shown
from penchant.language.generator.open import GeneratorConfig, open_generator
from penchant.language.template import TextConfig
from penchant.learn.sections import checked
from penchant.rank.answer.loading import open_media
from penchant.serve.sections import served
from penchant.store import schema
from penchant.store.open import Store, open_store
from penchant.store.settings import FILE, Settings, SettingsError
from penchant.store.snapshots import SnapshotDamaged
from penchant.types import Error

CORE = ("numpy", "polars", "sqlalchemy", "onnxruntime", "tokenizers", "bm25s", "pydantic")
EXTRA = ("torch", "transformers", "lightgbm", "implicit", "psycopg", "openai", DEFAULT)
LEAST_FREE = 500_000_000  # bytes; a training writes a snapshot before it removes an old one


@dataclass
class Diagnosis:
    """Facts by part, and sentences that say what is wrong and what to do."""

    versions: dict[str, str] = field(default_factory=dict)
    store: dict[str, Any] = field(default_factory=dict)
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    snapshots: list[dict[str, Any]] = field(default_factory=list)
    encoder: dict[str, Any] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    addresses: list[dict[str, str]] = field(default_factory=list)
    disk: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def diagnose(directory: Path | None, url: str | None) -> Diagnosis:
    """Return what is found; without a directory, only what concerns the installation."""
    found = Diagnosis(versions=dict(versions()))
    settings = Settings(None if directory is None else directory / FILE)
    try:
        checked(settings)
    except SettingsError as error:
        found.wrong.append(str(error))
    try:
        config = settings.section("encoder", EncoderConfig)
    except SettingsError:
        config = EncoderConfig()
    _encoder(found, config)
    writer = GeneratorConfig()
    with suppress(SettingsError):  # said already
        writer = settings.section("generator", GeneratorConfig)
    _generator(found, writer)
    watched = WatchConfig()
    try:
        watched = served(settings)["watch"]
    except SettingsError as error:
        found.wrong.append(str(error))
    found.addresses = list(addresses(config, url, watched, writer))
    place = directory if directory is not None else Path.cwd()
    usage = shutil.disk_usage(place if place.exists() else Path.cwd())
    found.disk = {"free": usage.free, "total": usage.total}
    if usage.free < LEAST_FREE:
        found.wrong.append(
            f"only {usage.free / 1e6:,.0f} MB are free at {place}; free space before training"
        )
    if directory is None:
        return found
    found.disk |= {
        "files": {p.name: _size(p) for p in sorted(directory.iterdir())} if place.exists() else {}
    }
    try:
        with open_store(directory, url, read_only=True) as store:
            _store(found, store, settings)
            _texts(found, store, settings)
            _media(found, store)
            _pseudonyms(found, store, settings)
            _snapshots(found, store)
            _findings(found, store)
    except Error as error:
        found.wrong.append(str(error))
    return found


def versions() -> Iterable[tuple[str, str]]:
    """Yield the name and version of everything that matters; an extra that is absent says so."""
    yield "penchant", version("penchant")
    yield "python", f"{platform.python_version()} on {platform.platform(terse=True)}"
    yield "sqlite", sqlite3.sqlite_version
    for name in (*CORE, *EXTRA):
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "not installed"


def addresses(
    config: EncoderConfig, url: str | None, watched: WatchConfig, writer: GeneratorConfig
) -> Iterable[dict[str, str]]:
    """Yield every address that data, or a question about it, can be sent to."""
    if url is not None:
        yield {
            "address": make_url(url).render_as_string(hide_password=True),
            "what": "everything: the tables lie there",
        }
    if config.endpoint:
        yield {
            "address": shown(config.endpoint),
            "what": "texts of items, searches and reviews, to be turned into vectors",
        }
    elif config.model != "none" and _from_hub(config):
        yield {
            "address": os.environ.get("HF_ENDPOINT", "the Hugging Face hub"),
            "what": f"the name {config.model!r}, once, to download it; no data",
        }
    if writer.url:
        yield {
            "address": shown(writer.url),
            "what": "names of interests and public texts of items; never ids or events of people",
        }
    if watched.webhook:
        yield {
            "address": shown(watched.webhook),
            "what": "findings of the watch over the log, "
            + ("with ids of people" if watched.people else "without ids of people"),
        }


def _from_hub(config: EncoderConfig) -> bool:
    return config.model != DEFAULT and not is_folder(config.model)


def _encoder(found: Diagnosis, config: EncoderConfig) -> None:
    """Say which encoder is configured and whether it can be used."""
    found.encoder = {"model": config.model, "precision": config.precision}
    if config.model == "none":
        found.encoder["state"] = "switched off: texts are not read"
        return
    if config.endpoint:
        found.encoder |= {"precision": "of the endpoint", "state": "asked for when text arrives"}
        return
    found.encoder["cache"] = config.cache_directory or str(cache_home())
    try:
        export = standing(config.model, config.cache_directory or None)
        if export is None:
            found.encoder["state"] = "not exported yet: the first use takes half a minute"
            return
        SentenceEncoder(export, precision=config.precision, max_tokens=config.max_tokens)
    except Error as error:
        missing = isinstance(error, WeightsMissing)
        found.encoder["state"] = "missing" if missing else "cannot be used"
        found.wrong.append(str(error))
    else:
        found.encoder["state"] = "ready"


def _generator(found: Diagnosis, config: GeneratorConfig) -> None:
    """Say where the settings of the generator do not fit together; nothing is asked."""
    try:
        open_generator(config)
    except Error as error:
        found.wrong.append(str(error))


def _texts(found: Diagnosis, store: Store, settings: Settings) -> None:
    """Say which attributes texts are to be made of, and no item has."""
    try:
        config = settings.section("text", TextConfig)
    except SettingsError:  # said already
        return
    items = schema.items.c
    for name in sorted(config.attributes()):
        has = items.attributes.contains(json.dumps(name, ensure_ascii=False), autoescape=True)
        query = select(items.number).where(has, ~items.removed).limit(1)
        if found.store["items"] and not store.databases[0].rows(query):
            found.wrong.append(
                f"[text] asks for the attribute {name!r}, and none of the {found.store['items']} "
                "items has one: look at how it is spelled in the catalogue"
            )


def _media(found: Diagnosis, store: Store) -> None:
    """Open what reads pictures and sounds: a model that does not fit keeps a shelf from opening."""
    try:
        if (media := open_media(store)) is not None:
            media.close()
    except SettingsError:  # said already
        return
    except Error as error:
        found.wrong.append(str(error))


def _store(found: Diagnosis, store: Store, settings: Settings) -> None:
    """Count what lies in the tables."""
    main = store.databases[0]

    def count(table: Any, *conditions: Any) -> int:
        query = select(func.count()).select_from(table).where(*conditions)
        return int(main.rows(query)[0][0])

    items, users, events = schema.items.c, schema.users.c, schema.events.c
    first, last = main.rows(select(func.min(events.time), func.max(events.time)))[0]
    kinds = {
        row[0]: int(row[1])
        for row in main.rows(
            select(schema.kinds.c.name, func.count())
            .join(schema.events, events.kind == schema.kinds.c.number)
            .group_by(schema.kinds.c.name)
            .order_by(func.count().desc())
        )
    }
    weights = Kinds.from_settings(settings)
    found.store = {
        "place": main.name if main.file is None else str(main.file),
        "items": count(schema.items, ~items.removed),
        "items_without_text": count(schema.items, ~items.described, ~items.removed),
        "items_without_category": count(
            schema.items, items.described, items.category.is_(None), ~items.removed
        ),
        "items_removed": count(schema.items, items.removed),
        "users": count(schema.users, users.user_id.is_not(None)),
        "events": count(schema.events),
        "first_event": None if first is None else first / 1e6,
        "last_event": None if last is None else last / 1e6,
        "kinds": {kind: {"events": n, "weight": weights.weight(kind)} for kind, n in kinds.items()},
        "unknown_kinds": list(weights.unknown(list(kinds))),
        "links": count(schema.links),
        "impressions": len(store.impressions),
    }
    found.quarantine = [
        {"reason": reason, "rows": rows, "meaning": REFUSALS.get(reason, "")}
        for reason, rows in store.quarantine.counts().items()
    ]


def _pseudonyms(found: Diagnosis, store: Store, settings: Settings) -> None:
    """Say where people are stored under names that nobody can be found by."""
    try:
        config = settings.section("privacy", PrivacyConfig)
    except SettingsError:  # said already
        return
    held, place = (store.directory / KEY_FILE).exists(), store.directory
    if config.pseudonyms and (held or key_missing(place, store.people)):
        try:
            Privacy.of(place, config, store.people)
        except PrivacyError as error:
            found.wrong.append(str(error))
    elif held and hides(store.people):
        found.wrong.append(
            "people are stored here under pseudonyms, and pseudonyms are switched off: whoever "
            "comes by their own id is a stranger. Set `pseudonyms = true` in [privacy]"
        )


def _snapshots(found: Diagnosis, store: Store) -> None:
    """Check every file of every snapshot."""
    snapshots = store.snapshots
    current = snapshots.current()
    for name in snapshots.list():
        entry: dict[str, Any] = {
            "id": name,
            "current": current is not None and current.id == name,
            "size": _size(snapshots.directory / name),
        }
        try:
            manifest = snapshots.open(name).manifest
            entry |= {"sound": True, "created": manifest.get("created")}
            entry["events"] = manifest.get("events")
            if entry["current"]:
                told = manifest.get("categories") or {}
                found.store["categories_derived"] = told.get("derived", 0)
        except SnapshotDamaged as error:
            entry |= {"sound": False, "created": None, "problem": str(error)}
            found.wrong.append(str(error))
        found.snapshots.append(entry)
    found.wrong += [warning for warning in snapshots.warnings if warning not in found.wrong]


def _findings(found: Diagnosis, store: Store) -> None:
    """Say what the watch over the log found that lasts, and name who it is about: this is here."""
    for one in Findings.load(store.directory).open:
        row = one.plain()
        who = ""
        if one.person is not None:
            name = store.people.get([one.person])["user_id"][0]
            row["person"] = name
            who = f"{name}: " if name is not None else ""
        found.findings.append(row)
        if one.severity != "notice":
            found.wrong.append(f"{who}{one.sentence}")


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size
