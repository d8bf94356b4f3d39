"""Errors of the acquirer network.

AcquirerNetworkError
├── MessageError          bytes that are no message of this network
└── CertificatesError     the network's certificate is not there
"""

from collections.abc import Mapping


class AcquirerNetworkError(Exception):
    """Base of the folder's errors."""


class MessageError(AcquirerNetworkError):
    """The bytes are no message of this network. Its text quotes nothing of them.

    `header` is what could be read of type (`t`), time (7) and trace number (11), by which an answer would be
    known.
    """

    def __init__(self, text: str, header: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.header = {name: (header or {})[name] for name in ("t", "7", "11") if name in (header or {})}


class CertificatesError(AcquirerNetworkError):
    """The network cannot show a certificate."""
