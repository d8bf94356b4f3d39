"""Merchants from the command line: onboarding, limits, and what is allowed."""

from pathlib import Path

import pytest

from tests.unit.gateway.test_auth_commands import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    assert shell.run("merchants", "create", "m_1", "--name", "Tea")[0] == 0
    return shell


def test_a_new_merchant_is_pending_until_it_is_activated_and_may_be_suspended(shell: Shell) -> None:
    statuses = [shell.run("merchants", "show", "m_1")[1][0]["status"]]
    shell.run("merchants", "update", "m_1", "--category", "5942", "--country", "IN")
    for command in ("activate", "suspend"):
        statuses.append(shell.run("merchants", command, "m_1")[1][0]["status"])

    assert statuses == ["pending", "active", "suspended"]


@pytest.mark.parametrize(("known", "missing"), [("--category=5942", "country"), ("--country=IN", "category")])
def test_a_merchant_of_which_nobody_knows_where_it_sells_and_what_takes_no_live_payments(
    shell: Shell, known: str, missing: str
) -> None:
    assert shell.run("merchants", "update", "m_1", known)[0] == 0

    status, printed, said = shell.run("merchants", "activate", "m_1")

    assert (status, printed, len(said.splitlines())) == (1, [], 1)
    assert f"weir merchants update m_1 --{missing}" in said
    assert shell.run("merchants", "show", "m_1")[1][0]["status"] == "pending"


def test_settings_are_changed_one_by_one_and_taken_away(shell: Shell) -> None:
    shell.run("merchants", "update", "m_1", "--limit-per-payment", "5000.50 EUR", "--countries", "DE,FR")
    _, [changed], _ = shell.run(
        "merchants", "update", "m_1", "--limit-per-day", "90000 JPY", "--plan", "scale", "--name", "Leaves"
    )

    assert changed["name"] == "Leaves"
    assert changed["settings"] == {
        "plan": "scale",
        "limit_per_payment": {"EUR": 500050},
        "limit_per_day": {"JPY": 90000},
        "countries": ["DE", "FR"],
    }
    _, [bare], _ = shell.run(
        *("merchants", "update", "m_1", "--limit-per-payment", "none EUR", "--limit-per-day", "none JPY"),
        *("--countries", "any", "--plan", "standard"),
    )
    assert bare["settings"] == {}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--limit-per-payment", "12.345 EUR"), "EUR has 2 decimals"),
        (("--limit-per-payment", "EUR 12"), "such as '5000.00 EUR'"),
        (("--limit-per-payment", "12"), "such as '5000.00 EUR'"),
        (("--limit-per-payment", "50 QQQ"), "QQQ"),
        (("--limit-per-day", "-1 EUR"), "'none EUR' takes one away"),
        (("--limit-per-day", "NaN EUR"), "such as '5000.00 EUR'"),
        (("--limit-per-day", "9e30 EUR"), "smaller limit"),
        (("--limit-per-payment", "none eur"), "such as '5000.00 EUR'"),
        (("--limit-per-day", "none"), "such as '5000.00 EUR'"),
        (("--plan", "golden"), "none of standard, growth, scale"),
        (("--methods", "card,cash"), "'cash' is none of card, "),
        (
            ("--countries", "Germany"),
            "countries must be of ISO 3166 as two capitals, such as DE, and not ",
        ),
        (("--countries", "DE,XX,FR,YY"), "not 'XX', 'YY'"),
        (("--currencies", "EUR,eur"), "not 'eur'"),
        (("--category", "tea"), "categor"),
        ((), "at least one thing to change"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_read_is_refused_in_one_line_that_says_why(
    shell: Shell, words: tuple[str, ...], why: str
) -> None:
    status, printed, said = shell.run("merchants", "update", "m_1", *words)

    assert (status, printed, len(said.splitlines())) == (1, [], 1)
    assert why in said
    assert shell.run("merchants", "show", "m_1")[1][0]["settings"] == {}


@pytest.mark.parametrize(
    "words",
    [
        *(("merchants", command, "m_2") for command in ("show", "activate", "suspend")),
        ("merchants", "update", "m_2", "--plan", "scale"),
        ("users", "create", "ada", "--merchant", "m_2"),
        ("api-keys", "create", "m_2"),
    ],
    ids=" ".join,
)
def test_who_names_no_merchant_is_told_where_all_are_listed(shell: Shell, words: tuple[str, ...]) -> None:
    status, _, said = shell.run(*words)

    assert (status, len(said.splitlines())) == (1, 1)
    assert "`weir merchants list`" in said


@pytest.mark.parametrize("command", ["reset", "disable", "enable", "unlock"])
def test_who_names_no_user_is_told_where_all_are_listed(shell: Shell, command: str) -> None:
    assert "`weir users list`" in shell.run("users", command, "nobody")[2]


def test_no_merchant_is_called_as_who_is_nobody_is_told_of(shell: Shell) -> None:
    status, printed, said = shell.run("merchants", "create", "unknown", "--name", "Tea")

    assert (status, printed) == (1, [])
    assert "stands for nobody" in said


def test_a_user_gets_a_password_that_is_shown_once(shell: Shell) -> None:
    _, [made], _ = shell.run("users", "create", "Ada@Example.com", "--merchant", "m_1")
    _, [listed], _ = shell.run("users", "list", "--merchant", "m_1")

    assert len(made["password"]) == 24
    assert (listed["id"], listed["name"], listed["mode"]) == (made["id"], "ada@example.com", "test")
    assert listed["state"] == "active"
    assert "password" not in listed
    assert made["password"] not in str(listed)


def test_a_user_is_reset_and_disabled_by_name(shell: Shell) -> None:
    _, [made], _ = shell.run("users", "create", "ada", "--merchant", "m_1", "--live")
    _, [reset], _ = shell.run("users", "reset", "ADA")
    _, [disabled], _ = shell.run("users", "disable", "ada")

    assert reset["password"] != made["password"]
    assert (disabled["state"], disabled["disabled_at"] is not None) == ("disabled", True)


def test_who_is_disabled_is_let_in_by_enabling_alone(shell: Shell) -> None:
    shell.run("users", "create", "ada", "--merchant", "m_1")
    shell.run("users", "disable", "ada")

    for command in ("reset", "unlock"):
        status, printed, said = shell.run("users", command, "ada")
        assert (status, printed) == (1, [])
        assert "weir users enable ada" in said
    _, [enabled], _ = shell.run("users", "enable", "ADA")

    assert (enabled["state"], enabled["disabled_at"]) == ("active", None)
    assert shell.run("users", "reset", "ada")[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("create", "ada", "--merchant", "nobody"),
        ("create", "42", "--merchant", "m_1"),
        ("create", "taken", "--merchant", "m_1"),
        ("reset", "nobody"),
        ("disable", "nobody"),
        ("enable", "nobody"),
        ("unlock", "nobody"),
    ],
)
def test_a_wrong_user_is_refused_in_one_line(shell: Shell, words: tuple[str, ...]) -> None:
    shell.run("users", "create", "taken", "--merchant", "m_1")

    status, printed, said = shell.run("users", *words)

    assert (status, printed, len(said.splitlines())) == (1, [], 1)
