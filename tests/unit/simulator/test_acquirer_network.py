"""The network and its issuers: accounts, limits, captures, reversals, and repeats that change nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.clock import VirtualClock
from simulator.acquirer import issuers, rates
from simulator.acquirer.books import Books
from simulator.acquirer.card_ranges import CardRange, find_range
from simulator.acquirer.errors import MessageError
from simulator.acquirer.message_format import decode, encode
from simulator.acquirer.network import Network

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
NUMBER = "4000002500000003"


class Member:
    """An acquirer's side of the network: builds messages, reads answers."""

    def __init__(self, books: Books | None = None) -> None:
        self.clock = VirtualClock(NOW)
        self.books = books or Books(":memory:")
        self.network = Network(self.books, self.clock, b"secret")
        self._stan = 0

    def ask(self, **fields: str) -> dict[str, str]:
        return decode(self.network.handle(encode({name.removeprefix("f"): v for name, v in fields.items()})))

    def authorization(
        self, amount_minor: int = 1000, *, number: str = NUMBER, at: datetime = NOW, expiry: str = "3112",
        currency: str = "840",
    ) -> dict[str, str]:  # fmt: skip
        self._stan += 1
        return {
            "t": "0100",
            "f2": number,
            "f3": "000000",
            "f4": f"{amount_minor:012}",
            "f7": at.strftime("%m%d%H%M%S"),
            "f11": f"{self._stan:06}",
            "f14": expiry,
            "f32": "400001",
            "f37": f"{at.year % 10}{at.timetuple().tm_yday:03}{at.hour:02}{self._stan:06}",
            "f49": currency,
        }

    def authorize(self, amount_minor: int = 1000, **more: object) -> str:
        return self.ask(**self.authorization(amount_minor, **more))["39"]  # type: ignore[arg-type]  # test data

    def coded(self, code: str | None, **more: object) -> str:
        """An authorization with a security code, where there is one."""
        elements = {} if code is None else {"f48": f"92{len(code):02}{code}"}
        asked = self.authorization(**more)  # type: ignore[arg-type]  # test data
        return self.ask(**asked, **elements)["39"]

    def about(self, kind: str, original: dict[str, str], amount_minor: int) -> dict[str, str]:
        self._stan += 1
        return {
            "t": kind,
            "f3": "000000",
            "f4": f"{amount_minor:012}",
            "f7": original["f7"],
            "f11": f"{self._stan:06}",
            "f32": "400001",
            "f37": original["f37"],
            "f49": original["f49"],
            "f90": f"0100{original['f11']}{original['f7']}{'400001':0>11}{'':0>11}",
        }

    def limit_minor(self, number: str = NUMBER) -> int:
        """What the card may spend before anything was spent."""
        return self.account(number).limit_minor

    def account(self, number: str = NUMBER) -> issuers.Account:
        """The card's account as it is made when the issuer first meets it."""
        card = find_range(number)
        assert card is not None
        return issuers.open_account(self.network.fingerprint(number), card, "3112", NOW)


def test_the_same_card_meets_the_same_account_in_every_world() -> None:
    first, second = Member(), Member()

    assert first.limit_minor() == second.limit_minor()
    assert first.limit_minor() != first.limit_minor("4000002500000011")


def test_an_issuer_approves_up_to_what_the_account_has_and_counts_what_is_held() -> None:
    member = Member()
    limit_minor = member.limit_minor()

    assert member.authorize(limit_minor + 1) == "51"
    assert member.authorize(limit_minor) == "00"
    assert member.authorize(1) == "51"


def test_a_reversed_amount_is_free_again() -> None:
    member = Member()
    held = member.authorization(member.limit_minor())
    member.ask(**held)

    assert member.authorize(1) == "51"
    assert member.ask(**member.about("0420", held, 1))["39"] == "00"
    assert member.authorize(1) == "00"


def test_an_amount_that_nobody_captures_is_free_after_its_hold() -> None:
    member = Member()
    limit_minor = member.limit_minor()
    member.authorize(limit_minor)

    assert member.authorize(limit_minor, at=NOW + issuers.HOLD_PERIOD - timedelta(hours=1)) == "51"
    assert member.authorize(limit_minor, at=NOW + issuers.HOLD_PERIOD + timedelta(hours=1)) == "00"


