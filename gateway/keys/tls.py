"""Who may speak to whom: three authorities of Weir's own, the programs' certificates, and the TLS contexts.

Each link has its own authority, so that a certificate of one link opens no door of another:

- `public`: merchants and shoppers → the processor's token listener, and the simulated issuers' pages (the
  server alone shows a certificate);
- `internal`: API ↔ processor, mutual;
- `network`: processor → acquirer, mutual.

```
keys/authorities/LINK.pem     the authority's key: read only to sign, when certificates are made or renewed
keys/ca.pem                   the public authority's certificate: what clients of the token listener trust
keys/PROGRAM/LINK.pem         a program's own key and certificate for a link; no program gets another's
keys/PROGRAM/LINK-ca.pem      the authority that the program trusts on that link
```
"""

import ssl
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from cryptography import x509

from gateway.keys.certificates import (
    Identity,
    certificate_pem,
    identity_from_pem,
    issue,
    make_authority,
    signed_by,
)
from gateway.keys.key_files import exclusively, exposed, make_private_folder, write_secret

Link = Literal["public", "internal", "network"]
Program = Literal["api", "processor", "acquirer"]

PROGRAMS: dict[Program, tuple[Link, ...]] = {
    "api": ("internal",),
    "processor": ("public", "internal", "network"),
    # The issuers' pages stand at the acquirer's: their visitors are shoppers, who trust the public authority.
    "acquirer": ("network", "public"),
}
LINKS: tuple[Link, ...] = ("public", "internal", "network")

RENEWED_BEFORE = timedelta(days=30)
"""Certificates that end sooner than this are made anew at the next start."""

PUBLIC_AUTHORITY_FILE = "ca.pem"


def ensure_certificates(keys: Path, now: datetime, hosts: tuple[str, ...] = ()) -> None:
    """Make what is missing, renew what soon ends; several programs may call this at once.

    `hosts` are names and addresses, beside the local ones, under which the programs are reached.
    """
    make_private_folder(keys)
    with exclusively(keys):
        make_private_folder(keys / "authorities")
        for program in PROGRAMS:
            make_private_folder(keys / program)
        for link in LINKS:
            authority = _ensure_authority(keys, link, now)
            for program in (p for p, links in PROGRAMS.items() if link in links):
                _ensure_program(keys, program, link, authority, now, hosts)


def server_context(keys: Path, program: Program, link: Link) -> ssl.SSLContext:
    """TLS 1.3 as a server of `link`; on every link but `public` a client must show its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(_identity_file(keys, program, link))
    if link != "public":
        context.load_verify_locations(_trust_file(keys, program, link))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(keys: Path, program: Program, link: Link) -> ssl.SSLContext:
    """TLS 1.3 as a client of `link`: shows the program's certificate, trusts the link's authority alone."""
    context = ssl.create_default_context(cafile=str(_trust_file(keys, program, link)))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(_identity_file(keys, program, link))
    return context


class Problem(NamedTuple):
    """What is wrong with a file, and what to do about it."""

    finding: str
    mend: str


def certificate_problems(keys: Path, now: datetime) -> list[Problem]:
    """What is wrong with the files under `keys`: who may read them, and how long certificates are good."""
    if not keys.is_dir():
        return [Problem(f"{keys} does not exist yet", "The first start makes it.")]
    problems = [
        Problem(f"{path} may be read by others than its owner", "Chmod go= it.")
        for path in _private(keys)
        if exposed(path)
    ]
    for program, links in PROGRAMS.items():
        for link in links:
            problems += _identity_problems(keys, program, link, now)
    return problems


def _private(keys: Path) -> list[Path]:
    """Every file under `keys`, and the folder itself; temporary files may vanish meanwhile."""
    return [keys, *sorted(path for path in keys.rglob("*") if path.is_file())]


def _identity_problems(keys: Path, program: Program, link: Link, now: datetime) -> list[Problem]:
    path = _identity_file(keys, program, link)
    try:
        certificate = identity_from_pem(path.read_bytes()).certificate
        authority = x509.load_pem_x509_certificate(_trust_file(keys, program, link).read_bytes())
    except OSError:
        mend = "Start Weir once, or restore the keys from a back-up."
        return [Problem(f"{path} or its authority is missing", mend)]
    except ValueError:
        mend = "Remove it and start Weir, which makes it anew."
        return [Problem(f"{path} or its authority is not readable", mend)]
    ends = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
    if now >= certificate.not_valid_after_utc:
        return [Problem(f"{path} ended on {ends}", "Restart Weir, which renews it.")]
    if now < certificate.not_valid_before_utc:
        return [Problem(f"{path} is not valid yet", "Check the machine's clock.")]
    if now >= certificate.not_valid_after_utc - RENEWED_BEFORE:
        return [Problem(f"{path} ends on {ends}", "Restart Weir, which renews it.")]
    if not signed_by(certificate, authority):
        return [Problem(f"{path} is not signed by the authority beside it", "Remove it and start Weir.")]
    return []


def _ensure_authority(keys: Path, link: Link, now: datetime) -> Identity:
    path = keys / "authorities" / f"{link}.pem"
    authority = _read_identity(path)
    if authority is None or _ends_soon(authority.certificate, now):
        authority = make_authority(f"Weir {link} authority", now)
        write_secret(path, authority.pem())
    if link == "public":
        _ensure_file(keys / PUBLIC_AUTHORITY_FILE, certificate_pem(authority.certificate))
    return authority


def _ensure_program(
    keys: Path, program: Program, link: Link, authority: Identity, now: datetime, hosts: tuple[str, ...]
) -> None:
    path = _identity_file(keys, program, link)
    names = tuple(dict.fromkeys(("localhost", "127.0.0.1", "::1", program, *hosts)))
    current = _read_identity(path)
    if current is None or not _still_good(current.certificate, authority.certificate, names, now):
        write_secret(path, issue(authority, program, names, now).pem())
    _ensure_file(_trust_file(keys, program, link), certificate_pem(authority.certificate))


def _still_good(
    certificate: x509.Certificate, authority: x509.Certificate, names: tuple[str, ...], now: datetime
) -> bool:
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    held = {str(name.value) for name in alternatives}
    return set(names) <= held and not _ends_soon(certificate, now) and signed_by(certificate, authority)


def _ends_soon(certificate: x509.Certificate, now: datetime) -> bool:
    return now >= certificate.not_valid_after_utc - RENEWED_BEFORE


def _read_identity(path: Path) -> Identity | None:
    try:
        return identity_from_pem(path.read_bytes())
    except (OSError, ValueError):
        return None


def _ensure_file(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        write_secret(path, content)


def _identity_file(keys: Path, program: Program, link: Link) -> Path:
    return keys / program / f"{link}.pem"


def _trust_file(keys: Path, program: Program, link: Link) -> Path:
    return keys / program / f"{link}-ca.pem"
