"""Checks of a rule's tree that go beyond types: amounts, currencies, and what only lists may hold.

Minor units of yen, rupees and dinars do not compare, so `amount_minor` may stand only where an AND around it
also says `currency = '...'`. `amount_reference_minor` compares across currencies.

A card, device, IP address, email or customer is known by its surrogate. A constant beside one would match
nobody and stand on the log for good, so that rules only look them up in lists.
"""

from sqlglot import exp

from events.errors import MoneyError
from events.money import exponent
from models.errors import RuleError
from models.rules import nodes

BY_SURROGATE = ("card", "device", "ip", "email", "customer")
"""Fields that rules know by surrogate; a merchant goes by its own id."""

_WORDS_OF_SIGNS: dict[type[object], tuple[str, str]] = {
    exp.ArrayOverlaps: ("&&", "AND"),
    exp.DPipe: ("||", "OR"),
}
"""As what the dialect reads signs of other languages."""


def check_signs(parsed: exp.Expression) -> None:
    """Refuse && and || with the words to write; raises `RuleError`."""
    for found in parsed.walk():
        if type(found) in _WORDS_OF_SIGNS:
            sign, word = _WORDS_OF_SIGNS[type(found)]
            raise RuleError(f"{sign} is not part of the language: write {word}")


def check_amounts(predicate: nodes.Predicate) -> None:
    """Refuse `amount_minor` without its currency; raises `RuleError`."""
    if _unguarded(predicate):
        raise RuleError(
            "amount_minor is in minor units of each payment's own currency: say which you mean, such as "
            "AND currency = 'EUR' beside it, or use amount_reference_minor"
        )


def check_surrogates(node: nodes.Node) -> None:
    """Refuse all but `IN @list` and `IS NULL` of what goes by surrogate; raises `RuleError`."""
    for child in nodes.children(node):
        if not isinstance(child, nodes.Field) or child.name not in BY_SURROGATE:
            check_surrogates(child)
        elif not isinstance(node, nodes.Listed | nodes.Missing):
            raise RuleError(
                f"{child.name} goes by its surrogate, not by the value itself, and is only looked up: write "
                f"{child.name} IN @name_of_a_list (or IS NULL), and put into the list what "
                f"`weir surrogate {child.name} VALUE` prints"
            )


def check_currencies(node: nodes.Node) -> None:
    """Refuse a currency that ISO 4217 does not have; raises `RuleError`."""
    for value in _compared_with_currency(node):
        try:
            exponent(value)
        except MoneyError as error:
            raise RuleError(str(error)) from None
    for child in nodes.children(node):
        check_currencies(child)


def _unguarded(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Field):
        return node.name == "amount_minor"
    if isinstance(node, nodes.All) and any(_names_one_currency(part) for part in node.of):
        return False
    return any(_unguarded(child) for child in nodes.children(node))


def _names_one_currency(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Compare) and node.operator == "=" and bool(_compared_with_currency(node))


def _compared_with_currency(node: nodes.Node) -> list[str]:
    match node:
        case nodes.Compare(_, nodes.Field("currency"), nodes.Text(value)):
            return [value]
        case nodes.Compare(_, nodes.Text(value), nodes.Field("currency")):
            return [value]
        case nodes.OneOf(nodes.Field("currency"), values):
            return [value.value for value in values if isinstance(value, nodes.Text)]
        case _:
            return []
