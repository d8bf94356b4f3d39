"""The language in which payment intents are searched: a strict subset of Stripe's, read into clauses. Pure.

`status:'succeeded' AND metadata['order']:'7' AND amount>1000`: clauses joined all by AND, or all by OR. A
clause is a field, a sign and a value, with `-` before it where it must not hold; `field:null` is what is not
there. Nothing of a query is quoted in an error.
"""

import re
from typing import Literal, NamedTuple

from gateway.errors import InvalidRequestError

CLAUSES_MAX = 10
NUMBER_MAX = 10**15

NUMBERS = (
    "amount",
    "amount_capturable",
    "amount_received",
    "amount_refunded",
    "canceled_at",
    "created",
)
TEXTS = (
    "cancellation_reason",
    "capture_method",
    "confirmation_method",
    "currency",
    "customer",
    "description",
    "id",
    "payment_method",
    "review",
    "statement_descriptor",
    "status",
)

Sign = Literal[":", "~", ">", "<", ">=", "<="]

_CLAUSE = re.compile(
    r"(?P<minus>-?)"
    r"(?P<field>[a-z_]{1,40})(?:\[(?P<quote>['\"])(?P<key>[^'\"\\\]]{1,40})(?P=quote)\])?"
    r"(?P<sign>:|~|>=|<=|>|<)"
    r"(?:(?P<null>null)\b|(?P<number>-?[0-9]{1,16})\b|(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"))"
)
_JOINT = re.compile(r"\s+(AND|OR)\s+")


class Clause(NamedTuple):
    """One condition. `key` is the name within metadata; `value` None asks for what is not there."""

    field: str
    key: str | None
    sign: Sign
    value: str | int | None
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
    if (field == "metadata") is (key is None) or field not in (*NUMBERS, *TEXTS, "metadata"):
        raise _invalid(number, f"expected metadata['name'] or one of {', '.join((*NUMBERS, *TEXTS))}")
    sign: Sign = found["sign"]  # type: ignore[assignment]  # the pattern admits these alone
    return Clause(field, key, sign, _value(found, number), negated=found["minus"] == "-")


def _value(found: re.Match[str], number: int) -> str | int | None:
    field, sign = found["field"], found["sign"]
    if found["null"]:
        if sign != ":":
            raise _invalid(number, "null goes with the sign : alone")
        return None
    if field in NUMBERS:
        digits = found["number"] or (found["text"] or "")[1:-1]
        if sign == "~" or not re.fullmatch(r"-?[0-9]{1,16}", digits) or abs(int(digits)) > NUMBER_MAX:
            raise _invalid(number, "this field takes a whole number and one of : > < >= <=")
        return int(digits)
    if found["text"] is None or sign not in (":", "~"):
        raise _invalid(number, "this field takes a text in quotation marks and one of : ~")
    return re.sub(r"\\(.)", r"\1", found["text"][1:-1])


def _invalid(number: int, message: str) -> InvalidRequestError:
    return InvalidRequestError(f"query: clause {number}: {message}.", code="query_invalid", param="query")
