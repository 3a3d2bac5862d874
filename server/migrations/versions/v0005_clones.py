"""Who has spoken for each agent, and which agents are there twice."""

import sqlalchemy as sa
from alembic import op

revision = "v0005"
down_revision = "v0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "speaker",
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("generation", sa.String(), nullable=False),
        sa.Column("session", sa.String(), nullable=False),
        sa.Column("first_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "generation"),
    )
    op.create_table(
        "quarantine",
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("since_ns", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("agent"),
    )


def downgrade() -> None:
    op.drop_table("quarantine")
    op.drop_table("speaker")
