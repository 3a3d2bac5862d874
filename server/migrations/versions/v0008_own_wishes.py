"""Whether a member has set wishes and interests, so that no list overrules them."""

import sqlalchemy as sa
from alembic import op

revision = "v0008"
down_revision = "v0007"
branch_labels = None
depends_on = None

COLUMNS = ("own_wishes", "own_interests")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("preference", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("preference", name)
