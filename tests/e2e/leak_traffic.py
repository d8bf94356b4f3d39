"""The traffic of the leak tests: good and bad requests, and programs that die with secrets in hand.

Every way to pay, a challenge at the issuer's page, sign-ins; callers that speak no TLS, or show no
certificate; records that nobody can read.
"""

import asyncio
import socket
import ssl
from contextlib import closing, suppress
from typing import Any

import httpx2

from events.log import open_log
from events.log.port import Outgoing
from gateway.backoffice import Backoffice
from tests.e2e.leak_search import Planted, Search
from tests.e2e.merchant import Merchant, merchant_of
from tests.e2e.planting import (
    CODE,
    EVERYTHING,
    LONE_CODES,
    METHODS,
    ONE_TIME_CODE,
    PASSWORD,
    PAY,
    POISON,
    PROPER,
    SHOPPER,
    WRONG_ONE_TIME_CODE,
    Bad,
    bad_at_api,
    bad_at_processor,
    number,
)
from tests.e2e.whole_platform import ACQUIRER, API, PROCESSOR, WholePlatform

CARDS = 12
DEATHS = {
    PROCESSOR: [
        "processor.token.committed",
        "processor.attempt.committed",
        "processor.authorization.answered",
    ],
    ACQUIRER: ["acquirer.answer.leaving"],
    API: ["gateway.flight.decided"],
}
POISONED = ("assessments", "payments", "labels", "accounts", "controls", "models")
CHALLENGED = "4000000000003220"
CREDENTIALS = (PROCESSOR, API)
SECONDS_MAX = 20.0


def tls_ports(platform: WholePlatform) -> list[int]:
    """Of all listeners but the API's public one and the page."""
    ports = platform.ports
    inner = [ports.processor_internal, ports.api_internal, ports.acquirer, ports.directory]
    return [ports.processor, ports.issuer_pages, *inner]


