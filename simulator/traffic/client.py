"""What a merchant's back end and its shoppers' browsers call: the public HTTP API, and nothing else.

Card numbers go to the processor's TLS listener, everything else to the API. Every call carries its test time.
"""

import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2

from simulator.traffic.population import EXPIRY_YEAR
from simulator.traffic.steps import Purchase, Report, SignIn, Verdict

CALL_SECONDS_MAX = 30.0


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
        limits = httpx2.Limits(max_connections=in_flight_max, max_keepalive_connections=in_flight_max)
        trusted = ssl.create_default_context(cafile=str(ca))
        self._keys = keys
        self._api = httpx2.AsyncClient(
            base_url=api, timeout=CALL_SECONDS_MAX, limits=limits, trust_env=False, verify=trusted
        )
        self._processor = httpx2.AsyncClient(
            base_url=processor, timeout=CALL_SECONDS_MAX, limits=limits, trust_env=False, verify=trusted
        )

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._api.aclose()
        await self._processor.aclose()

    async def pay(self, step: Purchase) -> Paid:
        """Token, intent, confirm; the answer of the first call that failed, else of the confirm."""
        token = await self._token(step)
        if token.status != 200:
            return Paid(token, 0.0)
        created = await self._post("/v1/payment_intents", intent_body(step), step.merchant, step.at)
        if created.status != 200:
            return Paid(created, 0.0)
        started = time.perf_counter()
        confirm = f"/v1/payment_intents/{created.body['id']}/confirm"
        answer = await self._post(confirm, {"payment_method": token.body["id"]}, step.merchant, step.at)
        return Paid(answer, (time.perf_counter() - started) * 1000)

    async def newest_payment(self) -> datetime | None:
        """When the newest payment of these merchants was made; None where they have none."""
        found: list[float] = []
        for key in self._keys:
            headers = {"Authorization": f"Bearer {key}"}
            page = read(await self._api.get("/v1/payment_intents", params={"limit": 1}, headers=headers))
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
        return read(await self._processor.post("/v1/tokens", json={"card": card}, headers=headers))

    async def _post(self, path: str, body: dict[str, Any], merchant: int, at: datetime) -> Answer:
        return read(await self._api.post(path, json=body, headers=self._headers(merchant, at)))

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


def read(response: httpx2.Response) -> Answer:
    """The answer's status and resource; a card error (402) stands for the intent that it carries."""
    try:
        body = response.json()
    except ValueError:
        return Answer(response.status_code, {}, "not JSON")
    if response.status_code < 400:
        return Answer(200, body)
    error = body.get("error", {})
    intent = error.get("payment_intent")
    if response.status_code == 402 and intent:
        return Answer(200, intent)
    return Answer(response.status_code, body, f"{error.get('code')}: {error.get('message')}")
