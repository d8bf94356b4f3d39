"""Errors of the acquirer network.

AcquirerNetworkError
├── MessageError          bytes that are no message of this network: the connection is closed
└── CertificatesError     the network's certificate is not there
"""


class AcquirerNetworkError(Exception):
    """Base of the folder's errors."""


class MessageError(AcquirerNetworkError):
    """The bytes are no message of this network. Its text quotes nothing of them."""


class CertificatesError(AcquirerNetworkError):
    """The network cannot show a certificate."""
