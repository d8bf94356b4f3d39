"""Where a request comes from: the address at the other end of its connection, or behind a trusted proxy."""

from ipaddress import IPv6Address, ip_address, ip_network

from starlette.requests import Request

_COUNTED_BITS_OF_V6 = 64


def origin(request: Request) -> str | None:
    """The address that asks, None where it is none."""
    host = request.client.host if request.client else ""
    try:
        return str(ip_address(host))
    except ValueError:
        return None


def public_origin(request: Request) -> str | None:
    """The same where it is a public address: a private one is a proxy's or a test's, and no shopper's."""
    address = origin(request)
    return address if address is not None and ip_address(address).is_global else None


def counted_as(address: str) -> str:
    """What limits count an address as: an IPv6 one as its network, of which one host has every address.

    >>> counted_as("192.0.2.7"), counted_as("2001:db8::1:2:3:4"), counted_as("::ffff:192.0.2.7")
    ('192.0.2.7', '2001:db8::', '192.0.2.7')
    """
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed, _COUNTED_BITS_OF_V6), strict=False).network_address)
    return str(parsed)
