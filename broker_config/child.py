"""Start another program so that it dies with its parent, as a user of less power where asked.

    python -I -S child.py PARENT_PID USER|- PROGRAM [ARGUMENT…]

A program of its own, because the alternative, code between fork and exec, is unsafe in a process with threads; and
because Linux forgets the parent-death signal when the user changes, so the user must change first.
Source: prctl(2), PR_SET_PDEATHSIG.
"""

import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG = 1


def child_command(program: list[str], user: str | None = None) -> list[str]:
    """The arguments that run `program` tied to the calling process."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), user or "-", *program]


def become(user: str) -> None:
    """Give up root for `user`, with its groups."""
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then become the program."""
    parent, user, *program = arguments
    if user != "-":
        become(user)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == int(parent):  # else it died before we could ask to be told
        os.execv(program[0], program)  # noqa: S606  becoming the program is the point


if __name__ == "__main__":
    main(sys.argv[1:])
