"""How an entity's payers did when their card's issuer challenged them: passed, failed or gave up."""

import msgspec

from models.feature import Value
from models.observations import ChallengeResult
from models.windows import DAY_US, Window

D7_US, D30_US = 7 * DAY_US, 30 * DAY_US

_NEVER: list[Value] = [0.0, 0.0, 0.0, 0.0, 0.0, None]


class ChallengeRecord(msgspec.Struct, array_like=True, gc=False):
    """Challenges of one entity's payments, each at the time of its payment.

    >>> record = ChallengeRecord()
    >>> for result in ("failed", "failed", "passed", "abandoned"):
    ...     record.note(result, moment_us=0)
    >>> record.features(now_us=DAY_US)
    [0.0, 2.0, 0.0, 1.0, 1.0, 0.75]
    """

    failed: Window = msgspec.field(default_factory=Window)
    abandoned: Window = msgspec.field(default_factory=Window)
    passed: Window = msgspec.field(default_factory=Window)

    def note(self, result: ChallengeResult, moment_us: int) -> None:
        """A challenge ended."""
        windows = {"failed": self.failed, "abandoned": self.abandoned, "passed": self.passed}
        windows[result].add(moment_us)

    def features(self, now_us: int) -> list[Value]:
        """Failed and abandoned in 1 and 7 days, passed in 30, and the share that was not passed in 30."""
        passed = self.passed.count(now_us, D30_US)
        not_passed = self.failed.count(now_us, D30_US) + self.abandoned.count(now_us, D30_US)
        return [
            *_day_and_week(self.failed, now_us),
            *_day_and_week(self.abandoned, now_us),
            float(passed),
            not_passed / (passed + not_passed) if passed or not_passed else None,
        ]


def challenge_features(record: ChallengeRecord | None, now_us: int) -> list[Value]:
    """The features of a record; most entities never have one."""
    return _NEVER if record is None else record.features(now_us)


def _day_and_week(window: Window, now_us: int) -> list[Value]:
    return [float(window.count(now_us, DAY_US)), float(window.count(now_us, D7_US))]
