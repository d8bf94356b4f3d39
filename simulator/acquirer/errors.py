"""Errors of the acquirer network.

AcquirerNetworkError
├── MessageError          bytes that are no message of this network
└── CertificatesError     the network's certificate is not there
"""

from collections.abc import Mapping

_HEADER = {"t": 4, "7": 10, "11": 6}


class AcquirerNetworkError(Exception):
    """Base of the folder's errors."""


class MessageError(AcquirerNetworkError):
    """The bytes are no message of this network. Its text quotes nothing of them.

    `header` is what could be read of type (`t`), time (7) and trace number (11), by which an answer would be
    known.
    """

    def __init__(self, text: str, header: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        read = header or {}
        # Of the field in which the reading ended a part may be there.
        self.header = {name: read[name] for name, size in _HEADER.items() if len(read.get(name, "")) == size}


class CertificatesError(AcquirerNetworkError):
    """The network cannot show a certificate."""
