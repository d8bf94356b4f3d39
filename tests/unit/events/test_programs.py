"""What every program does alike."""

import subprocess
import sys

PROGRAM = """
import gc, weakref
from events.programs import GARBAGE_OBJECTS, spare_what_stays

class Node:
    pass

spare_what_stays()
assert gc.get_freeze_count() > 1000
node = Node()
node.itself = node
gone = weakref.ref(node)
del node
kept = [[] for _ in range(2 * GARBAGE_OBJECTS)]
assert gone() is None
"""


def test_cycles_that_requests_leave_are_still_collected_where_what_stays_is_spared() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], stderr=subprocess.PIPE, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")


SURVIVORS = """
import gc, weakref
from events.programs import spare_survivors, spare_what_stays

class Node:
    pass

spare_what_stays()
before = gc.get_freeze_count()
kept = [[] for _ in range(5_000)]
node = Node()
node.itself = node
gone = weakref.ref(node)
del node
spare_survivors()
assert gone() is None
assert gc.get_freeze_count() >= before + 5_000
assert gc.get_count()[0] < 100
"""


def test_cycles_are_collected_before_survivors_are_spared_for_good() -> None:
    ended = subprocess.run([sys.executable, "-c", SURVIVORS], stderr=subprocess.PIPE, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")
