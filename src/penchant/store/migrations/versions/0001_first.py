"""The first version of the tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

big = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "users",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("user_id", sa.LargeBinary, unique=True),
        sa.Column("attributes", sa.Text, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("change", big, nullable=False, server_default=sa.text("0")),
    )
    op.create_table(
        "items",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("item_id", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("change", big, nullable=False),
        sa.Column("described", sa.Boolean, nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
        sa.Column("digest", sa.LargeBinary),
        sa.Column("title", sa.LargeBinary, nullable=False),
        sa.Column("category", sa.LargeBinary),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("price", sa.Double),
        sa.Column("released", big),
        sa.Column("stock_from", big),
        sa.Column("stock_until", big),
        sa.Column("attributes", sa.Text, nullable=False),
        sa.Column("description", sa.LargeBinary, nullable=False),
    )
    op.create_index("items_by_change", "items", ["change"])
    op.create_table(
        "kinds",
        sa.Column("number", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.LargeBinary, nullable=False, unique=True),
    )
    op.create_table(
        "events",
        sa.Column("event_offset", big, primary_key=True, autoincrement=False),
        sa.Column("user_number", sa.Integer, nullable=False),
        sa.Column("item_number", sa.Integer),
        sa.Column("time", big, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("shared", sa.Double, nullable=False),
        sa.Column("event_key", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("slate_id", sa.LargeBinary),
        sa.Column("context", sa.Text),
        sa.Column("text", sa.LargeBinary),
    )
    op.create_index(
        "events_by_user", "events", ["user_number", "time", "event_offset", "item_number", "kind"]
    )
    op.create_table(
        "links",
        sa.Column("number", big, primary_key=True, autoincrement=True),
        sa.Column("head", sa.LargeBinary, nullable=False),
        sa.Column("relation", sa.LargeBinary, nullable=False),
        sa.Column("tail", sa.LargeBinary, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
    )
    op.create_index("links_by_head", "links", ["head", "relation", "tail"], unique=True)
    op.create_index("links_by_tail", "links", ["tail"])
    op.create_table(
        "retractions",
        sa.Column("number", big, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("user_number", sa.Integer, nullable=False),
        sa.Column("into_number", sa.Integer),
        sa.Column("event_key", sa.LargeBinary),
    )
    heads = op.create_table(
        "heads",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("event_offset", big, nullable=False),
        sa.Column("item_change", big, nullable=False),
        sa.Column("user_change", big, nullable=False),
        sa.Column("link_change", big, nullable=False),
        sa.Column("retraction", big, nullable=False),
    )
    op.bulk_insert(
        heads,
        [
            {
                "number": 1,
                "event_offset": 0,
                "item_change": 0,
                "user_change": 0,
                "link_change": 0,
                "retraction": 0,
            }
        ],
    )
    op.create_table(
        "quarantine",
        sa.Column("number", big, primary_key=True, autoincrement=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("user_id", sa.LargeBinary),
        sa.Column("row", sa.Text, nullable=False),
    )
    op.create_index("quarantine_by_reason", "quarantine", ["reason"])
    op.create_index("quarantine_by_user", "quarantine", ["user_id"])
    op.create_table(
        "impressions",
        sa.Column("slate_id", sa.LargeBinary, primary_key=True),
        sa.Column("user_number", sa.Integer, nullable=False),
        sa.Column("time", big, nullable=False),
        sa.Column("snapshot", sa.Text, nullable=False),
        sa.Column("items", sa.LargeBinary, nullable=False),
        sa.Column("scores", sa.LargeBinary, nullable=False),
        sa.Column("propensities", sa.LargeBinary, nullable=False),
        sa.Column("features", sa.LargeBinary, nullable=False),
        sa.Column("names", sa.Text, nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
    )
    op.create_index("impressions_by_user", "impressions", ["user_number"])
    op.create_index("impressions_by_time", "impressions", ["time"])
