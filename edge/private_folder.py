"""Whether a folder is ours alone: what lies in it is run, so nobody else may put a file there or another folder in its place.

The rule of OpenSSH for the files that it obeys: every folder from the root down belongs to us or to root, and nobody else
can write to it.  A sticky one, as /tmp is, lets nobody move what is not his.  A group of nobody but ourselves is no stranger.
"""

import grp
import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class CacheFolderError(ValueError):
    """The folder for compiled kernels cannot be made, or is not ours alone."""


def refuse_strangers(folder: Path, own: Path) -> None:
    """Nothing where both are ours alone, and nobody else can exchange a folder above them.

    Args:
        own: a folder in `folder`; every file below it must be ours, too.

    Raises:
        CacheFolderError: it names the folder, and what to do.
        OSError: one cannot be looked at.
    """
    for each in (folder, own):
        found = each.stat()
        if found.st_uid != os.geteuid() or found.st_mode & OTHERS_WRITE:
            raise CacheFolderError(
                f"{folder}: others may write to it, and we run what is in it; remove it, or chmod 700 it"
            )
    for each in own.rglob("*"):
        with suppress(FileNotFoundError):  # another process may be building there
            _refuse_foreign(folder, each.lstat())
    # By its own name and by where its links lead: whoever can change either puts another folder in its place.
    for above in {*folder.absolute().parents, *folder.resolve().parents}:
        if not _is_safe(above.stat()):
            raise CacheFolderError(
                f"{above}: others may exchange what is in it, and we run what is in {folder}; "
                f"run: chmod go-w {above}, or choose another data folder"
            )


def _refuse_foreign(folder: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise CacheFolderError(f"{folder}: holds files of somebody else, and we run what is in it; remove it")


def _is_safe(found: os.stat_result) -> bool:
    if found.st_uid not in (0, os.geteuid()):
        return False
    if found.st_mode & stat.S_ISVTX:
        return True
    if found.st_mode & stat.S_IWOTH:
        return False
    return not found.st_mode & stat.S_IWGRP or _is_own_group(found.st_gid)


def _is_own_group(number: int) -> bool:
    """Whether nobody but us (and root) is in it: many systems give each user such a group, and let it write."""
    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(number)
    except KeyError:
        return False
    return number == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
