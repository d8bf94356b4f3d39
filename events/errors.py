"""Errors of what flows.

EventsError
├── UnreadableEventError      a record that this build cannot read: permanent, goes to the dead letters
├── MoneyError                a wrong amount or an unknown currency: permanent
├── UnsealError               personal fields that this key does not open: permanent
└── LogError                  the log refused or could not be reached
    ├── LogUnavailableError   retryable: the broker is away, the disk is full, a lock was held too long
    ├── UnknownTopicError     permanent: the topic is not declared in `events.topics`
    ├── PositionLostError     permanent: the position asked for is no longer (or not yet) in the log
    ├── LogUnusableError      permanent: the log is damaged, holds other topics, or is too weak
    └── RecordTooLargeError   permanent: the record is larger than the log takes
"""


class EventsError(Exception):
    """Base of the folder's errors."""


class UnreadableEventError(EventsError):
    """A record could not be decoded; `reason` says why in words that hold no part of its content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MoneyError(EventsError):
    """An amount or a currency is not what it must be."""


class LogError(EventsError):
    """The log refused an operation or could not be reached."""


class LogUnavailableError(LogError):
    """The log cannot be reached or cannot write now; the same call may succeed later."""


class UnknownTopicError(LogError):
    """The topic is not declared in `events.topics`."""


class PositionLostError(LogError):
    """The position asked for does not exist in the log (any more)."""


class LogUnusableError(LogError):
    """The log is damaged, holds other topics, or is set up so that its promises cannot hold."""


class RecordTooLargeError(LogError):
    """The record is larger than the log takes (`events.topics.RECORD_BYTES_MAX`)."""
