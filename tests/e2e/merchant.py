"""A merchant's back end that never gives up: each call is repeated until it is answered for good.

What was acknowledged is written down, as a merchant would: that is what the platform is held to afterwards.
"""

import asyncio
import re
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2

from tests.e2e.whole_platform import WholePlatform

RETRIED = frozenset({409, 429, 503})
CALL_SECONDS_MAX = 30.0
PATIENCE_SECONDS = 150.0
ISSUERS_PAGE = "the issuer's page"
START = datetime(2026, 1, 5, 10, tzinfo=UTC)


@dataclass
class Acknowledged:
    """What one payment's answers said; `asked_minor` is the amount that an increment asked for.

    `captured_minor` is None until a capture was acknowledged.
    """

    amount_minor: int
    statuses: list[str] = field(default_factory=list)
    captured_minor: int | None = None
    asked_minor: int | None = None


@dataclass
class Notebook:
    """Everything sent and acknowledged. A call whose answer was lost may have had its effect, or not."""

    payments: dict[str, Acknowledged] = field(default_factory=dict)
    creations_sent: int = 0
    labels: set[tuple[str, str]] = field(default_factory=set)
    sign_ins: set[str] = field(default_factory=set)
    sign_ins_sent: int = 0
    calls: int = 0
    unanswered: int = 0
    broken: list[str] = field(default_factory=list)
    """Calls whose connection broke off, or could not be made; the other unanswered ones were put off."""
    slowest: tuple[float, str] = (0.0, "")
    """The longest that any call waited in seconds, for an answer or for its connection to break; which."""
    faults: list[str] = field(default_factory=list)

    def waited(self, seconds: float, call: str) -> None:
        """A call waited so long."""
        self.slowest = max(self.slowest, (seconds, call))


class GaveUpError(Exception):
    """A call found no answer within the merchant's patience."""


