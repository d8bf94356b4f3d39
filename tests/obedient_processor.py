"""The processor's port for tests of the gateway alone: it does as it is told, and counts."""

import asyncio
from typing import Any

import msgspec

from gateway.errors import ProcessorUnavailableError
from gateway.processor_port import (
    AdviceCode,
    Authentication,
    AuthorizationRequest,
    CaptureRequest,
    IncrementRequest,
    OperationEnd,
    PayerAction,
    ProcessorAnswer,
    RefundRequest,
    ReversalRequest,
)


class ObedientProcessor:
    """The processor's port: approves unless told otherwise, and counts what really reached the network.

    `authorizes_minor` makes approvals partial where the request takes them.
    """

    def __init__(self) -> None:
        self.answers: dict[str, ProcessorAnswer] = {}
        self.authorized: list[str] = []
        self.operations: dict[tuple[str, str, str], tuple[int, OperationEnd]] = {}
        """Attempt, kind and id of each capture, increment and refund, with its amount and its end."""
        self.calls: list[tuple[str, str]] = []
        self.decline_code: str | None = None
        self.advice_code: AdviceCode | None = None
        self.authorizes_minor: int | None = None
        self.action: PayerAction | None = None
        """What a payer has to do before the next attempts can end."""
        self.authentication: Authentication | None = None
        """What comes of the authentication of the next attempts."""
        self.asked: dict[str, AuthorizationRequest] = {}
        self.refuses_captures = False
        self.refuses_increments = False
        self.refuses_refunds = False
        self.away = 0
        self.refusing: str | None = None
        """A call that finds no answer."""
        self.lost_answers = 0
        self.delay_seconds = 0.0

    async def authorize(self, request: AuthorizationRequest) -> ProcessorAnswer:
        await self._reached("authorize", request.attempt_id)
        if request.attempt_id not in self.answers:
            self.asked[request.attempt_id] = request
            if self.action is None:
                self._decide(request)
            else:
                self.answers[request.attempt_id] = ProcessorAnswer(
                    attempt_id=request.attempt_id, status="action_required", action=self.action
                )
        return self._answered(request.attempt_id)

    def payer_is_done(self, attempt_id: str, decline_code: str | None = None) -> None:
        """The payer did what was asked, or failed to: `decline_code`. The API is not told."""
        if self.answers[attempt_id].status == "action_required":
            self.decline_code = decline_code
            self._decide(self.asked[attempt_id])

    async def capture(self, attempt_id: str, request: CaptureRequest) -> ProcessorAnswer:
        await self._reached("capture", attempt_id)
        found = self.answers[attempt_id]
        key = (attempt_id, "capture", request.capture_id)
        if key not in self.operations and found.status == "approved":
            self.operations[key] = (request.amount_minor, "refused" if self.refuses_captures else "accepted")
            if self.refuses_captures:
                self.become(attempt_id, status="captured" if found.captured_minor else "reversed")
            else:
                captured_minor = found.captured_minor + request.amount_minor
                assert 0 < request.amount_minor <= found.authorized_minor - found.captured_minor
                final = request.final or captured_minor == found.authorized_minor
                status = "captured" if final else "approved"
                self.become(attempt_id, status=status, captured_minor=captured_minor)
        return self._answered(attempt_id, key)

    async def increment(self, attempt_id: str, request: IncrementRequest) -> ProcessorAnswer:
        await self._reached("increment", attempt_id)
        found = self.answers[attempt_id]
        key = (attempt_id, "increment", request.increment_id)
        if key not in self.operations and found.status == "approved":
            refused = self.refuses_increments
            self.operations[key] = (request.amount_minor, "refused" if refused else "accepted")
            if not refused:
                self.become(attempt_id, authorized_minor=found.authorized_minor + request.amount_minor)
        answer = self._answered(attempt_id, key)
        if answer.operation != "refused":
            return answer
        return msgspec.structs.replace(answer, decline_code=self.decline_code or "insufficient_funds")

    async def refund(self, attempt_id: str, request: RefundRequest) -> ProcessorAnswer:
        await self._reached("refund", attempt_id)
        found = self.answers[attempt_id]
        key = (attempt_id, "refund", request.refund_id)
        if key not in self.operations:
            refunded_minor = found.refunded_minor + request.amount_minor
            refused = self.refuses_refunds or refunded_minor > found.captured_minor
            self.operations[key] = (request.amount_minor, "refused" if refused else "accepted")
            if not refused:
                self.become(attempt_id, refunded_minor=refunded_minor)
        return self._answered(attempt_id, key)

    async def reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        await self._reached("reverse", attempt_id)
        if attempt_id not in self.answers:
            self.answers[attempt_id] = ProcessorAnswer(attempt_id=attempt_id, status="reversed")
        if self.answers[attempt_id].status in ("approved", "action_required"):
            captured = self.answers[attempt_id].captured_minor
            self.become(attempt_id, status="captured" if captured else "reversed")
        return self._answered(attempt_id)

    async def find(self, attempt_id: str) -> ProcessorAnswer:
        await self._reached("find", attempt_id)
        return self.answers.get(attempt_id) or ProcessorAnswer(attempt_id=attempt_id, status="unknown")

    def _decide(self, request: AuthorizationRequest) -> None:
        self.authorized.append(request.attempt_id)
        self.answers[request.attempt_id] = self._authorization(request)

    def _authorization(self, request: AuthorizationRequest) -> ProcessorAnswer:
        if self.decline_code:
            return ProcessorAnswer(
                attempt_id=request.attempt_id,
                status="declined",
                decline_code=self.decline_code,
                advice_code=self.advice_code,
                network_reference="000000000001",
                authentication=self.authentication,
            )
        authorized_minor = request.amount_minor
        if self.authorizes_minor is not None and request.partial_authorization:
            authorized_minor = min(authorized_minor, self.authorizes_minor)
        return ProcessorAnswer(
            attempt_id=request.attempt_id,
            status="approved",
            approval_code="A00001",
            network_reference="000000000001",
            authentication=self.authentication,
            authorized_minor=authorized_minor,
        )

    def become(self, attempt_id: str, **members: Any) -> None:
        """Let an answer have other members."""
        self.answers[attempt_id] = msgspec.structs.replace(self.answers[attempt_id], **members)

    async def _reached(self, call: str, attempt_id: str) -> None:
        self.calls.append((call, attempt_id))
        if call == self.refusing:
            raise ProcessorUnavailableError("away")
        if self.away:
            self.away -= 1
            raise ProcessorUnavailableError("away")
        await asyncio.sleep(self.delay_seconds)

    def _answered(self, attempt_id: str, key: tuple[str, str, str] | None = None) -> ProcessorAnswer:
        if self.lost_answers:
            self.lost_answers -= 1
            raise ProcessorUnavailableError("the answer was lost")
        answer = self.answers[attempt_id]
        if key is None or answer.status == "unknown":
            return answer
        _, end = self.operations.get(key, (0, "refused"))
        return msgspec.structs.replace(answer, operation=end)
