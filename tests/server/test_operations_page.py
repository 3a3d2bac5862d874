"""docs/operations.md: the files of its small store are whole, and fit together."""

import re
from pathlib import Path

from broker_config.config import load_broker_settings
from broker_config.provision import ensure_credentials
from broker_config.site import load_site
from edge.config import load_config as load_edge
from server.catalog import load_catalog
from server.config import load_config as load_server
from server.decisions.rules import load_rules
from server.members.importer import parse_members

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
FILES = re.compile(r"^```\w+\n# (\w+\.(?:toml|yaml))[^\n]*\n(.*?)^```$", re.M | re.S)
MEMBERS = re.compile(r"^```csv\n(.*?)^```$", re.M | re.S)


def test_the_files_of_the_small_store_are_whole_and_fit_together(tmp_path: Path) -> None:
    files = dict(FILES.findall(PAGE))
    for name, text in files.items():
        (tmp_path / name).write_text(text.replace("/var/lib/tacet", str(tmp_path)))
    (tmp_path / "catalog.toml").touch()
    broker, site = load_broker_settings(tmp_path / "broker.toml"), load_site(tmp_path / "site.toml")
    ensure_credentials(site, broker.identity)
    server, edge = load_server(tmp_path / "server.toml"), load_edge(tmp_path / "edge.toml")
    assert (broker.port, server.broker.port, edge.broker.port) == (broker.port,) * 3
    assert (Path(server.identity), edge.server) == (broker.identity, server.local_url)
    assert load_rules(Path(server.rules), site).rules
    assert not load_catalog(Path(server.catalog)).articles
    (record,), bad = parse_members(MEMBERS.findall(PAGE)[0], site.own_goods)
    assert (record.alias, bad) == ("River", [])
