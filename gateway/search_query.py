"""The language in which payment intents are searched: a strict subset of Stripe's, read into clauses. Pure.

`status:'succeeded' AND metadata['order']:'7' AND amount>1000`: clauses joined all by AND, or all by OR. A
clause is a field, a sign and a value, with `-` before it where it must not hold; `field:null` is what is not
there. Nothing of a query is quoted in an error.
"""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from gateway.errors import InvalidRequestError

CLAUSES_MAX = 10
NUMBER_MAX = 10**15

Kind = Literal["number", "time", "text", "exact", "flag", "list"]
"""`time` is Unix seconds, `exact` a text that is found as a whole alone, `list` holds what is asked for."""

FIELDS: Mapping[str, Kind] = {
    "amount": "number",
    "amount_capturable": "number",
    "amount_received": "number",
    "amount_refunded": "number",
    "canceled_at": "time",
    "cancellation_reason": "text",
    "capture_at": "time",
    "capture_delay_hours": "number",
    "capture_method": "text",
    "confirmation_method": "text",
    "created": "time",
    "currency": "text",
    "customer": "text",
    "description": "text",
    "id": "text",
    "last_payment_error.code": "text",
    "last_payment_error.decline_code": "text",
    "last_payment_error.message": "text",
    "last_payment_error.type": "text",
    "latest_charge": "text",
    "livemode": "flag",
    "next_action.type": "text",
    "not_assessed": "flag",
    "outcome.advice_code": "text",
    "outcome.amount_incremented": "number",
    "outcome.network_status": "text",
    "outcome.reason": "text",
    "outcome.risk_level": "text",
    "outcome.risk_score": "number",
    "outcome.seller_message": "text",
    "outcome.three_d_secure.eci": "text",
    "outcome.three_d_secure.flow": "text",
    "outcome.three_d_secure.liability_shifted": "flag",
    "outcome.three_d_secure.result": "text",
    "outcome.type": "text",
    "payment_method": "text",
    "payment_method_options.card.request_partial_authorization": "text",
    "payment_method_types": "list",
    "receipt_email": "exact",
    "refund_owed": "flag",
    "review": "text",
    "setup_future_usage": "text",
    "statement_descriptor": "text",
    "status": "text",
}
"""Every member of a payment intent that a query may name, besides `metadata['name']`."""

Sign = Literal[":", "~", ">", "<", ">=", "<="]

SIGNS: Mapping[Kind, tuple[Sign, ...]] = {
    "number": (":", ">", "<", ">=", "<="),
    "time": (":", ">", "<", ">=", "<="),
    "text": (":", "~"),
    "exact": (":",),
    "flag": (":",),
    "list": (":",),
}
VALUES: Mapping[Kind, str] = {
    "number": "a whole number",
    "time": "Unix seconds",
    "text": "a text in quotation marks",
    "exact": "a text in quotation marks",
    "flag": "true or false",
    "list": "a text in quotation marks",
}
"""What each kind of field is compared with, and above by which signs."""

_CLAUSE = re.compile(
    r"(?P<minus>-?)"
    r"(?P<field>[a-z_.]{1,70})(?:\[(?P<quote>['\"])(?P<key>[^'\"\\\]]{1,40})(?P=quote)\])?"
    r"(?P<sign>:|~|>=|<=|>|<)"
    r"(?:(?P<null>null)\b|(?P<flag>true|false)\b|(?P<number>-?[0-9]{1,16})\b|(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"))"
)
_JOINT = re.compile(r"\s+(AND|OR)\s+")


class Clause(NamedTuple):
    """One condition. `key` is the name within metadata; `value` None asks for what is not there.

    Of a flag it is 0 or 1, of an exact text its keyed hash once that is known.
    """

    field: str
    key: str | None
    sign: Sign
    value: str | int | bytes | None
    negated: bool


class Query(NamedTuple):
    """All of the clauses, or any of them, must hold."""

    clauses: tuple[Clause, ...]
    joint: Literal["AND", "OR"]


def parse_query(text: str) -> Query:
    """The query of a text; raises `InvalidRequestError`.

    >>> parse_query("status:'succeeded' AND -metadata['order']:'7'").clauses[1]
    Clause(field='metadata', key='order', sign=':', value='7', negated=True)
    """
    text = text.strip()
    clauses: list[Clause] = []
    joints: set[str] = set()
    at = 0
    while True:
        found = _CLAUSE.match(text, at)
        if found is None:
            raise _invalid(len(clauses) + 1, "expected a field, a sign and a value, such as amount>1000")
        clauses.append(_clause(found, len(clauses) + 1))
        at = found.end()
        if at == len(text):
            break
        joint = _JOINT.match(text, at)
        if joint is None:
            raise _invalid(len(clauses), "expected AND, OR or the end behind it")
        joints.add(joint[1])
        at = joint.end()
    if len(joints) > 1:
        raise _invalid(2, "join all clauses by AND, or all by OR")
    if len(clauses) > CLAUSES_MAX:
        raise _invalid(CLAUSES_MAX + 1, f"there are at most {CLAUSES_MAX}")
    return Query(tuple(clauses), "OR" if "OR" in joints else "AND")


def _clause(found: re.Match[str], number: int) -> Clause:
    field, key = found["field"], found["key"]
    if (field == "metadata") is (key is None) or field not in (*FIELDS, "metadata"):
        raise _invalid(number, f"expected metadata['name'] or one of {', '.join(FIELDS)}")
    sign: Sign = found["sign"]  # type: ignore[assignment]  # the pattern admits these alone
    return Clause(field, key, sign, _value(found, number), negated=found["minus"] == "-")


def _value(found: re.Match[str], number: int) -> str | int | None:
    kind, sign = FIELDS.get(found["field"], "text"), found["sign"]
    if found["null"]:
        if sign != ":":
            raise _invalid(number, "null goes with the sign : alone")
        return None
    text = None if found["text"] is None else re.sub(r"\\(.)", r"\1", found["text"][1:-1])
    value: str | int | None = text
    if kind == "flag":
        value = {"true": 1, "false": 0}.get(found["flag"] or text or "")
    elif kind in ("number", "time"):
        value = _whole_number(found["number"] or text or "")
    if value is None or sign not in SIGNS[kind]:
        raise _invalid(number, f"this field takes {VALUES[kind]} and one of {' '.join(SIGNS[kind])}")
    return value


def _whole_number(digits: str) -> int | None:
    """The number, where it is one within what a query may hold."""
    if not re.fullmatch(r"-?[0-9]{1,16}", digits) or abs(int(digits)) > NUMBER_MAX:
        return None
    return int(digits)


def _invalid(number: int, message: str) -> InvalidRequestError:
    return InvalidRequestError(f"query: clause {number}: {message}.", code="query_invalid", param="query")
