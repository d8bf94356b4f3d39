"""Merchants, keys and forgetting from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.commands import app


class Shell:
    """The commands on one home."""

    def __init__(self, folder: Path) -> None:
        self._places = ["--home", str(folder / "home"), "--keys", str(folder / "keys")]

    def run(self, *words: str) -> tuple[int, list[Any], str]:
        """Exit status, what was printed, and what was said on standard error."""
        result = CliRunner().invoke(app, [*words, *self._places])
        printed = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
        return result.exit_code, printed, result.stderr


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    assert shell.run("merchants", "create", "m_1", "--name", "Tea")[0] == 0
    return shell


def test_a_key_is_shown_once_and_listed_without_its_text(shell: Shell) -> None:
    _, [made], _ = shell.run("api-keys", "create", "m_1")
    _, [listed], _ = shell.run("api-keys", "list")

    assert made["secret"].startswith("sk_test_")
    assert (listed["id"], listed["ending"], listed["mode"]) == (made["id"], made["secret"][-4:], "test")
    assert made["secret"] not in json.dumps(listed)


def test_merchants_are_listed_by_id(shell: Shell) -> None:
    shell.run("merchants", "create", "a_1", "--name", "Coffee", "--country", "DE")

    _, listed, _ = shell.run("merchants", "list")

    assert [(merchant["id"], merchant["name"]) for merchant in listed] == [("a_1", "Coffee"), ("m_1", "Tea")]


def test_a_live_key_is_asked_for_by_name(shell: Shell) -> None:
    _, [made], _ = shell.run("api-keys", "create", "m_1", "--live")

    assert made["secret"].startswith("sk_live_")


def test_a_key_is_revoked_once(shell: Shell) -> None:
    _, [made], _ = shell.run("api-keys", "create", "m_1")

    assert shell.run("api-keys", "revoke", made["id"])[0] == 0
    status, printed, said = shell.run("api-keys", "revoke", made["id"])

    assert (status, printed) == (1, [])
    assert "no such key" in said


def test_what_is_not_there_is_reported_in_one_line(shell: Shell) -> None:
    for words in (
        ("api-keys", "create", "nobody"),
        ("erase-person", "--merchant", "m_1", "--customer", "nobody"),
        ("erase-person", "--merchant", "m_1", "--payment", "pi_none"),
        ("merchants", "create", "m_1", "--name", "Again"),
    ):
        status, printed, said = shell.run(*words)
        assert (status, printed, len(said.splitlines())) == (1, [], 1), words


def test_a_home_remembers_its_keys_and_needs_them_named_no_more(shell: Shell, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["api-keys", "create", "m_1", "--home", str(tmp_path / "home")])

    assert result.exit_code == 0
    assert not (tmp_path / "home-keys").exists()


def test_keys_of_another_folder_are_refused_with_the_one_that_belongs_to_the_home(
    shell: Shell, tmp_path: Path
) -> None:
    places = ["--home", str(tmp_path / "home"), "--keys", str(tmp_path / "other")]
    for words in (
        ("api-keys", "create", "m_1"),
        ("api-keys", "list"),
        ("merchants", "create", "m_2", "--name", "Toys"),
        ("erase-person", "--merchant", "m_1", "--customer", "somebody"),
    ):
        result = CliRunner().invoke(app, [*words, *places])

        assert result.exit_code == 1
        assert f"belongs to the keys folder {tmp_path / 'keys'}" in result.stderr
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("lost", ["keys", "keys-folder"])
def test_a_home_whose_keys_are_gone_gets_no_new_ones(shell: Shell, tmp_path: Path, lost: str) -> None:
    (tmp_path / "keys").rename(tmp_path / "away")
    if lost == "keys-folder":
        (tmp_path / "home" / "keys-folder").unlink()

    status, printed, said = shell.run("api-keys", "create", "m_1")

    assert (status, printed) == (1, [])
    assert "restore them there" in said
    assert not (tmp_path / "keys").exists()


def test_only_commands_that_make_a_home_make_one(tmp_path: Path) -> None:
    status, printed, said = Shell(tmp_path).run("api-keys", "create", "m_1")

    assert (status, printed) == (1, [])
    assert "no home of Weir yet" in said
    assert list(tmp_path.iterdir()) == []


def test_secrets_are_files_that_only_their_owner_reads(shell: Shell, tmp_path: Path) -> None:
    secrets = list((tmp_path / "keys").rglob("*.key"))

    assert len(secrets) == 4
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_a_home_whose_path_a_url_would_read_as_another_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "shop#1"

    result = CliRunner().invoke(app, ["merchants", "create", "m_1", "--name", "Tea", "--home", str(home)])

    assert result.exit_code == 1
    assert "a home's path cannot hold #" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_test_modes_clock_is_shown_and_reset(shell: Shell) -> None:
    assert shell.run("test-clock", "show")[1] == [{"test_clock": None}]
    assert shell.run("test-clock", "reset")[1] == [{"test_clock": None}]


def test_a_home_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")

    status, printed, said = Shell(file).run("merchants", "create", "m_1", "--name", "Tea")

    assert (status, printed, len(said.splitlines())) == (1, [], 1)
    assert said.startswith("weir merchants: ")
    assert str(file) in said
