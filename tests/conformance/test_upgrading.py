"""What a migration moves is what was there, on both databases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from conformance.conftest import Place
from penchant.store.migrate import MIGRATIONS, upgrade

MANY = 5_000
ODD = '{"odd":"\\ud800 \\u0000","hour":20}'


def test_the_context_of_a_slate_leaves_its_notes(place: Place, tmp_path: Path) -> None:
    pytest.importorskip("alembic")
    from alembic import command
    from alembic.config import Config

    url = place.url.replace("postgresql://", "postgresql+psycopg://") if place.url else None
    engine = create_engine(url or f"sqlite:///{tmp_path}/old.db")
    notes = [
        '{"trace":["\\"context\\""]}',
        '{"sources":[],"context":{}}',
        f'{{"context": {ODD}, "sources": ["text"]}}',
    ]
    row = (
        "INSERT INTO impressions (slate_id, user_number, time, snapshot, items, scores,"
        " propensities, features, names, reasons, notes) VALUES (:name, 0, 0, '', :no, :no, :no,"
        " :no, '[]', '[]', :notes)"
    )
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        rows = [
            {"name": str(n).encode(), "no": b"", "notes": notes[n % len(notes)]}
            for n in range(MANY)
        ]
        connection.execute(text(row), rows)
        upgrade(connection, "test")
        found = connection.execute(
            text("SELECT notes, context FROM impressions ORDER BY number")
        ).fetchall()
    engine.dispose()
    assert len(found) == MANY
    for n, (said, context) in enumerate(found):
        if n % len(notes) == 2:
            assert json.loads(said) == {"sources": ["text"]}
            assert json.loads(context) == json.loads(ODD)
        else:
            assert (said, context) == (notes[n % len(notes)], None)
