"""The child process that compiles the kernels into their folder, a line on stdout for each step."""

import sys
from pathlib import Path

STEP = "step"


def main() -> None:
    """Compile into a folder a group of kernels, named by the arguments, unless another process has just done so."""
    from edge.kernel_cache import KeptKernels
    from hotpath.warm import warm_up

    folder, group = sys.argv[1:]
    kept = KeptKernels(Path(folder), group)
    with kept.building() as needed:
        if needed:
            warm_up(tell, kept.own, "logs" if group == "logs" else "engine")


def tell(name: str, at: int, of: int) -> None:
    """About to compile `name`."""
    sys.stdout.write(f"{STEP} {at} {of} {name}\n")
    sys.stdout.flush()
