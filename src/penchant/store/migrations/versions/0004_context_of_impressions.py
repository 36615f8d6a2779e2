"""The context of a request has a column of its own, empty where the request had none."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PART = 2_000  # slates that are read at once


def upgrade() -> None:
    """Take the contexts out of the notes, where they were."""
    connection = op.get_bind()
    op.add_column("impressions", sa.Column("context", sa.Text))
    impressions = sa.table(
        "impressions",
        sa.column("number", sa.BigInteger),
        sa.column("notes", sa.Text),
        sa.column("context", sa.Text),
    )
    table = impressions.c
    change = (
        sa.update(impressions)
        .where(table.number == sa.bindparam("which"))
        .values(notes=sa.bindparam("rest"), context=sa.bindparam("told"))
    )
    last = 0
    while True:
        rows = connection.execute(
            sa.select(table.number, table.notes)
            .where(table.number > last)
            .order_by(table.number)
            .limit(PART)
        ).fetchall()
        if not rows:
            return
        last = rows[-1].number
        moved = []
        for number, text in rows:
            notes = json.loads(text)
            context = notes.pop("context", None)
            if context:
                rest, told = (json.dumps(one, separators=(",", ":")) for one in (notes, context))
                moved.append({"which": number, "rest": rest, "told": told})
        if moved:
            connection.execute(change, moved)
