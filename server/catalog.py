"""The articles of the store, by GTIN-14, and which of them a shelf's event is about."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from broker_config.errors import ConfigError
from broker_config.messages import ShelfPick
from broker_config.site import Strict, Text, load_toml
from readers.epc import decode, require_check_digit

Gtin = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{14}$")]


class Article(Strict, frozen=True):
    """One article.

    Args:
        interests: what it is about, in the words members declare their interests in.
    """

    gtin: Gtin
    name: Text
    interests: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a number that no tag can carry."""
        require_check_digit(self.gtin)


class CatalogFile(Strict, frozen=True):
    """The file."""

    articles: tuple[Article, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """All articles by their GTIN."""

    articles: dict[str, Article]

    def find(self, gtin: str | None) -> Article | None:
        """The article of a GTIN; None for one that is not known."""
        return None if gtin is None else self.articles.get(gtin)


def load_catalog(path: Path) -> Catalog:
    """Read the catalogue.

    Raises:
        ConfigError: as `load_toml`; also for a GTIN used twice.
    """
    articles: dict[str, Article] = {}
    for article in load_toml(path, CatalogFile).articles:
        if article.gtin in articles:
            raise ConfigError(f"{path}: gtin {article.gtin!r} is used twice")
        articles[article.gtin] = article
    return Catalog(articles)


def gtin_of(data: ShelfPick) -> str | None:
    """The article that went or came, as the agent names it, else as the item's EPC does; None where neither tells."""
    if data.gtin is not None or data.epc is None:
        return data.gtin
    try:
        return decode(bytes.fromhex(data.epc)).gtin
    except ValueError:  # whatever an agent calls an EPC, it is no hex text
        return None
