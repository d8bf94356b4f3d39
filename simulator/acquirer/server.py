"""The network on TCP: mutual TLS, framed messages, one commit for all that came in together."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, NamedTuple

import structlog

from events.crash import crash_point, declare
from simulator.acquirer.errors import MessageError
from simulator.acquirer.message_format import LENGTH_BYTES, MESSAGE_BYTES_MAX, decode
from simulator.acquirer.network import Network, Reply

declare({"acquirer.answer.leaving": "the answer is durable and made, it has not left"})

SIGN_ON = "001"

IDLE_SECONDS_MAX = 120.0
"""Members ask for an echo every half minute: one that says nothing for so long is gone."""


class _Asked(NamedTuple):
    message: bytes
    answered: "asyncio.Future[Reply | None]"


class Server:
    """Serves members: `work` answers what `member` takes in, and goes on until it is canceled."""

    def __init__(self, network: Network, *, idle_seconds_max: float = IDLE_SECONDS_MAX) -> None:
        self._network = network
        self._idle_seconds_max = idle_seconds_max
        self._asked: asyncio.Queue[_Asked] = asyncio.Queue()
        self._answering: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("acquirer")

    async def work(self) -> None:
        """Take all messages that wait, answer them in one transaction, and again."""
        while True:
            together = [await self._asked.get()]
            while not self._asked.empty():
                together.append(self._asked.get_nowait())
            messages = [asked.message for asked in together]
            answers = await asyncio.to_thread(self._network.handle_all, messages)
            for asked, answer in zip(together, answers, strict=True):
                if not asked.answered.done():
                    asked.answered.set_result(answer)

    async def member(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One member's connection, until either side ends it."""
        try:
            if await self._signed_on(reader, writer):
                while True:
                    self._spawn(self._reply(await self._read(reader), writer))
        except (OSError, EOFError, TimeoutError, MessageError) as error:
            self._log.info("a member's connection ended", error=type(error).__name__)
        finally:
            with suppress(OSError):
                writer.close()

    async def _signed_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Nothing is taken from a member that has not signed on."""
        message = await self._read(reader)
        fields = decode(message)
        if (fields["t"], fields.get("70")) != ("0800", SIGN_ON):
            return False
        await self._reply(message, writer)
        return True

    async def _reply(self, message: bytes, writer: asyncio.StreamWriter) -> None:
        answered: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        await self._asked.put(_Asked(message, answered))
        reply = await answered
        if reply is None:
            self._log.warning("a message could not be read, its connection is closed")
            writer.close()
            return
        if reply.message is None:
            return
        if reply.after_seconds:
            await asyncio.sleep(reply.after_seconds)
        if writer.is_closing():
            return
        crash_point("acquirer.answer.leaving")
        writer.write(len(reply.message).to_bytes(LENGTH_BYTES, "big") + reply.message)

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        async with asyncio.timeout(self._idle_seconds_max):
            length = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
            if not 0 < length <= MESSAGE_BYTES_MAX:
                raise MessageError("the message is longer than agreed")
            return await reader.readexactly(length)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
