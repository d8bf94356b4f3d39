"""Issuers: whose card it is, how it is funded, where it pays, who answers while an issuer is down."""

import sqlite3
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from simulator.acquirer import interchange, issuers
from simulator.acquirer.books import Books
from simulator.acquirer.card_ranges import CardRange, Funding, find_range
from simulator.acquirer.issuers import History, Purchase
from simulator.acquirer.records import SCHEMA, Key
from tests.unit.simulator.test_acquirer_network import NOW, NUMBER, Member

AMERICAN, PREPAID = "378282246310005", "5105105105105100"
CLEAN = History(0, 0, 0, 0, None)


def card(number: str) -> CardRange:
    found = find_range(number)
    assert found is not None
    return found


def fingerprint(*, funding: int = 0, home: int = 255) -> str:
    """One that draws what the test wants."""
    return bytes([funding, 0, home, *[0] * 29]).hex()


@pytest.mark.parametrize(
    ("number", "issuer", "funding"),
    [
        ("4000002760003184", "visa-DE", "credit"),
        ("5555025000000003", "mastercard-FR", "debit"),
        (AMERICAN, "amex-US", "credit"),
        (PREPAID, "mastercard-US", "prepaid"),
        ("6521500000000000", "rupay", None),
        ("3528000000000007", "jcb", None),
        ("2223003122003222", "mastercard", None),
    ],
)
def test_a_number_leads_by_brand_and_range_to_its_issuer(
    number: str, issuer: str, funding: Funding | None
) -> None:
    assert (card(number).issuer, card(number).funding) == (issuer, funding)


@pytest.mark.parametrize(("draw", "funding"), [(0, "debit"), (150, "credit"), (255, "prepaid")])
def test_an_account_is_funded_as_its_range_says_and_else_by_chance(draw: int, funding: Funding) -> None:
    drawn = fingerprint(funding=draw)
    known, unknown = CardRange("visa", "DE", "credit"), CardRange("visa", None, None)

    assert issuers.open_account(drawn, known, "3112", NOW).funding == "credit"
    assert issuers.open_account(drawn, unknown, "3112", NOW).funding == funding


@pytest.mark.parametrize(("funding", "then_minor"), [("prepaid", 5), ("debit", 2_000), ("credit", 2_000)])
def test_credit_is_paid_back_and_salaries_come_but_nobody_tops_up_a_prepaid_card(
    funding: Funding, then_minor: int
) -> None:
    account = issuers.open_account(fingerprint(), CardRange("visa", "DE", funding), "3112", NOW)
    spent = replace(account, balance_minor=5, limit_minor=2_000)

    assert issuers.brought_up_to(spent, NOW + issuers.STATEMENT_PERIOD).balance_minor == then_minor


@pytest.mark.parametrize(
    ("home", "card_country", "merchant_country", "response"),
    [
        (0, "DE", "FR", "62"),
        (0, "DE", "DE", "00"),
        (0, None, "FR", "00"),
        (0, "DE", None, "00"),
        (255, "DE", "FR", "00"),
    ],
)
def test_some_cards_do_not_pay_abroad(
    home: int, card_country: str | None, merchant_country: str | None, response: str
) -> None:
    german = CardRange("visa", card_country, "credit")
    account = issuers.open_account(fingerprint(home=home), german, "3112", NOW)

    assert issuers.answer(account, CLEAN, Purchase(100, "3112", merchant_country, NOW)) == response


def test_a_prepaid_card_pays_a_part_where_the_member_takes_one() -> None:
    member = Member()
    limit_minor = member.limit_minor(PREPAID)
    asked = member.authorization(limit_minor * 2, number=PREPAID)
    in_part = {**member.authorization(limit_minor * 2, number=PREPAID), "f48": "72011"}

    refused, part = member.ask(**asked), member.ask(**in_part)

    assert refused["39"] == "51"
    assert (part["39"], int(part["4"])) == ("10", limit_minor)
    assert member.ask(**in_part) == part
    assert member.authorize(1, number=PREPAID) == "51"
    assert member.ask(**member.about("0220", in_part, limit_minor))["39"] == "00"


@pytest.mark.parametrize("other", ["2712", "3011", "3201", "3301"])
def test_an_issuer_holds_a_card_to_the_expiry_with_which_it_first_came(other: str) -> None:
    member = Member()

    assert member.authorize(expiry="3112") == "00"
    assert member.authorize(expiry=other) == "54"
    assert member.authorize(expiry="3112") == "00"


def test_a_card_whose_time_is_over_is_followed_by_one_with_another_expiry_and_code() -> None:
    member = Member()
    later = NOW.replace(year=2027)

    assert member.coded("111", expiry="2612") == "00"
    assert member.coded("111", expiry="2612", at=later) == "54"
    assert member.coded("222", expiry="3012", at=later) == "00"
    assert member.coded("111", expiry="3012", at=later) == "N7"


