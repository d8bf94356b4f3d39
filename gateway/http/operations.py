"""What a listener offers, declared for its OpenAPI document: operations, and what each of them may refuse."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from gateway.errors import (
    AuthenticationError,
    BodyTooLargeError,
    ConflictError,
    GatewayError,
    HeadTooLargeError,
    IdempotencyReuseError,
    InvalidRequestError,
    RequestInProgressError,
    UnavailableError,
    UnsupportedMediaError,
)
from gateway.http.answers import internal_error
from gateway.http.bodies import BODY_BYTES_MAX
from gateway.http.connections import HEAD_BYTES_MAX, PATIENCE
from gateway.http.decoding import FORM, JSON
from gateway.http.errors import RequestTimeoutError, TooManyConnectionsError
from gateway.people.errors import RateLimitedError

Members = dict[str, Any]

HEALTH = "/health"
"""The one path that reads nothing and needs nothing."""
WITH_KEY = ("key", "key_as_user_name")

SECURITY: Mapping[str, Members] = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key, `sk_test_…` or `sk_live_…`."},
    "key_as_user_name": {
        "type": "http",
        "scheme": "basic",
        "description": "The same key as the user name, without a password.",
    },
}


class Error(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Stripe's `error` member."""

    type: str
    code: str
    message: str
    doc_url: str
    request_id: str
    param: str = ""
    decline_code: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An RFC 9457 problem document that holds Stripe's `error` member."""

    type: str
    title: str
    status: int
    detail: str
    error: Error


class Header(NamedTuple):
    """A header that requests may carry."""

    name: str
    meaning: str
    schema: Members
    example: str


_RFC_3339 = (
    r"^(199[0-9]|20[0-9]{2}|2100)-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?Z$"
)

TEST_TIME = Header(
    "Weir-Test-Time",
    "With a test key: the request's own time, from 1990 to 400 days from now; test mode's clock follows it.",
    # Not of the format date-time: clients are generated that know it in no header.
    {"type": "string", "pattern": _RFC_3339},
    "2026-01-05T10:00:00Z",
)
IDEMPOTENCY_KEY = Header(
    "Idempotency-Key",
    "Made up for one request: what is asked under it is done once, and answered again as it was.",
    {"type": "string", "minLength": 1, "maxLength": 255},
    "order-7",
)


class Operation(NamedTuple):
    """One method of one path. `body` and `query` are what is read, `answer` what is given.

    `refusals` are those that not every operation has; `in_its_words` those that have the answer's own
    shape, each with what is answered.
    """

    method: str
    path: str
    summary: str
    answer: Any
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    headers: tuple[Header, ...] = ()
    refusals: tuple[GatewayError, ...] = ()
    in_its_words: Mapping[GatewayError, Any] = MappingProxyType({})
    security: tuple[str, ...] = WITH_KEY
    media: tuple[str, ...] = (JSON, FORM)
    body_bytes_max: int = BODY_BYTES_MAX
    answer_media: str = JSON
    leads_to: str = ""

    @property
    def name(self) -> str:
        """Unique, for clients that are generated: `post_payment_intents_id_confirm`."""
        words = [part.strip("{}") for part in self.path.split("/") if part not in ("", "v1")]
        return "_".join([self.method.lower(), *words])

    @property
    def open_to_all(self) -> bool:
        """Whether it is asked without a key."""
        return not self.security

    @property
    def is_replayed(self) -> bool:
        """Whether an answer is kept under the request's idempotency key; `/pay` makes its own anew."""
        return IDEMPOTENCY_KEY in self.headers and self.security == WITH_KEY


class Interface(NamedTuple):
    """What a listener offers, with an example of each struct that it reads or answers."""

    title: str
    description: str
    operations: Sequence[Operation]
    examples: Mapping[Any, Any]
    problem: type[Problem]
    security: Mapping[str, Members] = SECURITY
    narrowed: Mapping[str, Members] = MappingProxyType({})


def path_of(route_path: str) -> str:
    """A served path as the document writes it: every identifier is `{id}`."""
    parts = ["{id}" if part.startswith("{") else part for part in route_path.split("/")]
    return "/".join(parts)


def refusals(one: Operation) -> Iterator[GatewayError]:
    """What may be refused: what the operation says itself, and what follows from how it is asked."""
    yield from one.in_its_words
    yield from one.refusals
    yield InvalidRequestError("This cannot be read as HTTP.", code="request_malformed")
    yield HeadTooLargeError(HEAD_BYTES_MAX)
    yield RequestTimeoutError("head", PATIENCE.head_seconds)
    yield TooManyConnectionsError()
    if one.path == HEALTH:
        return
    yield internal_error()
    yield UnavailableError("Something that is needed gives no answer.")
    if one.security == WITH_KEY:
        yield AuthenticationError()
        yield RateLimitedError()
        yield BodyTooLargeError(one.body_bytes_max)
    if IDEMPOTENCY_KEY in one.headers:
        yield from (IdempotencyReuseError(), RequestInProgressError(), ConflictError())
    if one.body is not None:
        yield from _refused_bodies(one, one.body)


def _refused_bodies(one: Operation, body: type[msgspec.Struct]) -> Iterator[GatewayError]:
    yield BodyTooLargeError(one.body_bytes_max)
    yield UnsupportedMediaError(" or ".join(one.media))
    for field in msgspec.structs.fields(body):
        if field.required:
            yield InvalidRequestError(
                f"The required member {field.encode_name} is missing.",
                code="parameter_missing",
                param=field.encode_name,
            )
            return
