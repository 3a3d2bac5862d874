"""The browsers that are displays."""

import sqlalchemy as sa
from alembic import op

revision = "v0002"
down_revision = "v0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of paired displays."""
    op.create_table(
        "paired_display",
        sa.Column("display", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("paired_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("display", "secret_hash"),
    )


def downgrade() -> None:
    """Forget every pairing."""
    op.drop_table("paired_display")
