"""Errors of the engine.

ModelsError
├── ControlError        permanent: a rule, list, cost, policy or rate cannot be taken; the one before stays
│   └── RuleError       permanent: a rule's predicate does not fit this catalogue; the text says what to mend
├── StateRowError       a row of kept state cannot be read: another build wrote it, or it is damaged
└── ExplainError        permanent: a decision cannot be explained any more; the text says what is missing
"""


class ModelsError(Exception):
    """Base of the folder's errors."""


class ControlError(ModelsError):
    """A control cannot be taken; `reason` says why, in words for the person who wrote it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RuleError(ControlError):
    """A rule's predicate is not one that this build can run."""


class ExplainError(ModelsError):
    """A decision cannot be explained."""


class StateRowError(ModelsError):
    """A row of the state cannot be read; `kind` says of what."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"a row of kind {kind!r} cannot be read by this build")
        self.kind = kind
