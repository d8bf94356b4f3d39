"""How an entity's payers did when their card's issuer challenged them: passed, failed or gave up."""

import msgspec

from models.observations import ChallengeResult
from models.windows import Window


class ChallengeRecord(msgspec.Struct, array_like=True, gc=False):
    """Challenges of one entity's payments, each at the time of its payment.

    >>> record = ChallengeRecord()
    >>> for result in ("failed", "failed", "passed", "abandoned"):
    ...     record.note(result, moment_us=0)
    >>> record.failed.count(0, 1), record.passed.count(0, 1)
    (2, 1)
    """

    failed: Window = msgspec.field(default_factory=Window)
    abandoned: Window = msgspec.field(default_factory=Window)
    passed: Window = msgspec.field(default_factory=Window)

    def note(self, result: ChallengeResult, moment_us: int) -> None:
        """A challenge ended."""
        windows = {"failed": self.failed, "abandoned": self.abandoned, "passed": self.passed}
        windows[result].add(moment_us)
