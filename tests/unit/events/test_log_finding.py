"""Which log a command means: by what is given, else by what the home was last run on."""

from pathlib import Path

import pytest

from events.errors import LogUnusableError
from events.log.finding import find_log, log_url, remember_log

HOME = Path("/var/weir/home")


@pytest.mark.parametrize(
    ("given", "servers", "url"),
    [
        ("sqlite", "", "sqlite:////var/weir/home/log.sqlite"),
        ("sqlite:///tmp/a.sqlite", "", "sqlite:////tmp/a.sqlite"),
        ("sqlite:////tmp/a.sqlite", "", "sqlite:////tmp/a.sqlite"),
        ("kafka", "", "kafka"),
        ("kafka", "b:9092", "kafka://b:9092"),
        ("kafka://a:1,b:2", "c:3", "kafka://a:1,b:2"),
    ],
)
def test_the_logs_url_follows_from_what_is_given(given: str, servers: str, url: str) -> None:
    assert log_url(given, HOME, servers) == url


@pytest.mark.parametrize("given", ["", "redis://x", "log.sqlite"])
def test_another_kind_of_log_is_refused_with_what_is_possible(given: str) -> None:
    with pytest.raises(LogUnusableError, match="give sqlite"):
        log_url(given, HOME)


def test_without_a_log_option_the_one_that_the_home_was_last_run_on_is_meant(tmp_path: Path) -> None:
    assert find_log(None, tmp_path) == f"sqlite:///{tmp_path}/log.sqlite"

    remember_log(tmp_path, "kafka://b:9092/demo-1")

    assert find_log(None, tmp_path) == "kafka://b:9092/demo-1"
    assert find_log("kafka", tmp_path) == "kafka://b:9092/demo-1"
    assert find_log("sqlite", tmp_path) == f"sqlite:///{tmp_path}/log.sqlite"


def test_kafka_without_an_address_is_refused_where_none_is_known(tmp_path: Path) -> None:
    with pytest.raises(LogUnusableError, match="give --log kafka://"):
        find_log("kafka", tmp_path)


def test_a_remembered_log_that_a_power_cut_left_empty_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "log-url").touch()

    with pytest.raises(LogUnusableError, match=r"log-url is empty: give --log"):
        find_log(None, tmp_path)
    assert find_log("kafka://b:9092", tmp_path) == "kafka://b:9092"


@pytest.mark.parametrize("name", ["shop#1", "shop?", "my%20home"])
def test_a_home_whose_path_a_url_would_read_as_another_is_refused(name: str) -> None:
    for given in ("sqlite", "kafka"):
        with pytest.raises(LogUnusableError, match="a home's path cannot hold"):
            log_url(given, Path("/var") / name)
