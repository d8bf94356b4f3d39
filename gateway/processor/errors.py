"""Errors of the processor.

GatewayError (gateway.errors)
├── RequestError
│   └── CardInputError             402: the card's own data are refused; names the member, never its value
└── UnavailableError
    └── DirectoryUnavailableError  the directory of cardholders' issuers gave no answer
ProcessorError
├── VaultError                 a record cannot be opened: wrong place, wrong key, or damaged (permanent)
├── UnwritableMessageError     a message cannot say this: an amount too long, a currency without a number
├── UnreadableMessageError     bytes from the network are no message of ours
├── MisfitAnswerError          an answer does not fit its question: it is refused and the question reversed
├── RailsSilentError           the rails of accounts gave no answer: anything may have happened there
└── AcquirerError              the acquirer network gave no answer
    ├── AcquirerUnreachableError   nothing has left: nothing can have happened there
    └── AcquirerSilentError        the message may have arrived: anything may have happened there
"""

from collections.abc import Mapping

from gateway.errors import RequestError, UnavailableError

_HEADER = {"t": 4, "7": 10, "11": 6}


class CardInputError(RequestError):
    """The card is refused for what its own data say; `param` is the member under `card`."""

    STATUS = 402
    TYPE = "card_error"
    TITLE = "Card error"

    def __init__(self, code: str, message: str, param: str) -> None:
        super().__init__(message, code=code, param=param)


class DirectoryUnavailableError(UnavailableError):
    """No answer from the directory in time."""


class ProcessorError(Exception):
    """Base of the errors that stay inside the processor. No text holds card data."""


class VaultError(ProcessorError):
    """A record of the vault cannot be opened."""


class UnwritableMessageError(ProcessorError):
    """`field` of an ISO 8583 message cannot hold what it should."""

    def __init__(self, field: str) -> None:
        super().__init__(f"field {field} does not fit the message format")
        self.field = field


class UnreadableMessageError(ProcessorError):
    """The bytes are no ISO 8583 message of this network.

    `header` is what could be read of type (`t`), time (7) and trace number (11), by which it is known.
    """

    def __init__(self, text: str, header: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        read = header or {}
        # Of the field in which the reading ended a part may be there.
        self.header = {name: read[name] for name, size in _HEADER.items() if len(read.get(name, "")) == size}


class MisfitAnswerError(ProcessorError):
    """The answer differs from its question in `field`."""

    def __init__(self, field: str) -> None:
        super().__init__(f"the answer does not fit its question in field {field}")
        self.field = field


class RailsSilentError(ProcessorError):
    """The rails gave no answer in time, or none that could be read; the same question may be asked again."""


class AcquirerError(ProcessorError):
    """The acquirer network gave no answer."""


class AcquirerUnreachableError(AcquirerError):
    """The message has not left."""


class AcquirerSilentError(AcquirerError):
    """The message may have arrived, its answer has not."""
