"""Ports of platforms that start together, and of one whose usual ports are taken."""

import os
import socket

from operations.addresses import BLOCK, INNER_PORTS, choose, own_ports


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
