"""From command-line options to programs, ports and URLs."""

import socket
from pathlib import Path
from typing import Any

import pytest

from events.program_logs import LogLevel
from gateway.errors import HomeError
from gateway.http.proxies import trusted
from operations import addresses, settings
from operations.errors import AddressInUseError


def test_keys_are_apart_from_the_home_unless_said_otherwise(tmp_path: Path) -> None:
    wanted = settings.from_options(tmp_path / "home", None, "127.0.0.1", 0, "sqlite", 250)

    assert wanted.keys == tmp_path / "home-keys"


@pytest.mark.parametrize("asked", [{"store": "mysql://weir@db/weir"}, {"api_processes": 4}], ids=str)
def test_a_store_that_cannot_be_is_refused_before_a_home_is_made(
    tmp_path: Path, asked: dict[str, Any]
) -> None:
    with pytest.raises(HomeError):
        settings.from_options(tmp_path / "home", None, "127.0.0.1", 0, "sqlite", 250, **asked)

    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_named_before_anything_starts() -> None:
    port = addresses.choose("127.0.0.1", 0).api
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(AddressInUseError, match=f"port {port} is in use"),
    ):
        addresses.choose("127.0.0.1", port)


def test_port_zero_picks_eight_different_ports() -> None:
    ports = addresses.choose("127.0.0.1", 0)

    assert len(set(vars(ports).values())) == 8


def test_every_program_finds_the_others_where_they_listen(tmp_path: Path) -> None:
    wanted = settings.from_options(tmp_path, tmp_path / "keys", "127.0.0.1", 0, "sqlite", 250)
    ports = addresses.Ports(1, 2, 3, 4, 5, 6, 7, 8)
    programs = [*settings.world(wanted, ports, wanted.log), *settings.gateway(wanted, ports, wanted.log)]
    words = {program.name: " ".join(program.arguments) for program in programs}

    assert "--acquirer 127.0.0.1:6" in words["gateway.processor"]
    assert words["simulator.acquirer"].endswith("--notify https://127.0.0.1:2/rails/notices")
    assert "--port 6 --directory-port 7 --pages-host 127.0.0.1 --pages-port 8" in words["simulator.acquirer"]
    assert "--directory https://127.0.0.1:7" in words["gateway.processor"]
    assert "--processor 127.0.0.1:5" in words["gateway.api"]
    assert "--internal-port 5" in words["gateway.processor"]
    assert "--api 127.0.0.1:4" in words["gateway.processor"]
    assert f"--log {wanted.log}" in words["pipelines.risk"]


def test_api_and_processor_and_no_other_program_are_told_of_trusted_proxies(tmp_path: Path) -> None:
    wanted = settings.from_options(
        *(tmp_path, tmp_path / "keys", "127.0.0.1", 0, "sqlite", 250),
        trusted_proxies=["10.0.0.7", "192.0.2.0/24"],
    )
    ports = addresses.Ports(1, 2, 3, 4, 5, 6, 7, 8)
    told = "--trusted-proxy 10.0.0.7/32 --trusted-proxy 192.0.2.0/24"

    for program in (
        *settings.world(wanted, ports, wanted.log),
        *settings.gateway(wanted, ports, wanted.log),
    ):
        assert (told in " ".join(program.arguments)) is program.name.startswith("gateway.")


@pytest.mark.parametrize("text", ["proxy.example", "0.0.0.0/0", "::/0", ""])
def test_what_is_no_proxy_s_address_is_refused_before_anything_starts(tmp_path: Path, text: str) -> None:
    with pytest.raises(HomeError, match="--trusted-proxy takes"):
        settings.from_options(
            *(tmp_path, tmp_path / "keys", "127.0.0.1", 0, "sqlite", 250), trusted_proxies=[text]
        )


@pytest.mark.parametrize(
    ("text", "network"), [("10.0.0.7/8", "10.0.0.0/8"), ("2001:db8::7/64", "2001:db8::/64")]
)
def test_a_proxy_s_network_that_is_named_by_another_address_is_told_as_it_should_be(
    text: str, network: str
) -> None:
    with pytest.raises(HomeError, match=f"by its first address: {network}, and not {text}"):
        trusted([text])


def test_the_api_alone_sends_to_kafka_with_kafka_python(tmp_path: Path) -> None:
    wanted = settings.from_options(tmp_path, tmp_path / "keys", "127.0.0.1", 0, "kafka://a:1,b:2/demo", 250)
    ports = addresses.Ports(1, 2, 3, 4, 5, 6, 7, 8)
    programs = [*settings.world(wanted, ports, wanted.log), *settings.gateway(wanted, ports, wanted.log)]
    logs = {
        program.name: program.arguments[program.arguments.index("--log") + 1]
        for program in programs
        if "--log" in program.arguments
    }

    assert logs.pop("gateway.api") == "kafka+python://a:1,b:2/demo"
    assert set(logs.values()) == {wanted.log}


def test_how_long_authorizations_hold_is_told_to_the_api_where_it_is_not_the_networks(tmp_path: Path) -> None:
    def arguments(days: float | None) -> str:
        wanted = settings.from_options(
            tmp_path, tmp_path / "keys", "127.0.0.1", 0, "sqlite", 250, authorization_days=days
        )
        ports = addresses.Ports(1, 2, 3, 4, 5, 6, 7, 8)
        programs = {one.name: one.arguments for one in settings.gateway(wanted, ports, wanted.log)}
        return " ".join(programs["gateway.api"])

    assert "--authorization-days 2.5" in arguments(2.5)
    assert "--authorization-days" not in arguments(None)


def test_every_program_logs_from_the_level_that_was_asked_for(tmp_path: Path) -> None:
    wanted = settings.from_options(
        tmp_path, tmp_path / "keys", "127.0.0.1", 0, "sqlite", 250, log_level=LogLevel.DEBUG
    )
    ports = addresses.Ports(1, 2, 3, 4, 5, 6, 7, 8)

    for program in (*settings.world(wanted, ports, wanted.log), *settings.gateway(wanted, ports, wanted.log)):
        assert "--log-level debug" in " ".join(program.arguments), program.name
