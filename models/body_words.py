"""What is wrong with a control's body, in the words of who writes one instead of those of msgspec."""

import re

import msgspec

_KINDS = {
    "str": "a text in double quotes",
    "str | null": "a text in double quotes",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number in double quotes",
    "object": "an object in braces",
    "array": "a list in brackets",
}
_BOUNDS = {">=": "at least", "<=": "at most"}
_EXPECTED = re.compile(r"Expected `([\w |]+)`(?: (>=|<=) ([\d.]+))?")
_MEMBERS = {
    "Object missing required field": "{} is missing",
    "Object contains unknown field": "there is no {}",
}
_FORMS = {
    "Invalid RFC3339 encoded datetime": "a time such as 2026-01-31T00:00:00Z",
    "Invalid RFC3339 encoded date": "a date such as 2026-01-31",
    "Invalid decimal string": _KINDS["decimal"],
}


def in_words(error: msgspec.ValidationError) -> str:
    """The place, where it is not the body as a whole, and what is wrong there.

    >>> in_words(msgspec.ValidationError("Expected `float` <= 1.0 - at `$.review_catch_rate`"))
    'review_catch_rate: expected a number of at most 1'
    """
    said, _, place = str(error).partition(" - at `$")
    place = place.strip("`.")
    return f"{place}: {_wrong(said)}" if place else _wrong(said)


def _wrong(said: str) -> str:
    words, _, member = said.partition(" `")
    if words in _MEMBERS:
        return _MEMBERS[words].format(member.strip("`"))
    if said in _FORMS:
        return f"expected {_FORMS[said]}"
    found = _EXPECTED.match(said)
    if found is None or found[1] not in _KINDS:
        return said[0].lower() + said[1:]
    bound = f" of {_BOUNDS[found[2]]} {float(found[3]):g}" if found[2] else ""
    return f"expected {_KINDS[found[1]]}{bound}"
