"""The broker's settings file."""

from pathlib import Path

import pytest

from broker_config.config import load_broker_settings
from broker_config.errors import ConfigError
from broker_config.hosts import is_loopback

DEMO = Path(__file__).parents[2] / "simulators" / "demo_store" / "broker.toml"
TEXT = 'port = 1884\nsite = "site.toml"\nidentity = "identity"\ndata = "/var/lib/tacet"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "broker.toml"
    path.write_text(text)
    return path


def test_the_demo_file_loads_once_its_port_is_filled_in(tmp_path: Path) -> None:
    settings = load_broker_settings(written(tmp_path, DEMO.read_text().replace("$broker_port", "18831")))
    assert (settings.engine, settings.host, settings.port) == ("auto", "127.0.0.1", 18831)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load_broker_settings(written(tmp_path, TEXT))
    assert settings.site == tmp_path / "site.toml"
    assert settings.data == Path("/var/lib/tacet")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('host = "0.0.0.0"', "tacet broker init"),
        ('host = "192.168.1.2"', "tacet broker init"),
        ('host = "::"', "tacet broker init"),
        ('host = "store.example"', "tacet broker init"),
        ('engine = "emqx"', r"\$.engine"),
        ('engin = "auto"', "engin"),
        ("host = 7", r"\$.host"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, more: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_broker_settings(written(tmp_path, TEXT + more))


@pytest.mark.parametrize("port", ["0", "65536", '"1883"'])
def test_a_port_outside_the_range_is_refused(tmp_path: Path, port: str) -> None:
    with pytest.raises(ConfigError, match=r"\$.port"):
        load_broker_settings(written(tmp_path, TEXT.replace("1884", port)))


@pytest.mark.parametrize(("host", "yes"), [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
                                           ("0.0.0.0", False), ("::", False), ("", False), ("127.0.0.1.example", False)])  # fmt: skip
def test_loopback(host: str, yes: bool) -> None:
    assert is_loopback(host) is yes
