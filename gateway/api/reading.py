"""Reading the API's requests: card numbers are refused wherever they stand, then bodies become structs."""

import re
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from gateway.errors import CardDataError, InvalidRequestError
from gateway.http.card_numbers import any_holds_card_number, texts_in
from gateway.http.decoding import bracketed, convert, decode_body
from gateway.http.expected import at_member, documented_place, is_whole_number
from gateway.http.forms import parse_form
from gateway.http.json_members import Path

B = TypeVar("B", bound=msgspec.Struct)

_WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,18})")


def refuse_card_numbers(request: Request, body: bytes) -> None:
    """Raises `CardDataError` for a card number anywhere in the request, as it came over the wire."""
    names_and_values = [text for pair in request.headers.items() for text in pair]
    query = [text for pair in request.query_params.multi_items() for text in pair]
    raw = body.decode("utf-8", "replace")
    if any_holds_card_number([request.url.path, *query, *names_and_values, raw]):
        raise CardDataError()


def read_struct(request: Request, body: bytes, struct: type[B]) -> B:
    """The body as a struct; an empty one is an empty object. Raises `InvalidRequestError` and its kin."""
    tree, from_form = decode_body(body, request.headers.get("content-type"), struct)
    _refuse_in_tree(tree)
    return _convert_text(tree, struct) if from_form else convert(tree, struct)


def read_query(request: Request, struct: type[B]) -> B:
    """The query as a struct."""
    tree = parse_form(request.url.query.encode())
    _refuse_in_tree(tree)
    return _convert_text(tree, struct)


def _refuse_in_tree(tree: Any) -> None:
    """Raises `CardDataError` for a card number in any decoded string or number."""
    if any_holds_card_number(texts_in(tree)):
        raise CardDataError()


def _convert_text(tree: dict[str, Any], struct: type[B]) -> B:
    """A tree whose leaves are text, by the struct's types; numbers are written plainly (no 1e3, no 1.0)."""
    _check_numbers(tree, struct)
    read = convert(tree, struct, strict=False)
    if any(text.lower() == "null" for text in texts_in(tree)):
        _check_nulls(tree, msgspec.to_builtins(read), struct)
    return read


def _check_nulls(branch: Any, read: Any, struct: type[B], way: Path = ()) -> None:
    """The word null is a text like any other: where none is expected it does not stand for nothing."""
    if isinstance(branch, dict | list):
        for name, inner in branch.items() if isinstance(branch, dict) else enumerate(branch):
            # What a struct leaves out when it is written is nothing, too.
            there = read.get(name) if isinstance(read, dict) else read[int(name)]
            _check_nulls(inner, there, struct, (*way, name))
    elif read is None:
        param = bracketed(documented_place(struct, way))
        message = at_member(param, "Expected a value, not null.")
        raise InvalidRequestError(message, code="parameter_invalid", param=param)


def _check_numbers(branch: Any, struct: type[B], way: Path = ()) -> None:
    if isinstance(branch, dict | list):
        for name, inner in branch.items() if isinstance(branch, dict) else enumerate(branch):
            _check_numbers(inner, struct, (*way, name))
    elif is_whole_number(struct, way) and not _WHOLE_NUMBER.fullmatch(branch):
        param = bracketed(documented_place(struct, way))
        message = at_member(param, "Expected a whole number.")
        raise InvalidRequestError(message, code="parameter_invalid", param=param)
