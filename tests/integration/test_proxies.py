"""Who asks behind a proxy: over real sockets, whose addresses are proxies', liars' and shoppers'."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.connections import Connections
from gateway.http.listening import Listener, bind
from gateway.http.origins import origin
from gateway.http.proxies import trusted

PROXY, INNER, LIAR = "127.0.0.2", "127.0.0.9", "127.0.0.3"
PROXIES = trusted([PROXY, f"{INNER}/32"])
V6_PROXY = "::1"
SHOPPER, SAID = "198.51.100.7", "203.0.113.1"


def served(
    story: Callable[[Listener], Awaitable[None]],
    connections: Connections | None = None,
    *,
    told: bool = True,
    host: str = "127.0.0.1",
) -> None:
    """A story beside a listener that answers each request with the address that asks."""

    async def answer(request: Request) -> Response:
        return Response(origin(request))

    async def live() -> None:
        application = Starlette(routes=[Route("/", answer)])
        known = {"proxies": PROXIES} if told else {}
        listener = Listener(application, bind(host, 0), connections=connections, **known)
        serving = asyncio.create_task(listener.run_bound())
        while not listener.started:
            await asyncio.sleep(0)
        try:
            await story(listener)
        finally:
            listener.should_exit = True
            await serving

    uvloop.run(live())


async def seen(listener: Listener, source: str, *forwarded: str) -> str:
    """Who a listener takes one for who connects from there, and says that it asks for others."""
    host = V6_PROXY if ":" in source else "127.0.0.1"
    reader, writer = await asyncio.open_connection(host, listener.port, local_addr=(source, 0))
    lines = "".join(f"x-forwarded-for: {text}\r\n" for text in forwarded)
    writer.write(f"GET / HTTP/1.1\r\nhost: weir\r\nconnection: close\r\n{lines}\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    return answer.rpartition("\r\n\r\n")[2]


@pytest.mark.parametrize(
    ("source", "forwarded", "asks"),
    [
        (PROXY, (), PROXY),
        (PROXY, ("",), PROXY),
        (PROXY, (SHOPPER,), SHOPPER),
        (PROXY, (f"{SHOPPER}:4711",), SHOPPER),
        (PROXY, (f"{SAID}, {SHOPPER}",), SHOPPER),
        (PROXY, (SAID, SHOPPER), SHOPPER),
        (PROXY, (f"{SAID}, {SHOPPER}, {INNER}",), SHOPPER),
        (PROXY, (f"{PROXY}, {SHOPPER}",), SHOPPER),
        (LIAR, (SAID,), LIAR),
        (LIAR, (f"{SAID}, {PROXY}",), LIAR),
    ],
)
def test_only_proxies_are_believed_and_of_what_they_say_only_what_they_saw(
    source: str, forwarded: tuple[str, ...], asks: str
) -> None:
    async def story(listener: Listener) -> None:
        assert await seen(listener, source, *forwarded) == asks

    served(story)


def test_without_proxies_nobody_is_believed() -> None:
    async def story(listener: Listener) -> None:
        assert await seen(listener, "127.0.0.1", SAID) == "127.0.0.1"

    served(story, told=False)


def test_a_proxy_s_many_connections_are_not_those_of_one_caller() -> None:
    async def story(listener: Listener) -> None:
        held = [
            await asyncio.open_connection("127.0.0.1", listener.port, local_addr=(source, 0))
            for source in (PROXY, LIAR)
        ]
        assert await seen(listener, PROXY, SHOPPER) == SHOPPER
        assert "too_many_connections" in await seen(listener, LIAR)
        for _, writer in held:
            writer.close()

    served(story, Connections(per_address_max=1, proxies=PROXIES))


@pytest.mark.parametrize(("proxy", "answers"), [(V6_PROXY, V6_PROXY), ("::2", "too_many_connections")])
def test_a_proxy_named_by_its_ipv6_address_is_left_alone_and_not_its_neighbors(
    proxy: str, answers: str
) -> None:
    async def story(listener: Listener) -> None:
        _, held = await asyncio.open_connection(V6_PROXY, listener.port)
        assert answers in await seen(listener, V6_PROXY)
        held.close()

    served(story, Connections(per_address_max=1, proxies=trusted([proxy])), told=False, host=V6_PROXY)
