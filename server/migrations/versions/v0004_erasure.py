"""Tombstones and their receipts; and stored events no longer hold the sealed handle, which nothing needs once it was opened."""

import sqlalchemy as sa
from alembic import op

revision = "v0004"
down_revision = "v0003"
branch_labels = None
depends_on = None

FORGET_WHO = """
UPDATE event SET payload = CAST(json_set(CAST(payload AS TEXT), '$.data.who', '') AS BLOB)
WHERE type = 'tacet.visit.entered.v1' AND json_valid(CAST(payload AS TEXT))
"""


def upgrade() -> None:
    op.create_table(
        "erasure",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("request", sa.String(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("member_mark", sa.LargeBinary(), nullable=False),
        sa.Column("done_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("version"),
        sa.UniqueConstraint("request"),
    )
    op.create_table(
        "erased_card",
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mark"),
    )
    op.create_table(
        "erasure_receipt",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("version", "agent"),
    )
    op.execute(FORGET_WHO)


def downgrade() -> None:
    op.drop_table("erasure_receipt")
    op.drop_table("erased_card")
    op.drop_table("erasure")