class Merchant:
    """Calls both public listeners with one test key."""

    def __init__(self, api: str, processor: str, ca: str, key: str) -> None:
        self.notebook = Notebook()
        self._client = httpx2.AsyncClient(
            timeout=CALL_SECONDS_MAX,
            verify=ssl.create_default_context(cafile=ca),
            trust_env=False,
            headers={"Authorization": f"Bearer {key}"},
        )
        self._api, self._processor = api, processor
        self._at = START

    async def __aenter__(self) -> "Merchant":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body of the first real answer (below 500, or a 5xx that no retry mends)."""
        base = self._processor if path == "/v1/tokens" else self._api
        return await self._answered("POST", base + path, body)

    async def get(self, path: str) -> dict[str, Any]:
        return (await self._answered("GET", self._api + path, None))[1]

    def pass_time(self, step: timedelta) -> None:
        """Business time goes on; every call carries it."""
        self._at += step

    async def token(self, number: str, cvc: str = "123") -> str:
        card = {"number": number, "exp_month": 12, "exp_year": 2034, "cvc": cvc}
        status, body = await self.post("/v1/tokens", {"card": card})
        assert status == 200, (status, body)
        return str(body["id"])

    async def kept_method(self, data: dict[str, Any]) -> str:
        """A new payment method; a repetition makes another one, which nobody uses."""
        status, body = await self.post("/v1/payment_methods", data)
        assert status == 200, (status, body)
        return str(body["id"])

    async def create(self, body: dict[str, Any]) -> str:
        self.notebook.creations_sent += 1
        status, intent = await self.post("/v1/payment_intents", body)
        assert status == 200, (status, intent)
        self.notebook.payments[intent["id"]] = Acknowledged(body["amount"], [intent["status"]])
        return str(intent["id"])

    async def confirm(self, payment: str, token: str) -> dict[str, Any]:
        """The intent when its attempt has ended, whichever repetition of the confirm it was that counted."""
        _, body = await self.post(f"/v1/payment_intents/{payment}/confirm", {"payment_method": token})
        intent = body.get("error", {}).get("payment_intent") or body
        if "status" not in intent or intent.get("object") != "payment_intent":
            # An earlier repetition counted already; what became of it stands in the intent.
            intent = await self.get(f"/v1/payment_intents/{payment}")
        intent = await self._ended(intent)
        self.notebook.payments[payment].statuses.append(intent["status"])
        return intent

    async def send_to_bank(
        self, payment: str, intent: dict[str, Any], codes: Sequence[str] = ("1234",)
    ) -> dict[str, Any]:
        """The shopper types the codes in and comes back; the intent when its attempt has its end.

        A page that is gone, and a way back on which a program died, end it later, one way or the other.
        """
        page = intent["next_action"]["redirect_to_url"]["url"]
        try:
            for code in codes:
                form = {"do": "answer", "code": code}
                shown = await self._client.post(page, data=form, follow_redirects=True)
                self._seen(shown, ISSUERS_PAGE)
                if back := re.search(r"url=([^']+)'", shown.text):
                    self._seen(await self._client.get(back[1]), "the way back")
        except httpx2.TransportError as error:
            self._broke_off(error, ISSUERS_PAGE)
            self.notebook.unanswered += 1
        intent = await self._ended(intent, "processing", "requires_action")
        self.notebook.payments[payment].statuses.append(intent["status"])
        return intent

    async def step(self, payment: str, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        """Capture or cancel; a repetition that finds it done is as good as done."""
        known = self.notebook.payments[payment]
        if verb == "increment_authorization":
            known.asked_minor = body["amount"]
        await self.post(f"/v1/payment_intents/{payment}/{verb}", body)
        intent = await self.get(f"/v1/payment_intents/{payment}")
        known.statuses.append(intent["status"])
        if verb == "increment_authorization":
            known.amount_minor = max(known.amount_minor, intent["amount"])
        if verb == "capture" and intent["status"] == "succeeded":
            known.captured_minor = intent["amount_received"]
        return intent

    async def change(self, payment: str, body: dict[str, Any]) -> None:
        await self.post(f"/v1/payment_intents/{payment}", body)

    async def close_review(self, payment: str, review: str, verb: str) -> dict[str, Any]:
        await self.post(f"/v1/reviews/{review}/{verb}", {})
        intent = await self.get(f"/v1/payment_intents/{payment}")
        self.notebook.payments[payment].statuses.append(intent["status"])
        return intent

    async def pay_as_nobody(self) -> None:
        """`/pay` with a token that nobody signed: the processor asks the API, which refuses it."""
        order = {"method": "upi", "merchant_id": "acct_tried", "amount": 1, "currency": "INR"}
        nobody = {"Authorization": f"Bearer e30.e30.{'A' * 43}"}
        url = f"{self._processor}/pay"
        body = {**order, "upi": {"vpa": "success@razorpay"}}
        status, told = await self._answered("POST", url, body, nobody)
        assert (status, told["reason"]) == (401, "invalid_token"), (status, told)

    async def sign_in(self, body: dict[str, Any]) -> None:
        status, told = await self.post("/v1/account_events", body)
        assert status == 200, (status, told)
        self.notebook.sign_ins.add(told["id"])

    async def label(self, payment: str, kind: str) -> None:
        body = {"payment_intent": payment, "kind": kind, "source": "merchant"}
        status, told = await self.post("/v1/labels", body)
        assert status == 200, (status, told)
        self.notebook.labels.add((payment, kind))

    async def _ended(self, intent: dict[str, Any], *waiting: str) -> dict[str, Any]:
        """The intent once its status is none of `waiting`, or else `processing`."""
        waiting = waiting or ("processing",)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while intent["status"] in waiting:
            if time.monotonic() > deadline:
                raise GaveUpError(f"{intent['id']} stays processing")
            await asyncio.sleep(0.2)
            intent = await self.get(f"/v1/payment_intents/{intent['id']}")
        return intent

    async def _answered(
        self,
        method: str,
        url: str,
        body: dict[str, Any] | None,
        authorization: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        last = "nothing"
        headers = {"Weir-Test-Time": self._at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")} if body is not None else {}
        # Half of the calls carry a key, so that both ways to send again meet every crash.
        if body is not None and self.notebook.calls % 2:
            headers["Idempotency-Key"] = str(uuid4())
        headers |= authorization or {}
        while time.monotonic() < deadline:
            self.notebook.calls += 1
            self.notebook.sign_ins_sent += url.endswith("/account_events")
            asked = time.monotonic()
            try:
                answer = await self._client.request(method, url, json=body, headers=headers)
            except httpx2.TransportError as error:
                last = self._broke_off(error, f"{method} {url}")
            else:
                if unclear := _unclear(answer):
                    self.notebook.faults.append(f"{method} {url}: {unclear}")
                if answer.status_code not in RETRIED:
                    self.notebook.waited(time.monotonic() - asked, f"{method} {url}")
                    return answer.status_code, answer.json()
                last = f"{answer.status_code}"
            self.notebook.waited(time.monotonic() - asked, f"{method} {url}")
            self.notebook.unanswered += 1
            await asyncio.sleep(0.1)
        raise GaveUpError(f"{method} {url}: no answer, last {last}")

    def _seen(self, page: httpx2.Response, what: str) -> None:
        """Payers' pages say that something is away; that something is wrong with the server, never."""
        if page.status_code >= 500 and page.status_code != 503:
            self.notebook.faults.append(f"{what}: {page.status_code}")

    def _broke_off(self, error: httpx2.TransportError, call: str) -> str:
        self.notebook.broken.append(f"{call}: {error!r}")
        if isinstance(error, httpx2.ReadTimeout):
            self.notebook.faults.append(f"{call}: no answer within {CALL_SECONDS_MAX:.0f} s")
        return type(error).__name__


def _unclear(answer: httpx2.Response) -> str | None:
    """What is wrong with a failure: it must say that it passes, and when to come again."""
    if answer.status_code < 500:
        return None
    told = answer.json().get("error", {}).get("code") if answer.status_code == 503 else None
    if told == "unavailable" and "retry-after" in answer.headers:
        return None
    return f"{answer.status_code} {answer.text}"


def merchant_of(platform: WholePlatform) -> Merchant:
    """The platform's first merchant."""
    ca = str(platform.keys / "ca.pem")
    return Merchant(platform.api, platform.processor, ca, platform.test_key)
