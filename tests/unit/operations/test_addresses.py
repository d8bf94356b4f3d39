"""Ports of platforms that start together, and of one whose usual ports are taken."""

import os
import socket
from pathlib import Path

from operations.addresses import BLOCK, INNER_PORTS, choose, own_ports, remember, remembered


def test_processes_that_run_together_try_different_ports_first() -> None:
    tried = [port for process in range(4_000, 5_000) for port in own_ports(process)]

    assert len(set(tried)) == len(tried) == 1_000 * BLOCK
    assert set(tried) <= set(INNER_PORTS)


def test_ports_that_are_taken_are_left_for_others() -> None:
    usual = own_ports(os.getpid())
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", usual[0]))
        listener.listen()

        ports = choose("127.0.0.1", 0)

    chosen = [ports.api, ports.processor, ports.page]
    chosen += [ports.api_internal, ports.processor_internal, ports.acquirer]
    assert usual[0] not in chosen
    assert len(set(chosen)) == 6


def test_payers_find_their_pages_where_they_were_after_a_restart(tmp_path: Path) -> None:
    first = choose("127.0.0.1", 0, tmp_path)
    remember(tmp_path, "127.0.0.1", first)
    own = own_ports(os.getpid())
    with socket.socket() as listener:
        # Another start is another process, with ports of its own; here those of the first are left out.
        listener.bind(("127.0.0.1", own[0]))
        listener.listen()

        again = choose("127.0.0.1", 0, tmp_path)

    assert again.api != first.api
    assert again.issuer_pages == first.issuer_pages
    assert f"API http://127.0.0.1:{first.api}," in (remembered(tmp_path) or "")


def test_pages_move_where_their_port_was_taken_meanwhile(tmp_path: Path) -> None:
    first = choose("127.0.0.1", 0, tmp_path)
    remember(tmp_path, "127.0.0.1", first)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", first.issuer_pages))
        listener.listen()

        assert choose("127.0.0.1", 0, tmp_path).issuer_pages != first.issuer_pages
