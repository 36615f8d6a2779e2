"""What people may come to like is kept beside what they were shown."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

big = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the table, empty: it is filled in the background."""
    op.create_table(
        "expansions",
        sa.Column("user_number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("time", big, nullable=False),
        sa.Column("snapshot", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
    )
    op.create_index("expansions_by_time", "expansions", ["time"])
