"""Ports: those that people see follow `--port`, the inner ones are picked; all are tried before a start."""

import os
import random
import socket
from dataclasses import dataclass
from pathlib import Path

from operations.errors import AddressInUseError, AddressUnusableError

INNER_PORTS = range(20_000, 32_000)
"""Below what Linux gives to outgoing connections, so that a restarted program finds its port free."""

REMEMBERED = "ports"
"""The file in the home with the host and the ports of its latest start, for `weir doctor` and the next."""

BLOCK = 8
"""Ports that a process tries first: its own, so that platforms that start together never pick the same."""


@dataclass(frozen=True)
class Ports:
    """Where each listener of one platform is."""

    api: int
    processor: int
    page: int
    api_internal: int
    processor_internal: int
    acquirer: int
    directory: int
    """Of the issuers' access control server, for the processor; `issuer_pages` for cardholders."""
    issuer_pages: int
    """Of wallets and banks, too."""


def is_free(host: str, port: int) -> bool:
    """Whether a listener could be opened there now."""
    return _obstacle(host, port) is None


def check_host(host: str) -> None:
    """Raises `AddressUnusableError` where no listener can be opened on an address, whatever its port."""
    obstacle = _obstacle(host, 0)
    if obstacle is not None:
        raise AddressUnusableError(
            f"{host} is no IPv4 address of this machine ({obstacle.strerror}): give another --host"
        )


def choose(host: str, port: int, home: Path | None = None) -> Ports:
    """API on `port`, processor on the next, page after it; 0 picks all.

    Payers' pages stay where they were at the home's latest start, unless that port is taken: payers may have
    been sent there. One of a wallet or a bank is good until its order has its end.

    Raises `AddressInUseError`, `AddressUnusableError`.
    """
    check_host(host)
    before = _pages_before(home) if home else []
    public = [port, port + 1, port + 2] if port else _free_ports(host, 3, without=before)
    obstacles = {number: found for number in public if (found := _obstacle(host, number))}
    names = ", ".join(str(number) for number in obstacles)
    if any(isinstance(found, PermissionError) for found in obstacles.values()):
        raise AddressUnusableError(f"port {names} is for privileged users: give a --port of 1024 or more")
    if obstacles:
        raise AddressInUseError(
            f"{host} port {names} is in use: stop what listens there, or give another --port "
            f"(Weir takes it and the two after it; --port 0 picks free ones)"
        )
    inner = _free_ports("127.0.0.1", 4, without=public + before)
    pages = [number for number in before if number not in public and is_free(host, number)]
    return Ports(*public, *inner, *(pages or _free_ports(host, 1, without=[*public, *inner])))


def more_inner(count: int, ports: Ports, taken: list[int]) -> list[int]:
    """So many more ports of this machine alone, neither of `ports` nor `taken`; raises as `choose` does."""
    return _free_ports("127.0.0.1", count, without=[*vars(ports).values(), *taken])


def remember(home: Path, host: str, ports: Ports) -> None:
    """Note in the home where people find the platform that runs on it."""
    numbers = ports.api, ports.processor, ports.page, ports.issuer_pages
    (home / REMEMBERED).write_text(" ".join([host, *map(str, numbers)]) + "\n")


def remembered(home: Path) -> str | None:
    """Where API, processor and page of a running home are, in words; None where nothing is noted."""
    known = _read(home)
    if len(known) < 4:
        return None
    host, api, processor, page = known[:4]
    return f"API http://{host}:{api}, processor https://{host}:{processor}, page http://{host}:{page}/"


def own_ports(process: int) -> list[int]:
    """The ports that a process tries first.

    >>> own_ports(3)
    [20024, 20025, 20026, 20027, 20028, 20029, 20030, 20031]
    """
    first = process * BLOCK % len(INNER_PORTS)
    return list(INNER_PORTS[first : first + BLOCK])


def _pages_before(home: Path) -> list[int]:
    """The port of payers' pages at the latest start, if that noted one."""
    return [int(text) for text in _read(home)[4:5] if text.isdecimal() and int(text) in INNER_PORTS]


def _read(home: Path) -> list[str]:
    try:
        return (home / REMEMBERED).read_text().split()
    except (OSError, ValueError):
        return []


def _obstacle(host: str, port: int) -> OSError | None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            return error
    return None


def _free_ports(host: str, count: int, without: list[int] | None = None) -> list[int]:
    others = random.SystemRandom().sample(INNER_PORTS, 200)
    candidates = dict.fromkeys([*own_ports(os.getpid()), *others])
    free = [number for number in candidates if number not in (without or ()) and is_free(host, number)]
    if len(free) < count:
        raise AddressInUseError(f"no free ports on {host} between {INNER_PORTS.start} and {INNER_PORTS.stop}")
    return free[:count]
