"""The store's articles: a number that no tag can carry is refused, rather than never found."""

from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from server.catalog import load_catalog


def write(folder: Path, *gtins: str) -> Path:
    path = folder / "catalog.toml"
    path.write_text("".join(f'[[articles]]\ngtin = "{gtin}"\nname = {{ en = "Shoe" }}\n' for gtin in gtins))
    return path


def test_articles_are_found_by_their_number(tmp_path: Path) -> None:
    catalog = load_catalog(write(tmp_path, "00614141008124"))
    found = catalog.find("00614141008124")
    assert found is not None
    assert found.name == {"en": "Shoe"}
    assert catalog.find("00614141008131") is None


@pytest.mark.parametrize(
    ("gtins", "words"),
    [
        (["00614141008125"], r"catalog\.toml.*the check digit of 00614141008125 should be 4"),
        (["00614141008124", "00614141008124"], "'00614141008124' is used twice"),
        (["614141008124"], "gtin"),
    ],
)
def test_a_wrong_number_is_refused_in_one_line(tmp_path: Path, gtins: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as error:
        load_catalog(write(tmp_path, *gtins))
    assert "\n" not in str(error.value)
