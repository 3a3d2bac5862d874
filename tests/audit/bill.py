"""The bill of materials (CycloneDX JSON): the installed packages, as cyclonedx-py lists them, and the files we ship of others."""

import re
from pathlib import Path

import msgspec

_ROW = re.compile(
    r"^\| `(?P<file>[^`]+)`[^|]*\| (?P<package>\S+)[^|]*\| (?P<version>\S+) \| (?P<licence>[\w.-]+)[^|]*\| `(?P<sha256>[0-9a-f]{64})` \|$",
    re.MULTILINE,
)


def vendored(table: str) -> list[dict[str, object]]:
    """A CycloneDX component for each row of `VENDORED.md`."""
    return [
        {
            "type": "library",
            "bom-ref": f"vendored-{row['file']}",
            "name": row["package"],
            "version": row["version"],
            "purl": f"pkg:npm/{row['package']}@{row['version']}",
            "licenses": [{"license": {"id": row["licence"]}}],
            "hashes": [{"alg": "SHA-256", "content": row["sha256"]}],
        }
        for row in _ROW.finditer(table)
    ]


def add_vendored(bill: Path, table: Path) -> int:
    """Put the vendored files into the bill; the number of its components.

    Raises:
        ValueError: the table lists a file in a form that is not understood.
    """
    text = table.read_text()
    found = vendored(text)
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    if len(found) != len(rows):
        raise ValueError(f"{table}: {len(rows)} rows, {len(found)} understood; keep the form of the others")
    content = msgspec.json.decode(bill.read_bytes())
    content["components"] += found
    bill.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2))
    return len(content["components"])
