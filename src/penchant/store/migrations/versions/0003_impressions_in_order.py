"""Impressions are numbered in the order they become visible, and say which variant was asked."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
KEPT = (
    *("slate_id", "user_number", "time", "snapshot", "items", "scores", "propensities"),
    *("features", "names", "reasons", "notes"),
)


def upgrade() -> None:
    """Number what is there in order of time."""
    connection = op.get_bind()
    # Made anew rather than altered: then it is the table that a fresh store has, to the letter.
    op.drop_index("impressions_by_user", "impressions")
    op.drop_index("impressions_by_time", "impressions")
    op.rename_table("impressions", "impressions_before")
    op.create_table(
        "impressions",
        sa.Column("number", big, primary_key=True, autoincrement=True),
        sa.Column("slate_id", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("user_number", sa.Integer, nullable=False),
        sa.Column("time", big, nullable=False),
        sa.Column("snapshot", sa.Text, nullable=False),
        sa.Column("variant", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("items", sa.LargeBinary, nullable=False),
        sa.Column("scores", sa.LargeBinary, nullable=False),
        sa.Column("propensities", sa.LargeBinary, nullable=False),
        sa.Column("features", sa.LargeBinary, nullable=False),
        sa.Column("names", sa.Text, nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    columns = ", ".join(KEPT)
    connection.execute(
        sa.text(
            f"INSERT INTO impressions ({columns}) SELECT {columns} "  # noqa: S608  names of ours
            "FROM impressions_before ORDER BY time, slate_id"
        )
    )
    op.drop_table("impressions_before")
    op.create_index("impressions_by_user", "impressions", ["user_number"])
    op.create_index("impressions_by_time", "impressions", ["time"])
