"""What a request says of the shopper, and what is refused of it: countries that there are not."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Literal

from msgspec import Meta

from events.money import AMOUNT_MINOR_MAX
from gateway.countries import COUNTRIES
from gateway.errors import InvalidRequestError
from gateway.request_members import Body, Email, IpAddress, Text

Country = Annotated[str, Meta(pattern=r"^[A-Za-z]{2}\Z", description="a country in two letters (ISO 3166)")]


class Address(Body, frozen=True, kw_only=True):
    """A postal address; only `country` is read by the risk engine, the rest is sealed."""

    name: Text | None = None
    phone: Text | None = None
    line1: Text | None = None
    line2: Text | None = None
    city: Text | None = None
    state: Text | None = None
    postal_code: Annotated[str, Meta(min_length=1, max_length=16)] | None = None
    country: Country | None = None


class Item(Body, frozen=True, kw_only=True):
    """One line of the basket."""

    description: Text | None = None
    quantity: Annotated[int, Meta(gt=0, le=1_000_000)] = 1
    amount: Annotated[int, Meta(ge=0, le=AMOUNT_MINOR_MAX)] | None = None


class RiskContextInput(Body, frozen=True, kw_only=True):
    """What the merchant knows of the shopper."""

    ip: IpAddress | None = None
    device_id: Text | None = None
    email: Email | None = None
    user_agent: Annotated[str, Meta(max_length=1000)] | None = None
    billing_address: Address | None = None
    shipping_address: Address | None = None
    items: Annotated[list[Item], Meta(max_length=100)] | None = None


def read_ip(text: str | None, param: str = "risk_context[ip]") -> IPv4Address | IPv6Address | None:
    """The address that stands at `param`; raises `InvalidRequestError` for what is none."""
    if text is None:
        return None
    try:
        return ip_address(text.strip())
    except ValueError:
        raise InvalidRequestError(
            f"{param}: this is not an IP address.", code="parameter_invalid", param=param
        ) from None


def read_country(
    context: RiskContextInput, member: Literal["billing_address", "shipping_address"]
) -> str | None:
    """The country of an address in capitals; raises `InvalidRequestError` for what is none."""
    address: Address | None = getattr(context, member)
    if address is None or address.country is None:
        return None
    country = address.country.upper()
    if country not in COUNTRIES:
        param = f"risk_context[{member}][country]"
        raise InvalidRequestError(
            f"{param}: this is not a country of ISO 3166.", code="parameter_invalid", param=param
        )
    return country


def require_readable(context: RiskContextInput | None) -> None:
    """Raises `InvalidRequestError` for an address or a country that there is not."""
    if context is not None:
        read_ip(context.ip)
        read_country(context, "billing_address")
        read_country(context, "shipping_address")
