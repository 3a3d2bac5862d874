"""How many files of set-aside databases an erasure took away."""

import sqlalchemy as sa
from alembic import op

revision = "v0009"
down_revision = "v0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("erasure", sa.Column("removed_files", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("erasure", "removed_files")
