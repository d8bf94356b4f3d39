"""What both gateway processes do so that their memory ends up in no file.

The processor's holds card numbers; the API's may hold one that a caller sent there by mistake, until the
interpreter happens to use that memory again.

Linux only: elsewhere the core limit alone is set.
"""

import ctypes
import resource
import sys

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
