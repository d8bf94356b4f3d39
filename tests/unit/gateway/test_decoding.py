"""Bodies that cannot be read are told what is wrong with them, and nothing of them is quoted."""

import msgspec
import pytest

from gateway.errors import InvalidRequestError
from gateway.http.decoding import FORM, JSON, decode_body


class Order(msgspec.Struct):
    amount: int


@pytest.mark.parametrize("body", [b'{"amount": 1}', b' [{"amount": 1}]'])
def test_json_that_is_sent_as_a_form_is_told_so(body: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="Content-Type: application/json") as refused:
        decode_body(body, FORM, Order)
    assert refused.value.code == "form_malformed"


def test_json_that_is_broken_is_told_at_which_byte() -> None:
    with pytest.raises(InvalidRequestError, match=r"^The body is not valid JSON in UTF-8 \(byte 13\)\.$"):
        decode_body(b'{"amount": 1,}', JSON, Order)


@pytest.mark.parametrize("body", [b'{"amount": 1', b'{"amount": "\xff"}'])
def test_json_that_ends_too_early_or_is_not_utf_8_is_told_without_a_place(body: bytes) -> None:
    with pytest.raises(InvalidRequestError, match=r"^The body is not valid JSON in UTF-8\.$"):
        decode_body(body, JSON, Order)
