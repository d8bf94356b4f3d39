"""Errors of the dataflows.

PipelinesError
├── StateError                 what a flow keeps on disk cannot be used: permanent, a person must act
│   ├── StateFormatError       it was written by another build
│   ├── StateCorruptError      the file is damaged
│   └── StateMismatchError     it does not belong to the positions that it is asked for
├── SendError                  a reply could not be sent: the flow stops, and starts again from its recovery
├── StoppedError               told to stop in the middle of long work: nothing of it is kept
├── UnusableEventError         an event was decoded but says what cannot be: goes to the dead letters
├── ReplayError                a file cannot be replayed: permanent, the text says what to mend
│   └── MappingError           it is not said, or not so, which column is which
├── ControlFileError           a file of rules or other controls is not one: permanent, says what to mend
└── NotInLogError              what a command asks for is not in the log (any more)
"""


class PipelinesError(Exception):
    """Base of the folder's errors."""


class StateError(PipelinesError):
    """What a flow keeps on disk cannot be used."""


class StateFormatError(StateError):
    """The state was written in a format that this build does not read."""


class StateCorruptError(StateError):
    """The state's file is damaged."""


class StateMismatchError(StateError):
    """The state does not belong to the positions that it is asked for."""


class SendError(PipelinesError):
    """A record could not be sent to the log."""


class NotInLogError(PipelinesError):
    """What was asked for is not in the log; the text says what to check."""


class StoppedError(PipelinesError):
    """Told to stop in the middle of long work, which will be done again."""


class UnusableEventError(PipelinesError):
    """A decoded event says what cannot be; `reason` holds no part of its content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ReplayError(PipelinesError):
    """A file of history cannot be replayed."""


class MappingError(ReplayError):
    """The mapping of a file's columns to fields does not hold."""


class ControlFileError(PipelinesError):
    """A control cannot be published; the text says where it is wrong and what to mend."""
