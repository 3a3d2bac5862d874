"""`make fuzz`: a coverage-guided search per codec, each in its own process, for so many seconds.

    python -m tests.fuzz --seconds 60                 # every target in turn
    python -m tests.fuzz --seconds 600 mercury.from_reader

Needs the extra `fuzz` (atheris).  What breaks a promise is written to `tests/data/fuzz/<target>/` and makes the exit code 1:
mend the codec and keep the file, `test_targets.py` runs it for ever.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS
from tests.fuzz.test_targets import FOUND

MOST_BYTES = 900
RSS_MB = 2048


def search(name: str, seconds: int) -> bool:
    """Whether the target held for so long."""
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds(name)):
            (Path(corpus) / f"seed-{number:04}").write_bytes(seed)
        (FOUND / name).mkdir(parents=True, exist_ok=True)
        limits = [f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", f"-rss_limit_mb={RSS_MB}", "-timeout=10"]
        quiet = ["-verbosity=0", "-print_final_stats=1", f"-artifact_prefix={FOUND / name}/"]
        command = [sys.executable, "-m", "tests.fuzz.child", name, *limits, *quiet, corpus]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not any((FOUND / name).iterdir()):
        (FOUND / name).rmdir()
    counts = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
    said = f"{name:28} {counts[0] if counts else '?':>9} inputs  {'held' if done.returncode == 0 else 'BROKEN'}\n"
    sys.stdout.write(said if done.returncode == 0 else f"{said}{done.stderr[-2000:]}\n{done.stdout[-2000:]}\n")
    sys.stdout.flush()
    return done.returncode == 0


def main() -> int:
    """Every target that was named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("targets", nargs="*")
    chosen = parser.parse_args()
    unknown = set(chosen.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    held = [search(name, chosen.seconds) for name in chosen.targets or TARGETS]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
