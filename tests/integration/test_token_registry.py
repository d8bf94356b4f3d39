"""The API's token registry as the processor asks it, over a real link."""

import asyncio
from pathlib import Path

import pytest

from gateway.errors import ApiUnavailableError, GatewayError, StoreUnavailableError
from gateway.keys.tls import client_context
from gateway.link.methods import Served
from gateway.people.errors import RateLimitedError
from gateway.pressure.errors import OverloadedError
from gateway.processor.api_registry import ApiRegistry
from gateway.processor_port import TokenRegistered, TokenRegistration
from tests.linked import serving

CARD = TokenRegistration(
    api_key="sk_test_" + "0a" * 24,
    token="tok_1",
    fingerprint="fingerprint-1",
    bin="424242",
    last4="4242",
    brand="visa",
    funding="credit",
    issuer_country="US",
    exp_month=12,
    exp_year=2030,
    test_risk=None,
)


@pytest.mark.parametrize(
    ("refusal", "heard"),
    [
        (OverloadedError(3), OverloadedError(3)),
        (RateLimitedError(7), RateLimitedError(7)),
        (StoreUnavailableError("full"), ApiUnavailableError("")),
    ],
)
def test_a_shop_is_told_why_its_token_was_refused_and_when_to_come_again(
    tmp_path: Path, refusal: GatewayError, heard: GatewayError
) -> None:
    async def register(_registration: TokenRegistration) -> TokenRegistered:
        raise refusal

    async def story() -> None:
        async with serving(tmp_path, {"register": Served(tuple[TokenRegistration], register)}) as listener:
            registry = ApiRegistry(
                f"127.0.0.1:{listener.port}", client_context(tmp_path, "processor", "internal")
            )
            try:
                with pytest.raises(type(heard)) as raised:
                    await registry.register(CARD)
            finally:
                await registry.close()
        assert raised.value.code == heard.code
        assert raised.value.headers == heard.headers

    asyncio.run(story())
