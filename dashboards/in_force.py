"""Which outcome is in force for each attempt, whoever's word it is, and how many attempts have which."""

from collections import Counter, OrderedDict

ATTEMPTS_MAX = 20_000
"""As many attempts are remembered; one that is older keeps the outcome by which it was counted."""

AttemptKey = tuple[str, int]
"""Payment and number of the attempt."""


class InForce:
    """Counts every attempt once.

    >>> in_force = InForce()
    >>> in_force.put(("pi_1", 1), "allow")
    >>> in_force.put(("pi_1", 1), "block")
    'allow'
    >>> in_force.counted["allow"], in_force.counted["block"]
    (0, 1)
    """

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self._outcomes: OrderedDict[AttemptKey, str] = OrderedDict()

    def __contains__(self, attempt: AttemptKey) -> bool:
        return attempt in self._outcomes

    def put(self, attempt: AttemptKey, outcome: str) -> str | None:
        """Let the outcome be in force; returns the one before, None where there was none."""
        before = self._outcomes.pop(attempt, None)
        if before is not None:
            self.counted[before] -= 1
        self.counted[outcome] += 1
        self._outcomes[attempt] = outcome
        if len(self._outcomes) > ATTEMPTS_MAX:
            self._outcomes.popitem(last=False)
        return before
