"""What a card number says by itself."""

import pytest

from gateway import cards
from simulator.testcards import TEST_CARDS


@pytest.mark.parametrize(
    ("number", "brand"),
    [
        ("4242424242424242", "visa"),
        ("5555555555554444", "mastercard"),
        ("2223003122003222", "mastercard"),
        ("378282246310005", "amex"),
        ("6011111111111117", "discover"),
        ("3566002020360505", "jcb"),
        ("3056930009020004", "diners"),
        ("6200000000000005", "unionpay"),
        ("6521500000000002", "rupay"),
        ("9000000000000001", "unknown"),
    ],
)
def test_the_brand_follows_from_the_leading_digits(number: str, brand: str) -> None:
    assert cards.brand_of(number) == brand
    assert cards.has_card_shape(number)


@pytest.mark.parametrize(
    "number",
    [
        "",
        "4242",
        "424242424242424",
        "4242 4242 4242 4242",
        "４２４２４２４２４２４２４２４２",
        "42424242424242424242",
    ],
)
def test_a_number_with_the_wrong_shape_is_no_card_number(number: str) -> None:
    assert not cards.has_card_shape(number)


@pytest.mark.parametrize("position", range(16))
def test_every_single_wrong_digit_fails_the_check_digit(position: int) -> None:
    number = "4242424242424242"
    wrong = str((int(number[position]) + 1) % 10)

    assert cards.passes_luhn(number)
    assert not cards.passes_luhn(number[:position] + wrong + number[position + 1 :])


def test_only_test_ranges_tell_funding_and_country() -> None:
    assert cards.look_up("4000056655665556") == cards.CardRange("visa", "debit", "US")
    assert cards.look_up("4000008260003178") == cards.CardRange("visa", "credit", "GB")
    assert cards.look_up("4000027600000016") == cards.CardRange("visa", "credit", "DE")
    assert cards.look_up("4929000000000000") == cards.CardRange("visa", "unknown", None)


def test_the_security_code_has_four_digits_on_amex_alone() -> None:
    assert [cards.security_code_digits(brand) for brand in ("amex", "visa", "unknown")] == [4, 3, 3]


def test_gateway_and_world_agree_on_the_test_cards_and_their_risk() -> None:
    documented = {card.number: card.risk or "normal" for card in TEST_CARDS if card.well_formed}

    assert documented == cards.TEST_CARD_RISKS
    assert cards.documented_risk("4000027600000016") is None
