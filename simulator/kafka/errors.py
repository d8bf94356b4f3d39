"""Errors of the local broker.

BrokerError
├── BrokerNotInstalledError   Java or Maven is missing, or the jars cannot be had: says what to install
└── BrokerFailedError         the broker did not start; its log says why
"""


class BrokerError(Exception):
    """Base of the folder's errors."""


class BrokerNotInstalledError(BrokerError):
    """Java or Maven is missing, or the server's jars cannot be had."""


class BrokerFailedError(BrokerError):
    """The broker did not become usable."""
