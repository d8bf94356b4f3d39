"""Errors of running Weir.

OperationsError
├── HomeInUseError        another supervisor runs on this home
├── HomeUnusableError     the home cannot be made or written
├── NothingShownError     no program of the home shows figures
├── AddressInUseError     a port is taken
├── AddressUnusableError  the machine has no such address, or may not listen there
├── ProgramFailedError    a program did not become ready, or kept dying; carries the tail of its log
├── TrafficError          the demo's traffic could not start or broke off
└── SurrogateError        a value has no surrogate, or none that can be found
"""


class OperationsError(Exception):
    """Base of the folder's errors; the text says what to do."""


class HomeInUseError(OperationsError):
    """Another supervisor holds the lock of this home."""


class HomeUnusableError(OperationsError):
    """The home cannot be made, or nothing can be written into it."""


class NothingShownError(OperationsError):
    """No program of the home shows figures: none runs, or none of them answers."""


class AddressUnusableError(OperationsError):
    """The machine has no such address, or may not listen there."""


class AddressInUseError(OperationsError):
    """A port that was asked for is taken."""


class ProgramFailedError(OperationsError):
    """A program gave up; `tail` is the end of its log."""

    def __init__(self, name: str, what: str, tail: str) -> None:
        super().__init__(f"{name} {what}. The end of its log:\n{tail or '  (empty)'}")
        self.name = name
        self.tail = tail


class TrafficError(OperationsError):
    """The demo's traffic could not start or broke off."""


class SurrogateError(OperationsError):
    """A value has no surrogate, or none that can be found."""
