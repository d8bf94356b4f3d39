"""The network's certificate, as its member's authority issued it: `network.pem`, `network-ca.pem`."""

import os
import secrets
import ssl
from pathlib import Path

from events.crash import crash_point, declare
from simulator.acquirer.errors import CertificatesError

declare(
    {
        "acquirer.secret.synced": "the key of the fingerprints is on disk under a temporary name",
        "acquirer.secret.renamed": "the key of the fingerprints is in place, the books hold none yet",
    }
)

_FOLDER = "acquirer"
_SECRET_FILE = "issuers.key"  # noqa: S105  # a file's name
_SECRET_BYTES = 32


def folder_of(certificates: Path) -> Path:
    """The folder that holds the certificate: the given one or `acquirer` in it, else `CertificatesError`."""
    for folder in (certificates, certificates / _FOLDER):
        if (folder / "network.pem").exists():
            return folder
    raise CertificatesError(f"{certificates} holds no network.pem: the member whose keys these are makes it")


def server_context(folder: Path) -> ssl.SSLContext:
    """TLS 1.3; only members who show a certificate of the network's authority are let in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(folder / "network.pem")
    context.load_verify_locations(folder / "network-ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def public_context(folder: Path) -> ssl.SSLContext:
    """TLS 1.3 as a server of cardholders: they show no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(folder / "public.pem")
    return context


def issuers_secret(home: Path) -> bytes:
    """The key of the issuers' fingerprints, made at first start with mode 0600."""
    path = home / _SECRET_FILE
    if not path.exists():
        temporary = path.with_suffix(".new")
        temporary.touch(mode=0o600)
        with temporary.open("wb") as file:
            file.write(secrets.token_bytes(_SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        crash_point("acquirer.secret.synced")
        temporary.replace(path)
        _sync_names(home)
        crash_point("acquirer.secret.renamed")
    return path.read_bytes()


def _sync_names(folder: Path) -> None:
    """Without the key of before, a power loss would leave books of cards that nobody knows again."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
