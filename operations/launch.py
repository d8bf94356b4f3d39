"""Runs before each program, as a script: ties its life to the supervisor's, then becomes the program.

Linux sends the signal asked for here when the parent dies, however it dies, so that kill -9 of the supervisor
leaves no orphan. It survives exec. Elsewhere it does nothing, and only a clean stop stops the programs.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Become `command`, unless `parent` is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the supervisor is gone")
    os.execv(command[0], command)  # noqa: S606  # no shell is what is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
