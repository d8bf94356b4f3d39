"""`weir surrogate`: finds what stands for a value, as the API counts it, and changes nothing."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from events.vocabulary import Mode
from gateway.backoffice import Backoffice
from gateway.keys.home_keys import ensure_keys
from gateway.personal import PersonalData, customer_entity
from operations.commands import app

VALUES = {
    "device": "laptop",
    "ip": "2001:db8::7",
    "email": "jo@example.org",
    "customer": customer_entity("acct_1", "cus_1"),
}


class Home:
    """A home that knows one shopper in test mode."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "home"
        keys = ensure_keys(self.folder, None, datetime.now(UTC))
        office = Backoffice(self.folder, keys)
        personal = PersonalData(
            entities_secret=office.keyring.entities,
            wrapping_key=office.keyring.subjects,
            entropy=secrets.token_bytes,
        )
        mode: Mode = "test"
        self.known = office.write(lambda c: personal.surrogates(c, mode, VALUES))

    def ask(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["surrogate", *words, "--home", str(self.folder)])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("device", ["laptop"]),
        ("ip", ["2001:0db8:0::7"]),
        ("email", [" Jo@Example.ORG"]),
        ("customer", ["cus_1", "--merchant", "acct_1"]),
    ],
)
def test_a_value_is_found_as_the_api_counts_it(home: Home, kind: str, words: list[str]) -> None:
    told = home.ask(kind, *words)

    assert (told.exit_code, told.stdout) == (0, home.known[kind] + "\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["device", "phone"], "not known in test mode"),
        (["device", "laptop", "--live"], "not known in live mode"),
        (["customer", "cus_1"], "say whose with --merchant"),
        (["customer", "cus_1", "--merchant", "acct_2"], "not known"),
        (["ip", "1.2.3"], "not an IP address"),
        (["card", "tok_none"], "no such token"),
    ],
)
def test_what_has_no_surrogate_is_refused_in_one_line(home: Home, words: list[str], said: str) -> None:
    told = home.ask(*words)

    assert (told.exit_code, told.stdout) == (1, "")
    assert said in told.stderr
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize("value", ["4242424242424242", "4242 4242", "card_0"])
def test_a_card_is_asked_for_by_its_token_and_what_was_given_instead_is_not_repeated(
    home: Home, value: str
) -> None:
    told = home.ask("card", value)

    assert (told.exit_code, told.stdout) == (1, "")
    assert "A card is found by its token (tok_…)" in told.stderr
    assert value not in told.stderr


def test_asking_writes_nothing_and_a_home_that_is_none_stays_none(home: Home, tmp_path: Path) -> None:
    before = (home.folder / "gateway.sqlite").read_bytes()
    home.ask("device", "phone")
    none = CliRunner().invoke(app, ["surrogate", "device", "x", "--home", str(tmp_path / "none")])

    assert (home.folder / "gateway.sqlite").read_bytes() == before
    assert none.exit_code == 1
    assert not (tmp_path / "none").exists()
