"""A predicate taken apart: TRUE where all parts of one of its alternatives are (disjunctive normal form).

In three-valued logic, too: NOT asks whether what it negates is FALSE, AND is FALSE where one of its parts is,
and `IS TRUE` asks what its predicate asks itself.
"""

from models.rules import nodes

ALTERNATIVES_MAX = 8
"""What would fall into more is one part: it is asked as it is written."""

Part = nodes.Predicate
"""Asked whether it is TRUE; where FALSE was asked for, it stands below a `Not`."""


def alternatives(predicate: nodes.Predicate) -> list[list[Part]]:
    """Lists of parts, none of them empty.

    >>> one, two, three = (nodes.Flag(nodes.Field(name, "boolean")) for name in "abc")
    >>> alternatives(nodes.All((one, nodes.Any((two, three))))) == [[one, two], [one, three]]
    True
    >>> alternatives(nodes.Not(nodes.Any((one, two)))) == [[nodes.Not(one), nodes.Not(two)]]
    True
    """
    return _asked(predicate, True) or [[predicate]]


def _asked(node: nodes.Predicate, wanted: bool) -> list[list[Part]] | None:
    """The alternatives of its being TRUE (`wanted`) or FALSE; None where they are too many."""
    match node:
        case nodes.Not(of):
            return _asked(of, not wanted)
        case nodes.Is(of, value) if wanted:
            return _asked(of, value)
        case nodes.All(of):
            return _product(of, wanted) if wanted else _union(of, wanted)
        case nodes.Any(of):
            return _union(of, wanted) if wanted else _product(of, wanted)
        case _:
            return [[node if wanted else nodes.Not(node)]]


def _union(of: tuple[nodes.Predicate, ...], wanted: bool) -> list[list[Part]] | None:
    found: list[list[Part]] = []
    for each in of:
        asked = _asked(each, wanted)
        if asked is None or len(found) + len(asked) > ALTERNATIVES_MAX:
            return None
        found += asked
    return found


def _product(of: tuple[nodes.Predicate, ...], wanted: bool) -> list[list[Part]] | None:
    found: list[list[Part]] = [[]]
    for each in of:
        asked = _asked(each, wanted)
        if asked is None or len(found) * len(asked) > ALTERNATIVES_MAX:
            return None
        found = [[*before, *more] for before in found for more in asked]
    return found
