"""Texts in the reader's language: one catalogue file per language, the same keys in each.

The language is asked for by `?lang=`, else by the browser, else it is the site's.  No cookie.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from broker_config.errors import ConfigError
from broker_config.site import Text, in_language

LOCALES = Path(__file__).parent / "locale"
# Chinese is written in two scripts and asked for by region more often than by script.
SCRIPT_OF_REGION = {"zh-tw": "zh-hant", "zh-hk": "zh-hant", "zh-mo": "zh-hant", "zh-cn": "zh-hans", "zh-sg": "zh-hans"}
MAX_WANTED = 20


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The texts of one language."""

    language: str
    texts: dict[str, str]

    def text(self, key: str, **values: object) -> str:
        """The text of a key, its `{names}` filled in.  A key that is not there raises KeyError: tests know them all."""
        return self.texts[key].format(**values)

    def text_or(self, key: str, otherwise: str) -> str:
        """The text of a key made of data, e.g. a new device kind; `otherwise` where nobody wrote one yet."""
        return self.texts.get(key, otherwise)

    def subset(self, *prefixes: str) -> dict[str, str]:
        """The texts a page hands to its scripts."""
        return {key: text for key, text in self.texts.items() if key.startswith(prefixes)}

    def pick(self, text: Text) -> str:
        """The site's or a rule's own text in this language, or the nearest there is."""
        return in_language(text, self.language)


class Catalogues:
    """Every language there is a file for.

    Args:
        default: the site's language; also the script of a Chinese that is asked for without one, else the simplified.
        names: the tag of each, and what it calls itself.
    """

    def __init__(self, catalogues: dict[str, Catalogue], default: str) -> None:
        self._by_tag = {language.lower(): catalogue for language, catalogue in catalogues.items()}
        self._chinese = catalogues.get(default if default.startswith("zh-") else "zh-Hans")
        self._default = self._match(default) or catalogues["en"]
        self.names = [(tag, catalogue.text_or("language.name", tag)) for tag, catalogue in catalogues.items()]

    def choose(self, asked: str | None, accepted: str | None) -> Catalogue:
        """The catalogue for a request.

        Args:
            asked: the `lang` parameter.
            accepted: the Accept-Language header.
        """
        for tag in ([asked] if asked else []) + wanted_languages(accepted or ""):
            if (found := self._match(tag)) is not None:
                return found
        return self._default

    def _match(self, tag: str) -> Catalogue | None:
        """The catalogue of a tag, of its script, or of its bare language."""
        lower = tag.lower().replace("_", "-")
        if lower == "zh":
            return self._chinese
        names = [lower, SCRIPT_OF_REGION.get("-".join(lower.split("-")[:2]), ""), "-".join(lower.split("-")[:2])]
        for name in [*names, lower.split("-")[0]]:
            if name in self._by_tag:
                return self._by_tag[name]
        return None


def wanted_languages(header: str) -> list[str]:
    """The tags of an Accept-Language header, most wanted first; malformed parts are skipped."""
    weighed: list[tuple[float, str]] = []
    for part in header.split(",")[:MAX_WANTED]:
        tag, _, parameters = part.partition(";")
        try:
            weight = float(parameters.partition("=")[2] or 1)
        except ValueError:
            continue
        if tag.strip() not in ("", "*") and weight > 0:
            weighed.append((weight, tag.strip()))
    return [tag for _, tag in sorted(weighed, key=lambda pair: -pair[0])]


def load_catalogues(default: str, folder: Path = LOCALES) -> Catalogues:
    """Read every `<language>.json` of the folder.

    Raises:
        ConfigError: English is missing, or a file is no JSON object of texts.
    """
    catalogues: dict[str, Catalogue] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            texts = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from error
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            raise ConfigError(f"{path}: must be one JSON object from keys to texts")
        catalogues[path.stem] = Catalogue(path.stem, texts)
    if "en" not in catalogues:
        raise ConfigError(f"{folder}: en.json is missing; install Tacet again")
    return Catalogues(catalogues, default)
