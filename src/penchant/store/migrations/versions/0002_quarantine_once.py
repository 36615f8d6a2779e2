"""Quarantined rows know their content, so that a file read again keeps none of them twice."""

from hashlib import blake2b

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
CHUNK = 5_000


def upgrade() -> None:
    """Give every row a digest; rows that were kept twice stay, each as one of its own."""
    connection = op.get_bind()
    # Made anew rather than altered: then it is the table that a fresh store has, to the letter.
    connection.execute(sa.text("CREATE TABLE quarantine_before AS SELECT * FROM quarantine"))
    op.drop_table("quarantine")
    fresh = op.create_table(
        "quarantine",
        sa.Column("number", big, primary_key=True, autoincrement=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("user_id", sa.LargeBinary),
        sa.Column("row", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
    )
    columns = (sa.Column(c.name, c.type) for c in fresh.columns[:4])
    old = sa.Table("quarantine_before", sa.MetaData(), *columns)
    again: dict[bytes, int] = {}
    last = 0
    while True:
        query = sa.select(old).where(old.c.number > last).order_by(old.c.number).limit(CHUNK)
        rows = [dict(row) for row in connection.execute(query).mappings()]
        if not rows:
            break
        last = rows[-1]["number"]
        for row in rows:
            content = _digest(row["reason"], row["row"], 0)
            row["digest"] = _digest(row["reason"], row["row"], again.get(content, 0))
            again[content] = again.get(content, 0) + 1
        connection.execute(fresh.insert(), rows)
    op.drop_table("quarantine_before")
    op.create_index("quarantine_by_reason", "quarantine", ["reason"])
    op.create_index("quarantine_by_user", "quarantine", ["user_id"])
    op.create_index("quarantine_by_digest", "quarantine", ["digest"], unique=True)
    if connection.dialect.name == "postgresql":
        connection.execute(
            sa.text(
                "SELECT setval(pg_get_serial_sequence('quarantine', 'number'), "
                "(SELECT COALESCE(MAX(number), 0) + 1 FROM quarantine), false)"
            )
        )


def _digest(reason: str, row: str, again: int) -> bytes:
    content = f"{len(reason)}:{reason}{again}:{row}".encode(errors="surrogatepass")
    return blake2b(content, digest_size=16, person=b"penchant.aside").digest()
