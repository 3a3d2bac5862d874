"""Compiling the kernels for a command, with progress where a person watches."""

from pathlib import Path

from rich.console import Console


def warm_up_kernels() -> None:
    """Compile the kernels, or load them from the user's private cache; a status line on stderr says what is being done.

    Raises:
        ValueError: others may write to the cache folder.
    """
    from hotpath.warm import warm_up  # numba takes a second to import: not for --help

    console = Console(stderr=True)
    with console.status("loading the compiled kernels") as status:
        warm_up(
            lambda name, number, count: status.update(f"compiling kernels {number}/{count}: {name}"), cache_folder()
        )


def cache_folder() -> Path:
    """Where commands without a data folder of their own keep compiled kernels."""
    return Path.home() / ".cache" / "tacet" / "kernels"
