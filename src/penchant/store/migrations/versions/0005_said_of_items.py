"""The newest words about an item are found by an index of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SAID = sa.text("text IS NOT NULL AND item_number IS NOT NULL")


def upgrade() -> None:
    """Make the index, which holds only the events with an item and a text."""
    op.create_index(
        "events_said",
        "events",
        ["item_number", "time", "event_offset"],
        sqlite_where=SAID,
        postgresql_where=SAID,
    )