def test_captured_money_comes_back_with_the_next_statement_period() -> None:
    member = Member()
    limit_minor = member.limit_minor()
    spent = member.authorization(limit_minor)
    member.ask(**spent)
    member.ask(**member.about("0220", spent, limit_minor))

    assert member.authorize(limit_minor, at=NOW + timedelta(days=20)) == "51"
    assert member.authorize(limit_minor, at=NOW + timedelta(days=31)) == "00"


def test_a_partial_capture_frees_the_rest() -> None:
    member = Member()
    limit_minor = member.limit_minor()
    held = member.authorization(limit_minor)
    member.ask(**held)

    assert member.ask(**member.about("0220", held, limit_minor - 500))["39"] == "00"
    assert member.authorize(501) == "51"
    assert member.authorize(500) == "00"


def test_a_capture_debits_the_cardholder_and_credits_the_acquirer_less_interchange() -> None:
    member = Member()
    held = member.authorization(10_000)
    member.ask(**held)

    member.ask(**member.about("0220", held, 10_000))

    lines = {account.partition(":")[0]: amount for account, amount, _ in member.books.postings()}
    assert lines["cardholder"] == -10_000
    assert lines["interchange"] in {20, 30}
    assert lines["acquirer"] == 10_000 - lines["interchange"]


