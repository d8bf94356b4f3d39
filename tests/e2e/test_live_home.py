"""A home of live payments, as production runs it: `weir up --live`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.platforms import Up, up, weir

TEST_KEY = "sk_test_" + "0a" * 24


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("live") / "home"


@pytest.fixture(scope="module")
def platform(home: Path) -> Iterator[Up]:
    with up(home, "--live") as running:
        for command in ("merchants create", "merchants activate", "api-keys create"):
            (line,) = (line for line in running.printed.splitlines() if f"weir {command}" in line)
            made = weir(*line.split()[1:], seconds_max=60)
            assert made.returncode == 0, made.stderr
        running.live_key = json.loads(made.stdout)["secret"]
        yield running


def test_a_live_payment_is_taken_with_the_key_that_the_welcome_says_how_to_make(platform: Up) -> None:
    paid = platform.pay()

    assert (paid["status"], paid["livemode"]) == ("succeeded", True)


def test_no_test_key_is_made_or_shown(platform: Up, home: Path) -> None:
    listed = weir("api-keys", "list", "--home", str(home), seconds_max=60).stdout

    assert "sk_test_" not in platform.printed
    assert "test key" not in platform.printed
    assert [json.loads(line)["mode"] for line in listed.splitlines()] == ["live"]
    assert not (home.with_name("home-keys") / "operations").exists()


def test_both_listeners_refuse_a_test_key_and_say_what_to_do(platform: Up) -> None:
    stranger = Up(platform.process, platform.printed, platform.said, TEST_KEY)

    for answer in (stranger.offer_card("4242424242424242"), stranger.call("GET", "/v1/payment_intents")):
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "live_key_required"
        assert "Give a live key" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("api-keys", "create", "acct_shop"), "add --live"),
        (("erase-person", "--merchant", "acct_shop", "--customer", "cus_1"), "add --live"),
        (("demo", "--seconds", "1"), "give another --home"),
    ],
)
def test_commands_of_test_mode_are_refused_in_a_sentence(
    platform: Up, home: Path, words: tuple[str, ...], said: str
) -> None:
    refused = weir(*words, "--home", str(home), seconds_max=60)

    assert refused.returncode == 1
    assert "takes live payments alone" in refused.stderr
    assert said in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr


def test_a_home_that_was_live_goes_on_so_without_being_told(tmp_path: Path) -> None:
    with up(tmp_path / "home", "--live"):
        pass

    with up(tmp_path / "home") as again:
        assert "Weir is up, for live payments alone." in again.printed
        again.live_key = TEST_KEY
        assert again.call("GET", "/v1/payment_intents").json()["error"]["code"] == "live_key_required"


def test_a_home_that_ran_without_live_refuses_it_in_a_sentence(tmp_path: Path) -> None:
    with up(tmp_path / "home"):
        pass

    refused = weir("up", "--live", "--home", str(tmp_path / "home"), "--port", "0", seconds_max=60)

    assert refused.returncode == 1
    assert "give a new --home with --live" in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr
    with up(tmp_path / "home") as still:
        assert still.pay()["livemode"] is False
