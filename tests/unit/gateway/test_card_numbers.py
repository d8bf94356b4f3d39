"""The search for card numbers in what callers write: what it must find, and what it must let pass."""

from collections.abc import Callable
from ipaddress import IPv4Address
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cards import has_card_shape, passes_luhn
from gateway.http.card_numbers import account_holds_card_number, holds_card_number

CARD = "4242424242424242"
NUMBERS = [CARD, "4222222222222", "5555555555554444", "2223003122003222", "378282246310005", "36227206271667"]
SEPARATORS = [
    *" -.:/\\_()[]{}<>#~|'\"=&@!?*+,;",
    "::",
    ") ",
    "][",
    "->",
    "\t",
    "\u00a0",
    "\u2003",
    "\u200b",
    "→",
    "•",
    "🙂",
]


@pytest.mark.parametrize("separator", ["", *SEPARATORS, "x", "X", " - "])
@pytest.mark.parametrize("number", NUMBERS)
def test_a_card_number_in_fours_is_found_whatever_stands_between(number: str, separator: str) -> None:
    groups = [number[at : at + 4] for at in range(0, len(number), 4)]

    assert holds_card_number(f"pay with {separator.join(groups)}, please")


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_card_number_is_found_with_a_sign_between_any_two_digits(separator: str) -> None:
    assert holds_card_number(separator.join(CARD))


@given(st.lists(st.sampled_from(["", *"-.:#() _"]), min_size=15, max_size=15))
def test_a_card_number_is_found_with_different_signs_between(between: list[str]) -> None:
    text = CARD[0] + "".join(sign + digit for sign, digit in zip(between, CARD[1:], strict=True))

    assert holds_card_number(f"card {text}.")


@pytest.mark.parametrize("zero", ["٠", "۰", "०", "０", "𝟎"])
def test_a_card_number_is_found_in_the_digits_of_another_script(zero: str) -> None:
    other = CARD.translate({ord("0") + digit: chr(ord(zero) + digit) for digit in range(10)})

    assert holds_card_number(other)
    assert holds_card_number(":".join(other))


@pytest.mark.parametrize(
    "text",
    [
        f"a{CARD}b",
        f"12:{CARD}",
        f"{CARD} 12/34 123",
        f"2026-01-05T10:00:00Z {CARD}",
        f"2026-01-05 10:00:00 {CARD}",
        f"+49 30 1234567, {CARD}",
        "192.0.2.7 4242 4242 4242 4242",
        "4242 4242, 4242 4242",
        "2223::0031::2200::3222",
    ],
)
def test_a_card_number_is_found_beside_other_things(text: str) -> None:
    assert holds_card_number(text)


def phones(random: Random) -> str:
    def one() -> str:
        shape = random.choice(["+49 30 #######", "(415) 55#-####", "+1-52#-555-####", "4#######", "555####"])
        return "".join(str(random.randrange(10)) if sign == "#" else sign for sign in shape)

    return random.choice([", ", "; ", "\n", " / ", ","]).join(one() for _ in range(random.randint(1, 4)))


def moment(random: Random) -> str:
    day = f"{random.randint(1990, 2099)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}"
    hour, minute, second = random.randrange(24), random.randrange(60), random.randrange(60)
    fraction, zone = random.choice(["", f".{random.randrange(10**6):06}"]), random.choice(["", "Z", "+05:30"])
    return f"{day}{random.choice(' T')}{hour:02}:{minute:02}:{second:02}{fraction}{zone}"


INNOCENT: dict[str, Callable[[Random], str]] = {
    "UUIDs": lambda random: " ".join(str(UUID(int=random.getrandbits(128), version=4)) for _ in range(3)),
    "UUIDs without a letter": lambda random: str(UUID("".join(random.choices("0123456789", k=32)))),
    "times": moment,
    "two times": lambda random: f"{moment(random)} / {moment(random)}",
    "compact times": lambda random: moment(random).translate({ord(sign): None for sign in "-:"}),
    "phone numbers": phones,
    "IPv4 addresses": lambda random: ", ".join(str(IPv4Address(random.getrandbits(32))) for _ in range(3)),
    "IPv6 addresses": lambda random: (
        f"2600:{random.randrange(10**4)}:{random.randint(1000, 9999)}:{random.randint(1000, 9999)}::1"
    ),
    "hashes": lambda random: random.randbytes(20).hex() + "a",
    "device numbers (IMEI)": lambda random: f"35{random.randrange(10**13):013}",
    "screens": lambda random: (
        f"{random.randint(1000, 4999)}x{random.randint(100, 999)}x24 {random.randint(1000, 9999)}"
    ),
    "places": lambda random: f"{random.uniform(-90, 90):.6f}, {random.uniform(10, 99):.6f}",
}


@pytest.mark.parametrize("kind", INNOCENT)
def test_what_is_plainly_something_else_passes(kind: str) -> None:
    random = Random(20260105)
    texts = [INNOCENT[kind](random) for _ in range(3_000)]

    assert [text for text in texts if holds_card_number(text)] == []


@given(st.text("0123456789", min_size=15, max_size=15))
def test_the_search_and_the_vault_agree_on_what_a_card_number_is(digits: str) -> None:
    number = f"4{digits}"

    assert holds_card_number(number) == (has_card_shape(number) and passes_luhn(number))


def test_a_number_that_fails_its_check_or_is_no_brand_s_passes() -> None:
    wrong = ["4242424242424241", "9999999999999995", "42424242424242424242", "424242424242"]

    assert not any(map(holds_card_number, wrong))


@pytest.mark.parametrize("digits", [*NUMBERS[:1], *NUMBERS[2:5]])
@pytest.mark.parametrize("around", ["1{}9", "{}17", "A77{}"])
def test_a_card_number_among_the_digits_of_an_account_is_found(digits: str, around: str) -> None:
    assert account_holds_card_number(around.format(digits))


@pytest.mark.parametrize(
    "account", ["123456789012", "00000030123456789", "DE89370400440532013000", "GB33BUKB20201555555555", "A1"]
)
def test_an_account_as_banks_give_them_out_is_none(account: str) -> None:
    assert not account_holds_card_number(account)