@given(st.lists(st.integers(1, 500_000), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_the_books_always_add_up_to_nothing(amounts_minor: list[int]) -> None:
    member = Member()
    for amount_minor in amounts_minor:
        held = member.authorization(amount_minor)
        member.ask(**held)
        member.ask(**member.about("0220", held, amount_minor // 2 + 1))

    assert sum(amount for _, amount, _ in member.books.postings()) == 0


@pytest.mark.parametrize("kind", ["0100", "0220", "0420"])
def test_a_message_that_comes_twice_is_answered_twice_and_counted_once(kind: str) -> None:
    member = Member()
    held = member.authorization(1000)
    member.ask(**held)
    message = held if kind == "0100" else member.about(kind, held, 1000)

    first, second = member.ask(**message), member.ask(**message)

    assert first == second
    assert first["39"] == "00"
    assert len(member.books.states()) == 1
    assert len(member.books.postings()) == (3 if kind == "0220" else 0)


@pytest.mark.parametrize(
    ("before", "kind", "amount_minor", "response"),
    [
        ([], "0220", 1001, "13"),
        (["0220"], "0220", 999, "94"),
        (["0420"], "0220", 1000, "25"),
        (["0220"], "0420", 1000, "25"),
        (["0420"], "0420", 1000, "00"),
    ],
)
def test_what_contradicts_the_books_is_refused(
    before: list[str], kind: str, amount_minor: int, response: str
) -> None:
    member = Member()
    held = member.authorization(1000)
    member.ask(**held)
    for earlier in before:
        member.ask(**member.about(earlier, held, 1000))

    assert member.ask(**member.about(kind, held, amount_minor))["39"] == response


def test_a_capture_of_what_was_never_authorized_is_refused() -> None:
    member = Member()

    assert member.ask(**member.about("0220", member.authorization(), 1000))["39"] == "25"


def test_a_reversal_may_come_before_its_authorization_which_is_then_refused() -> None:
    member = Member()
    late = member.authorization()

    assert member.ask(**member.about("0420", late, 1000))["39"] == "00"
    assert member.ask(**late)["39"] == "94"
    assert member.books.states() == ["reversed"]


def test_a_card_that_test_time_renewed_is_neither_renewed_nor_spent_in_live_mode() -> None:
    member, later = Member(), NOW.replace(year=NOW.year + 4)
    in_test = {"f48": "73011"}
    limit_minor = member.limit_minor()

    first = {**member.authorization(limit_minor, expiry="2709"), **in_test}
    renewed = {**member.authorization(limit_minor, expiry=f"{later:%y}12", at=later), **in_test}
    assert [member.ask(**asked)["39"] for asked in (first, renewed)] == ["00", "00"]
    assert member.authorize(limit_minor, expiry="2709") == "00"


def test_an_expired_card_is_refused_and_a_later_expiry_is_then_a_renewed_card() -> None:
    member = Member()

    assert member.authorize(expiry="2512") == "54"
    assert member.authorize(expiry="3112") == "00"
    assert member.authorize(expiry="3109") == "54"
    assert member.authorize(expiry="3512") == "54"


def test_a_card_used_too_often_in_an_hour_is_refused_until_the_hour_is_over() -> None:
    member = Member()
    responses = [member.authorize(1) for _ in range(issuers.VELOCITY_HOUR_MAX + 1)]

    assert responses == ["00"] * issuers.VELOCITY_HOUR_MAX + ["65"]
    assert member.authorize(1, at=NOW + timedelta(minutes=61)) == "00"


def test_declines_in_a_row_and_sudden_size_look_like_fraud_to_the_issuer() -> None:
    tried, grown = Member(), Member()
    for _ in range(issuers.SUSPICIOUS_DECLINES):
        tried.authorize(tried.limit_minor() + 1)
    for _ in range(issuers.SUDDEN_SIZE_HISTORY_MIN):
        grown.authorize(100)

    assert tried.authorize(100) == "59"
    assert tried.authorize(100, at=NOW + timedelta(minutes=11)) == "00"
    assert grown.authorize(100 * issuers.SUDDEN_SIZE_FACTOR + 1) == "59"
    assert grown.authorize(100 * issuers.SUDDEN_SIZE_FACTOR) == "00"


@pytest.mark.parametrize("status", ["lost", "stolen", "closed"])
def test_a_card_that_is_not_active_is_refused(status: issuers.CardStatus) -> None:
    account = issuers.open_account("ab" * 32, CardRange("visa", "DE", "debit"), "3112", NOW)
    history, purchase = issuers.History(0, 0, 0, 0, None), issuers.Purchase(1, "3112", "DE", NOW)

    assert issuers.answer(account, history, purchase) == "00"
    assert issuers.answer(replace(account, status=status), history, purchase) in {"41", "43", "06"}


def test_brands_that_are_not_routed_and_currencies_that_are_not_dealt_in_are_refused() -> None:
    member = Member()

    assert member.authorize(number="9000000000000001") == "15"
    assert member.authorize(currency="999") == "57"


def test_amounts_in_other_currencies_count_at_the_networks_rate() -> None:
    member = Member()
    limit = Decimal(member.limit_minor()) / 100

    assert member.authorize(int(limit / Decimal("0.007")) + 200, currency="392") == "51"
    assert member.authorize(int(limit / Decimal("0.007")) - 200, currency="392") == "00"
    assert rates.billed(1000, "KWD") == 325


@pytest.mark.parametrize("missing", ["f2", "f4", "f14", "f37", "f49"])
def test_a_request_that_lacks_a_field_gets_a_format_error(missing: str) -> None:
    member = Member()
    request = {name: value for name, value in member.authorization().items() if name != missing}

    assert member.ask(**request)["39"] == "30"


@pytest.mark.parametrize("message", [b"", b"0100", b"\x00" * 50, encode({"t": "0600", "11": "000001"})])
def test_bytes_that_are_no_message_disturb_nothing_that_came_with_them(message: bytes) -> None:
    member = Member()
    good = encode({name.removeprefix("f"): v for name, v in member.authorization().items()})

    answers = member.network.handle_all([message, good])

    assert answers[0] is None
    assert answers[1] is not None
    assert answers[1].message is not None
    assert decode(answers[1].message)["39"] == "00"
    with pytest.raises(MessageError):
        member.network.handle(message)


def test_the_books_outlive_the_program_and_hold_no_card_number(tmp_path: Path) -> None:
    path = tmp_path / "acquirer.sqlite"
    member = Member(Books(path))
    request = member.authorization()
    first = member.ask(**request)
    member.books.close()

    again = Member(Books(path))

    assert again.ask(**request) == first
    again.books.close()
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert NUMBER.encode() not in written


def test_the_year_of_a_message_is_the_nearest_that_ends_in_its_references_digit() -> None:
    member = Member()
    member.authorize(at=datetime(2024, 2, 29, 12, tzinfo=UTC))

    assert member.books.moments() == [datetime(2024, 2, 29, 12, tzinfo=UTC)]
