"""Compiling the kernels for a command, with progress where a person watches."""

from pathlib import Path

from rich.console import Console

from broker_config.errors import ConfigError


def warm_up_kernels() -> None:
    """Compile the kernels, or load them from the user's private cache; a status line on stderr says what is being done.

    Raises:
        ConfigError: the cache folder cannot be made, or others may write to it.
    """
    from hotpath._jit import CacheFolderError
    from hotpath.warm import warm_up  # numba takes a second to import: not for --help

    console = Console(stderr=True)
    with console.status("loading the compiled kernels") as status:
        try:
            warm_up(lambda name, at, of: status.update(f"compiling kernels {at}/{of}: {name}"), cache_folder())
        except CacheFolderError as error:
            raise ConfigError(str(error)) from error


def cache_folder() -> Path:
    """Where commands without a data folder of their own keep compiled kernels."""
    return Path.home() / ".cache" / "tacet" / "kernels"
