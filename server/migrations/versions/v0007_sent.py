"""What earlier versions said of a moment that was sent: that it was shown, which only a screen's receipt can say."""

import re

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "v0007"
down_revision = "v0006"
branch_labels = None
depends_on = None

AT_ONCE = 500
DECISIONS = sa.table("decision", sa.column("id"), sa.column("outcome"), sa.column("body", sa.LargeBinary))
BEGINNINGS = (
    ("en", r"Shown on (.*?): “", r"Sent to \1: “"),
    ("zh-Hant", r"已在(.*?)顯示「", r"已送往\1：「"),
    ("zh-Hans", r"已在(.*?)显示“", r"已发往\1：“"),
)


def upgrade() -> None:
    bind, last = op.get_bind(), ""
    page = sa.select(DECISIONS.c.id, DECISIONS.c.body).where(DECISIONS.c.outcome == "shown").order_by(DECISIONS.c.id)
    while rows := bind.execute(page.where(DECISIONS.c.id > last).limit(AT_ONCE)).all():
        for row in rows:
            bind.execute(sa.update(DECISIONS).where(DECISIONS.c.id == row.id).values(body=_put_right(row.body)))
        last = rows[-1].id


def _put_right(body: bytes) -> bytes:
    try:
        record = msgspec.json.decode(body)
    except msgspec.DecodeError:  # damaged on the disk: no reason for the whole store to stand still
        return body
    say = record["say"]
    for language, old, new in BEGINNINGS:
        if language in say:
            say[language] = re.sub(rf"\A{old}", new, say[language])
    return msgspec.json.encode(record)


def downgrade() -> None:
    pass  # an older version says of its own decisions what it always said
