"""Who a program runs as: none of ours needs root, and files that root leaves in a service's folder lock the service out."""

import logging
import os
import pwd
from pathlib import Path

from broker_config.errors import ConfigError

log = logging.getLogger(__name__)


def keep_root_out(data: Path) -> None:
    """Nothing, unless root was about to write to another user's folder.

    Args:
        data: the folder that the program writes to; it need not be there yet.

    Raises:
        ConfigError: the owner of the folder could not open what we leave there.
    """
    standing = next(each for each in (data.absolute(), *data.absolute().parents) if each.exists())
    owner = standing.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        name = _name_of(owner)
        raise ConfigError(
            f"{standing} belongs to {name}, who could not use what root leaves there; start this as that user: sudo -u {name} ..."
        )


def warn_of_root() -> None:
    """Say once that root is not needed; to be called when the program has started, since an error is one line alone."""
    if os.geteuid() == 0:
        log.warning("running as root, which is not needed: use a user of its own, as the systemd units do")


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"#{user}"
