"""What both gateway processes ask of the system: that no file shows their memory, and that many may connect.

The processor's holds card numbers; the API's may hold one that a caller sent there by mistake, until the
interpreter happens to use that memory again.

Linux only: elsewhere the core limit alone is set.
"""

import ctypes
import resource
import sys

OPEN_FILES_MAX = 65_536
"""Far above the connections that listeners take, and what handshakes under way hold."""

_PR_SET_DUMPABLE = 4


def forbid_core_dumps() -> None:
    """No core file, and no other process of the same user may attach or read this one's memory.

    Raises `OSError` where the kernel refuses.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "the kernel refused PR_SET_DUMPABLE")


def allow_open_files() -> None:
    """As many open files as the system lets this process have: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
