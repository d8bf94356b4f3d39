"""Reading requests: size, encoding, card numbers, keys, and bodies into strict structs.

Nothing that the caller sent is quoted in an error: only names of documented members, types and bounds.
"""

import re
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from gateway.api.card_numbers import any_holds_card_number, holds_card_number, texts_in
from gateway.api.forms import parse_form
from gateway.business_time import TEST_TIME_HEADER
from gateway.errors import (
    AuthenticationError,
    CardDataError,
    InvalidRequestError,
    UnsupportedMediaError,
)

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

B = TypeVar("B", bound=msgspec.Struct)

_WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_NUMBERS = frozenset({"amount", "amount_to_capture", "quantity", "limit"})
_PLACE = re.compile(r" - at `(?:key in )?\$(.*)`$")
_FIELD = re.compile(r"missing required field `(\w+)`")


def refuse_card_numbers(request: Request, body: bytes) -> None:
    """Raises `CardDataError` for a card number anywhere in the request, as it came over the wire."""
    names_and_values = [text for pair in request.headers.items() for text in pair]
    query = [text for pair in request.query_params.multi_items() for text in pair]
    raw = body.decode("utf-8", "replace")
    if any_holds_card_number([request.url.path, *query, *names_and_values, raw]):
        raise CardDataError()


def read_struct(request: Request, body: bytes, struct: type[B]) -> B:
    """The body as a struct; an empty one is an empty object. Raises `InvalidRequestError` and its kin."""
    media = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if media == FORM:
        tree = parse_form(body)
        refuse_in_tree(tree)
        return convert_text(tree, struct)
    if media != JSON:
        if not body:
            return convert_text({}, struct)
        raise UnsupportedMediaError()
    tree = _json(body)
    refuse_in_tree(tree)
    return _converted(tree, struct, strict=True)


def refuse_in_tree(tree: Any) -> None:
    """Raises `CardDataError` for a card number in any decoded string or number."""
    if any(holds_card_number(text) for text in texts_in(tree)):
        raise CardDataError()


def read_query(request: Request, struct: type[B]) -> B:
    """The query as a struct."""
    tree = parse_form(request.url.query.encode())
    refuse_in_tree(tree)
    return convert_text(tree, struct)


def presented_key(request: Request) -> str:
    """The secret key of the `Authorization` header; raises `AuthenticationError`."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise AuthenticationError()
    return key.strip()


def test_time(request: Request) -> str | None:
    return request.headers.get(TEST_TIME_HEADER)


def convert_text(tree: dict[str, Any], struct: type[B]) -> B:
    """A tree whose leaves are text, by the struct's types; numbers are written plainly (no 1e3, no 1.0)."""
    _check_numbers(tree)
    return _converted(tree, struct, strict=False)


def _json(body: bytes) -> Any:
    if not body:
        return {}
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise InvalidRequestError("The body is not valid JSON in UTF-8.", code="json_malformed") from None


def _converted(tree: Any, struct: type[B], *, strict: bool) -> B:
    try:
        return msgspec.convert(tree, struct, strict=strict)
    except msgspec.ValidationError as error:
        raise explained(str(error)) from None
    except (ValueError, RecursionError):
        raise InvalidRequestError("A value is not as documented.", code="parameter_invalid") from None


def explained(text: str) -> InvalidRequestError:
    """A decoder's complaint as an error that names the member and quotes nothing of the request."""
    place = _PLACE.search(text)
    param = _bracketed(place[1]) if place else ""
    if missing := _FIELD.search(text):
        param = f"{param}[{missing[1]}]" if param else missing[1]
        return InvalidRequestError("A required member is missing.", code="parameter_missing", param=param)
    if "unknown field" in text:
        message = "There is a member that is not documented."
        return InvalidRequestError(message, code="parameter_unknown", param=param or None)
    if text.startswith("Expected"):
        message = text.partition(" - at")[0] + "."
    else:
        message = "This value is not one of those documented."
    return InvalidRequestError(message, code="parameter_invalid", param=param or None)


def _bracketed(place: str) -> str:
    """`.items[0].amount` → `items[0][amount]`; `[...]` stands for a name that the caller chose."""
    names = re.findall(r"\.(\w+)|\[([^\]]*)\]", place)
    parts = [member or index for member, index in names]
    return parts[0] + "".join(f"[{part}]" for part in parts[1:]) if parts else ""


def _check_numbers(tree: Any, name: str = "") -> None:
    if isinstance(tree, dict):
        for member, branch in tree.items():
            _check_numbers(branch, member)
    elif isinstance(tree, list):
        for branch in tree:
            _check_numbers(branch)
    elif name in _NUMBERS and not _WHOLE_NUMBER.fullmatch(tree):
        raise InvalidRequestError("Expected a whole number.", code="parameter_invalid", param=name)