class Traffic:
    """What was given to callers in the run, and from which ports callers spoke out of turn."""

    def __init__(self, platform: WholePlatform) -> None:
        self._platform = platform
        self.credentials = [Planted("an API key", platform.test_key, CREDENTIALS)]
        self.rude: set[int] = set()

    async def pass_by(self) -> None:
        """All of it."""
        platform = self._platform
        async with merchant_of(platform) as merchant, self._stranger() as client:
            await self._send_bad(client)
            self._knock()
            self._poison()
            await self._sign_in_and_pay(merchant, client)
            await self._be_challenged(merchant)
            platform.condemn(DEATHS)
            for which in range(CARDS):
                await self._pay(merchant, which)
            for currency, method in METHODS.items():
                await self._pay_from_account(merchant, currency, method)
            await platform.until(
                lambda: not any(each.fated for each in platform.chronicles.values()), "the programs to die"
            )
            await platform.until_ready(API, PROCESSOR, ACQUIRER)
            await self._send_bad(client)
            assert merchant.notebook.faults == []

    def _stranger(self) -> httpx2.AsyncClient:
        trusted = ssl.create_default_context(cafile=str(self._platform.keys / "ca.pem"))
        bearer = {"authorization": f"Bearer {self._platform.test_key}"}
        return httpx2.AsyncClient(verify=trusted, timeout=60, trust_env=False, headers=bearer)

    async def _send_bad(self, client: httpx2.AsyncClient) -> None:
        """Each must be refused, and no answer may hold what it was asked."""
        search, platform = Search(*EVERYTHING, codes=LONE_CODES), self._platform
        for base, requests in ((platform.processor, bad_at_processor()), (platform.api, bad_at_api())):
            for bad in requests:
                answer = await _sent(client, base, bad)
                assert 400 <= answer.status_code < 500, (bad.method, bad.path, answer.status_code)
                told = answer.content + repr(answer.headers).encode()
                assert not search.deeply(told), (bad.method, bad.path, "the answer quotes the request")

    def _knock(self) -> None:
        """A card without TLS at each listener that speaks it, and TLS for a name that is a card number."""
        card = number(PROPER, 96)
        body = f'{{"card": {{"number": "{card}", "cvc": "{CODE}"}}}}'
        plain = f"POST /v1/tokens HTTP/1.1\r\nHost: {card}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        anybody = ssl.create_default_context()
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        for port in tls_ports(self._platform):
            with socket.create_connection(("127.0.0.1", port), SECONDS_MAX) as rude:
                self.rude.add(rude.getsockname()[1])
                rude.sendall(plain.encode())
                _heard(rude)
            with socket.create_connection(("127.0.0.1", port), SECONDS_MAX) as stranger:
                self.rude.add(stranger.getsockname()[1])
                with (
                    suppress(OSError),
                    anybody.wrap_socket(stranger, server_hostname=f"{card}.example") as secured,
                ):
                    secured.sendall(f"GET /{card} HTTP/1.1\r\nHost: {card}\r\n".encode())
                    secured.sendall(b"Connection: close\r\n\r\n")
                    _heard(secured)

    def _poison(self) -> None:
        text = POISON.digits.encode()
        values = (b'{"type": "payment.teleported", "note": "%s"}' % text, b"{%s" % text, text)
        records = [Outgoing(topic, text, value) for topic in POISONED for value in values]
        with closing(open_log(self._platform.log_url)) as log:
            log.append(records)

    async def _sign_in_and_pay(self, merchant: Merchant, client: httpx2.AsyncClient) -> None:
        platform = self._platform
        Backoffice(platform.home, platform.keys).add_user("ada", "acct_tried", "test", PASSWORD)
        await asyncio.sleep(1.1)  # the wrong ones before are of the last second
        who = {"username": "ada", "password": PASSWORD}
        token = (await client.post(f"{platform.api}/signin", json=who)).json()["token"]
        self.credentials.append(Planted("an access token", token.rpartition(".")[2], CREDENTIALS))
        bearer = {"authorization": f"Bearer {token}"}
        await self._pay_by_card(client, bearer)
        upi = {**PAY, "method": "upi", "currency": "INR", "upi": METHODS["inr"]["upi"]}
        paid = await client.post(f"{platform.processor}/pay", json=upi, headers=bearer)
        assert paid.json()["status"] == "pending", paid.text
        await merchant.post(f"/v1/payment_intents/{paid.json()['payment_intent']}/cancel", {})

    async def _pay_by_card(self, client: httpx2.AsyncClient, bearer: dict[str, str]) -> None:
        """Of ten cards one has an account in order, as most have."""
        for which in range(60, 70):
            card = {"number": number(PROPER, which), "expiry": "12/34", "cvv": CODE}
            order = {**PAY, "card": card}
            paid = await client.post(f"{self._platform.processor}/pay", json=order, headers=bearer)
            if paid.json()["status"] == "approved":
                return
            await asyncio.sleep(0.3)
        raise AssertionError(f"no card pays: {paid.text}")

    async def _be_challenged(self, merchant: Merchant) -> None:
        """The first code is wrong, the second right; the intent's secret is made known."""
        payment = await merchant.create({"amount": 1_999, "currency": "eur", "risk_context": SHOPPER})
        intent = await merchant.confirm(payment, await merchant.token(CHALLENGED, CODE))
        codes = (WRONG_ONE_TIME_CODE.digits, ONE_TIME_CODE.digits)
        intent = await merchant.send_to_bank(payment, intent, codes)
        assert intent["status"] == "succeeded", intent
        secret = intent["client_secret"].rpartition("_")[2]
        self.credentials.append(Planted("a client secret", secret, (API,)))

    async def _pay(self, merchant: Merchant, which: int) -> None:
        way = ("automatic", "manual")[which % 2]
        await merchant.sign_in({"type": "sign_in", "customer": f"customer-{which}", **SHOPPER})
        payment = await merchant.create({"amount": 2_000 + which, "currency": "eur", "capture_method": way})
        await merchant.confirm(payment, await merchant.token(number(PROPER, which), CODE))
        await merchant.label(payment, "confirmed_genuine")

    async def _pay_from_account(self, merchant: Merchant, currency: str, method: dict[str, Any]) -> None:
        """The payer never comes, and the shop takes the request back."""
        payment = await merchant.create({"amount": 3_000, "currency": currency, "risk_context": SHOPPER})
        await merchant.confirm(payment, await merchant.kept_method(method))
        await merchant.step(payment, "cancel", {})


async def _sent(client: httpx2.AsyncClient, base: str, bad: Bad) -> httpx2.Response:
    return await client.request(bad.method, base + bad.path, content=bad.body, headers=bad.headers)


def _heard(connection: socket.socket) -> None:
    """Read until the other side has had enough."""
    with suppress(OSError):
        while connection.recv(4096):
            pass
