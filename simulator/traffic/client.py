"""What a merchant's back end and its shoppers' browsers call: the public HTTP API, and nothing else.

Card numbers go to the processor's TLS listener, everything else to the API. Every call carries its test time.
"""

import asyncio
import json
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp

from simulator.traffic.cardholder import answer_challenge
from simulator.traffic.population import EXPIRY_YEAR
from simulator.traffic.steps import Purchase, Report, SignIn, Verdict

CALL_SECONDS_MAX = 30.0
PAYER_SECONDS_MAX, PAYER_POLL_SECONDS = 10.0, 0.1
"""How long is waited for a payer, at the app or at a page: the processor hears of it within moments."""


class NoAnswerError(Exception):
    """A call found no answer; its text is the kind of trouble."""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer: `body` is the resource; of a card error, the intent that the error carries."""

    status: int
    body: dict[str, Any]
    problem: str | None = None


@dataclass(frozen=True)
class Paid:
    """The end of one purchase: the intent as answered, and how long the confirm took."""

    answer: Answer
    confirm_ms: float


class Client:
    """Calls for several merchants, each with its own test key, by index."""

    def __init__(self, api: str, processor: str, ca: Path, keys: Sequence[str], in_flight_max: int) -> None:
        self._keys = keys
        self._api, self._processor = api, processor
        trusted = ssl.create_default_context(cafile=str(ca))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trusted, limit=2 * in_flight_max),
            timeout=aiohttp.ClientTimeout(total=CALL_SECONDS_MAX),
        )

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def pay(self, step: Purchase) -> Paid:
        """Token, intent, confirm; the answer of the first call that failed, else the payment's.

        A UPI address needs no token, and its payer some moments.
        """
        with_what: dict[str, Any] = {"payment_method_data": {"type": "upi", "upi": {"vpa": step.vpa}}}
        if step.vpa is None:
            token = await self._token(step)
            if token.status != 200:
                return Paid(token, 0.0)
            with_what = {"payment_method": token.body["id"]}
        created = await self._post("/v1/payment_intents", intent_body(step), step.merchant, step.at)
        if created.status != 200:
            return Paid(created, 0.0)
        started = time.perf_counter()
        confirm = f"/v1/payment_intents/{created.body['id']}/confirm"
        answer = await self._post(confirm, with_what, step.merchant, step.at)
        confirm_ms = (time.perf_counter() - started) * 1000
        if answer.body.get("status") == "requires_action":
            if step.vpa is None:
                page = answer.body["next_action"]["redirect_to_url"]["url"]
                await answer_challenge(page, step.if_challenged, self._browse)
            answer = await self._once_the_payer_has_answered(step, answer)
        return Paid(answer, confirm_ms)

    async def _once_the_payer_has_answered(self, step: Purchase, answer: Answer) -> Answer:
        until = time.monotonic() + PAYER_SECONDS_MAX
        while answer.body.get("status") == "requires_action" and time.monotonic() < until:
            await asyncio.sleep(PAYER_POLL_SECONDS)
            url = f"{self._api}/v1/payment_intents/{answer.body['id']}"
            answer = await self._call("GET", url, {"Authorization": f"Bearer {self._keys[step.merchant]}"})
        return answer

    async def _browse(self, address: str, form: dict[str, str] | None) -> str:
        try:
            method = "GET" if form is None else "POST"
            async with self._session.request(method, address, data=form) as response:
                return await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswerError(type(error).__name__) from error

    async def newest_payment(self) -> datetime | None:
        """When the newest payment of these merchants was made; None where they have none."""
        found: list[float] = []
        for key in self._keys:
            headers = {"Authorization": f"Bearer {key}"}
            page = await self._call("GET", f"{self._api}/v1/payment_intents?limit=1", headers)
            found += [intent["created"] for intent in page.body.get("data", [])]
        return datetime.fromtimestamp(max(found), UTC) if found else None

    async def capture(self, step: Purchase, payment: str) -> Answer:
        """Take the money that a purchase authorized."""
        return await self._post(f"/v1/payment_intents/{payment}/capture", {}, step.merchant, step.at)

    async def sign_in(self, step: SignIn) -> Answer:
        """Report a shopper's sign-in, or one that failed."""
        body = {
            "type": "sign_in" if step.succeeded else "sign_in_failed",
            "customer": step.customer,
            "ip": step.ip,
            "device_id": step.device,
            "email": step.email,
        }
        return await self._post("/v1/account_events", body, step.merchant, step.at)

    async def report(self, step: Report) -> Answer:
        """Report what a payment turned out to be."""
        body: dict[str, Any] = {"payment_intent": step.payment, "kind": step.kind, "source": step.source}
        if step.fraud is not None:
            body["fraud"] = step.fraud
        return await self._post("/v1/labels", body, step.merchant, step.at)

    async def close_review(self, step: Verdict) -> Answer:
        """Approve or reject a payment held for review."""
        verb = "approve" if step.approve else "reject"
        return await self._post(f"/v1/reviews/{step.review}/{verb}", {}, step.merchant, step.at)

    async def _token(self, step: Purchase) -> Answer:
        card = {
            "number": step.card.number,
            "exp_month": step.card.expiry_month,
            "exp_year": EXPIRY_YEAR,
            "cvc": step.card.cvc,
        }
        headers = self._headers(step.merchant, step.at)
        return await self._call("POST", f"{self._processor}/v1/tokens", headers, {"card": card})

    async def _post(self, path: str, body: dict[str, Any], merchant: int, at: datetime) -> Answer:
        return await self._call("POST", f"{self._api}{path}", self._headers(merchant, at), body)

    async def _call(
        self, method: str, url: str, headers: dict[str, str], body: dict[str, Any] | None = None
    ) -> Answer:
        try:
            async with self._session.request(method, url, json=body, headers=headers) as response:
                return read(response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswerError(type(error).__name__) from error

    def _headers(self, merchant: int, at: datetime) -> dict[str, str]:
        moment = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {"Authorization": f"Bearer {self._keys[merchant]}", "Weir-Test-Time": moment}


def intent_body(step: Purchase) -> dict[str, Any]:
    """The intent of a purchase. What it was in truth is not among its members."""
    return {
        "amount": step.amount_minor,
        "currency": step.currency.lower(),
        "capture_method": "manual" if step.manual_capture else "automatic",
        **({"customer": step.customer} if step.customer else {}),
        "risk_context": {
            "ip": step.ip,
            "device_id": step.device,
            "email": step.email,
            "user_agent": step.user_agent,
            "billing_address": {"country": step.billing_country},
            "shipping_address": {"country": step.shipping_country},
            "items": [{"quantity": step.items, "amount": step.amount_minor}],
        },
    }


def read(status: int, content: bytes) -> Answer:
    """The answer's status and resource; a card error (402) stands for the intent that it carries."""
    try:
        body = json.loads(content)
    except ValueError:
        return Answer(status, {}, "not JSON")
    if status < 400:
        return Answer(200, body)
    error = body.get("error", {})
    intent = error.get("payment_intent")
    if status == 402 and intent:
        return Answer(200, intent)
    return Answer(status, body, f"{error.get('code')}: {error.get('message')}")
