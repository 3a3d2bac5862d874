"""The root of all tables."""

from sqlalchemy import BigInteger
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """Root of all tables."""

    type_annotation_map = {int: BigInteger()}  # noqa: RUF012  (read by SQLAlchemy as it stands)