def test_an_issuer_holds_a_card_to_its_first_security_code_where_one_is_typed() -> None:
    member = Member()

    answers = [member.coded(code) for code in (None, "111", "112", None, "111")]

    assert answers == ["00", "00", "N7", "00", "00"]
    assert "111" not in str(member.books.account(member.network.fingerprint(NUMBER), NOW))


def test_who_does_not_know_the_expiry_teaches_an_issuer_no_security_code() -> None:
    member = Member()
    member.coded(None, expiry="3112")

    assert member.coded("666", expiry="3201") == "54"
    assert member.coded("111", expiry="3112") == "00"


@pytest.mark.parametrize(("number", "response"), [("4242424242424242", "00"), ("4000000000081085", "51")])
def test_a_documented_card_answers_an_increment_as_it_is_documented(number: str, response: str) -> None:
    member = Member()
    held = member.authorization(10**10, number=number)
    member.ask(**held)

    assert member.ask(**member.about("0100", held, 10**10))["39"] == response


def test_a_documented_card_may_have_any_expiry_and_code() -> None:
    member = Member()
    cards = [("111", "3112"), ("222", "3001"), (None, "4001")]

    assert {member.coded(code, number="4242424242424242", expiry=on) for code, on in cards} == {"00"}


def test_while_an_issuer_is_down_the_network_stands_in_within_its_limits() -> None:
    member = Member()
    member.network.down.add(card(NUMBER).issuer)

    assert member.authorize(issuers.STAND_IN_MINOR_MAX + 1) == "91"
    for _ in range(issuers.STAND_IN_DAY_MAX):
        assert member.authorize(issuers.STAND_IN_MINOR_MAX) == "00"
    assert member.authorize(1) == "91"
    assert member.authorize(expiry="2512") == "54"
    assert member.authorize(100_000, number=AMERICAN) == "00"
    member.network.down.clear()
    assert member.authorize(issuers.STAND_IN_MINOR_MAX + 1) == "00"


@pytest.mark.parametrize(("amount_minor", "response"), [(5_000, "00"), (5_001, "91")])
def test_an_increment_too_is_answered_by_the_network_while_the_issuer_is_down(
    amount_minor: int, response: str
) -> None:
    member = Member()
    held = member.authorization(1000)
    member.ask(**held)
    member.network.down.add(card(NUMBER).issuer)

    assert member.ask(**member.about("0100", held, amount_minor))["39"] == response


@pytest.mark.parametrize(
    ("brand", "funding", "on", "share_minor"),
    [
        ("visa", "credit", date(2026, 1, 5), 30),
        ("visa", "debit", date(2026, 1, 5), 20),
        ("mastercard", "prepaid", date(2015, 12, 9), 20),
        ("mastercard", "prepaid", date(2015, 12, 8), 40),
        ("rupay", "debit", date(2019, 12, 31), 40),
        ("rupay", "debit", date(2020, 1, 1), 0),
        ("rupay", "credit", date(2020, 1, 1), 100),
        ("amex", "debit", date(2026, 1, 5), 150),
        ("jcb", "credit", date(2026, 1, 5), 100),
    ],
)
def test_interchange_is_that_of_brand_and_funding_on_the_day(
    brand: str, funding: Funding, on: date, share_minor: int
) -> None:
    assert interchange.interchange_minor(brand, funding, 10_000, on) == share_minor


def test_captures_in_parts_and_refunds_leave_no_interchange_behind() -> None:
    member = Member()
    held = member.authorization(1_000)
    member.ask(**held)
    for amount_minor in (333, 333, 334):
        part = {**member.about("0220", held, amount_minor), "f48": "71011"}
        assert member.ask(**part)["39"] == "00"
    shares = [amount for account, amount, _ in member.books.postings() if account == "interchange"]
    for amount_minor in (501, 499):
        back = {**member.about("0220", held, amount_minor), "f3": "200000"}
        assert member.ask(**back)["39"] == "00"

    assert sum(shares) == 3
    totals: dict[str, int] = {}
    for account, amount_minor, _ in member.books.postings():
        totals[account] = totals.get(account, 0) + amount_minor
    assert set(totals.values()) == {0}


def test_the_books_of_before_are_carried_along(tmp_path: Path) -> None:
    before = sqlite3.connect(tmp_path / "acquirer.sqlite", isolation_level=None)
    before.executescript(SCHEMA[0])
    moment = datetime(2026, 1, 5, 10, tzinfo=UTC).isoformat()
    captured = ("400001", "r", "000001", "0105100000", "ab", 900, "EUR", 990, moment, "captured", "00", "A")
    before.execute("INSERT INTO authorizations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", captured)
    before.execute(
        "INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?)", ("ab", "debit", 5, 5, "3112", "active", moment)
    )
    before.close()

    books = Books(tmp_path / "acquirer.sqlite")
    known = books.find(Key("400001", "r", "000001", "0105100000"))
    account = books.account("ab", NOW + timedelta(days=1))

    assert known is not None
    assert (known.captured_minor, known.held_minor, known.state) == (900, 0, "captured")
    assert account is not None
    assert (account.funding, account.abroad) == ("debit", True)
    books.close()
