"""`make audit`: the bill of materials of what a store installs, and what is publicly known to be wrong with any of it.

    python -m tests.audit build/audit/runtime build/audit/tools build/audit

The first folder is a virtual environment with Tacet and nothing but what it needs, the second one with pip-audit and
cyclonedx-bom.  Writes `sbom.cdx.json` and `audit.json` to the third.  Exit code 0: nothing known; 1: a flaw that is not
waived; 2: the advisory service could not be asked, so that nothing is known either way.
"""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.audit.bill import add_vendored
from tests.audit.judge import judge, read_waivers

ROOT = Path(__file__).parents[2]
EXIT = {"clean": 0, "flawed": 1, "unknown": 2}
LONGEST_S = 600


def say(line: str) -> None:
    """A line for whoever runs the target."""
    sys.stdout.write(line + "\n")


def main(runtime: Path, tools: Path, out: Path) -> int:
    """Write both files and tell what they hold."""
    bill = out / "sbom.cdx.json"
    command = ["environment", str(runtime), "--pyproject", str(ROOT / "pyproject.toml"), "--of", "JSON"]
    subprocess.run([tools / "bin/cyclonedx-py", *command, "--output-reproducible", "-o", str(bill)], check=True)
    say(f"{bill}: {add_vendored(bill, ROOT / 'server/web/static/vendor/VENDORED.md')} components")

    [packages] = runtime.glob("lib/python*/site-packages")
    look_up = ["--path", str(packages), "--format", "json", "--progress-spinner", "off"]
    asked = subprocess.run([tools / "bin/pip-audit", *look_up], capture_output=True, timeout=LONGEST_S, check=False)
    if not asked.stdout:
        last = (asked.stderr.decode(errors="replace").strip().splitlines() or ["nothing"])[-1]
        say(f"pip-audit could not ask its service, so nothing is known: {last}")
        return EXIT["unknown"]
    (out / "audit.json").write_bytes(asked.stdout)
    verdict = judge(
        asked.stdout, read_waivers(Path(__file__).parent / "waivers.toml"), "tacet", datetime.now(UTC).date()
    )
    for line in verdict.lines:
        say(line)
    say(f"audit: {verdict.outcome}")
    return EXIT[verdict.outcome]


if __name__ == "__main__":
    sys.exit(main(*(Path(argument) for argument in sys.argv[1:4])))
