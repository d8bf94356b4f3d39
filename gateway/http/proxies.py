"""Proxies before a listener that are believed about whom they ask for.

What stands in `X-Forwarded-For` anybody may write, so it counts only where the connection comes from one of
these. Each proxy adds the address that it heard from at the end: from there the first that is no proxy is who
asks.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface

from gateway.errors import HomeError


@dataclass(frozen=True)
class Proxies:
    """The networks that they stand in; none, unless told otherwise."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def include(self, address: str) -> bool:
        """Whether it is a proxy's address."""
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(parsed in network for network in self.networks)

    def as_texts(self) -> list[str]:
        """The networks in CIDR notation."""
        return [str(network) for network in self.networks]


NO_PROXIES = Proxies()


def add_trusted_proxy(parser: argparse.ArgumentParser) -> None:
    """The option by which a program is told of them, one at a time."""
    parser.add_argument(
        "--trusted-proxy", action="append", default=[], help="a proxy's address or network, as CIDR"
    )


def trusted(texts: Sequence[str]) -> Proxies:
    """The proxies of an operator's words; raises `HomeError` for what is no address or network.

    >>> trusted(["10.0.0.0/8", "192.0.2.7"]).as_texts()
    ['10.0.0.0/8', '192.0.2.7/32']
    """
    try:
        told = [ip_interface(text.strip()) for text in texts]
    except ValueError:
        raise HomeError(
            "--trusted-proxy takes an address or a network, such as 10.0.0.7 or 10.0.0.0/8"
        ) from None
    for one in told:
        if one.ip != one.network.network_address:
            raise HomeError(
                f"--trusted-proxy takes a network by its first address: {one.network}, and not {one}"
            )
    networks = tuple(one.network for one in told)
    if any(network.prefixlen == 0 for network in networks):
        raise HomeError("--trusted-proxy takes no network of all addresses: anybody could say to be anybody")
    return Proxies(networks)
