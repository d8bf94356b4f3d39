"""Refusing JSON objects in which a member stands twice.

Readers differ in which of the two they take, so that a check and what it is to protect may read different
requests. The standard library's parser is the detector, since it shows the members of an object as they
stand; it gets only what msgspec has accepted as JSON, whose depth is bounded.
"""

import json
from typing import Any

Pairs = list[tuple[str, Any]]
Path = tuple[str | int, ...]


def member_standing_twice(body: bytes) -> Path | None:
    """The way to the first member that stands twice in its object; None for a body without any.

    >>> member_standing_twice(b'{"items": [{"amount": 1, "amount": 2}]}')
    ('items', 0, 'amount')
    """
    text = body.decode()
    try:
        _DETECTOR.decode(text)
    except _TwiceError:
        return _way_in(_SHOWING_MEMBERS.decode(text))
    return None


class _TwiceError(Exception):
    """Some object holds a member twice."""


class _Members(Pairs):
    """An object with its members as they stand, told from a list by its class."""


def _check(pairs: Pairs) -> None:
    if len(dict(pairs)) != len(pairs):
        raise _TwiceError


def _way_in(tree: Any) -> Path | None:
    if isinstance(tree, _Members):
        seen: set[str] = set()
        for name, _ in tree:
            if name in seen:
                return (name,)
            seen.add(name)
        branches: Any = tree
    else:
        branches = enumerate(tree) if isinstance(tree, list) else ()
    for name, branch in branches:
        if (way := _way_in(branch)) is not None:
            return (name, *way)
    return None


# Numbers are not of interest, and a long one would be refused as one.
_DETECTOR = json.JSONDecoder(object_pairs_hook=_check, parse_int=len, parse_float=len)
_SHOWING_MEMBERS = json.JSONDecoder(object_pairs_hook=_Members, parse_int=len, parse_float=len)
