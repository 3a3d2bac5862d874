"""The articles of the store, by GTIN-14."""

from pathlib import Path
from typing import Annotated

import msgspec

from broker_config.errors import ConfigError
from broker_config.site import Strict, Text, load_toml

Gtin = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{14}$")]


class Article(Strict, frozen=True):
    """One article.

    Args:
        interests: what it is about, in the words members declare their interests in.
    """

    gtin: Gtin
    name: Text
    interests: tuple[str, ...] = ()


class Catalog(Strict, frozen=True):
    """All articles."""

    articles: tuple[Article, ...] = ()

    def find(self, gtin: str) -> Article | None:
        """The article of a GTIN."""
        return next((article for article in self.articles if article.gtin == gtin), None)


def load_catalog(path: Path) -> Catalog:
    """Read the catalogue.

    Raises:
        ConfigError: as `load_toml`; also for a GTIN used twice.
    """
    catalog = load_toml(path, Catalog)
    seen: set[str] = set()
    for article in catalog.articles:
        if article.gtin in seen:
            raise ConfigError(f"{path}: gtin {article.gtin!r} is used twice")
        seen.add(article.gtin)
    return catalog
