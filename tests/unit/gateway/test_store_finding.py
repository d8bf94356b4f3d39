"""Where a home's store is: chosen once, remembered, and never with a password."""

from pathlib import Path

import pytest

from gateway.errors import HomeError
from gateway.store.finding import (
    checked,
    chosen_store,
    has_store,
    remember_store,
    require_shareable,
    store_url,
)

URL = "postgresql://weir@db.example:5432/weir"
NOTHING: dict[str, str] = {}


def test_a_home_that_was_given_no_store_has_a_file_in_it(tmp_path: Path) -> None:
    for given in (None, "sqlite"):
        remember_store(tmp_path, chosen_store(tmp_path, given, NOTHING))

    assert store_url(tmp_path) == f"sqlite:///{tmp_path}/gateway.sqlite"
    assert list(tmp_path.iterdir()) == []


def test_a_home_remembers_its_store_and_takes_no_other(tmp_path: Path) -> None:
    remember_store(tmp_path, chosen_store(tmp_path, URL, NOTHING))

    for given in (None, URL):
        assert chosen_store(tmp_path, given, NOTHING) == URL
    assert store_url(tmp_path) == URL
    for other in ("sqlite", "postgresql://weir@db.example/another"):
        with pytest.raises(HomeError, match="for good"):
            chosen_store(tmp_path, other, NOTHING)


def test_a_home_with_a_file_is_not_moved_to_a_server(tmp_path: Path) -> None:
    (tmp_path / "gateway.sqlite").touch()

    with pytest.raises(HomeError, match="for good"):
        chosen_store(tmp_path, URL, NOTHING)


def test_a_password_in_the_url_is_refused_and_quoted_nowhere(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="password file") as refusal:
        chosen_store(tmp_path, "postgresql://weir:s3cret-word@db.example/weir", NOTHING)

    assert "s3cret" not in str(refusal.value)
    assert not has_store(tmp_path)


def test_the_password_file_of_the_environment_is_remembered_for_programs_that_do_not_see_it(
    tmp_path: Path,
) -> None:
    chosen = chosen_store(tmp_path, URL, {"PGPASSFILE": "/etc/weir/passfile"})

    assert chosen == f"{URL}?passfile=%2Fetc%2Fweir%2Fpassfile"


def test_several_api_processes_need_a_store_that_they_can_share(tmp_path: Path) -> None:
    for url, processes in ((URL, 4), ("sqlite:///x", 1)):
        require_shareable(tmp_path, url, processes)

    with pytest.raises(HomeError, match="one API process"):
        require_shareable(tmp_path, "sqlite:///x", 2)


@pytest.mark.parametrize(
    "wrong",
    [
        "postgres",
        "mysql://weir@db/weir",
        "postgresql+psycopg://weir@db/weir",
        "postgresql://weir@db",
        "postgresql://weir@db/weir?password=s3cret",
        "postgresql://weir@db/weir?options=-cfsync%3Doff",
        "postgresql://weir@db:port/weir",
    ],
)
def test_what_is_no_url_of_a_database_is_refused(wrong: str) -> None:
    with pytest.raises(HomeError) as refusal:
        checked(wrong)

    assert "s3cret" not in str(refusal.value)
