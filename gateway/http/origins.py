"""Where a request comes from: the address at the other end of its connection."""

from ipaddress import ip_address

from starlette.requests import Request


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
