"""The network on TCP: mutual TLS, framed messages, one commit for all that came in together."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, NamedTuple

import structlog

from events.crash import crash_point, declare
from simulator.acquirer.errors import MessageError
from simulator.acquirer.message_format import LENGTH_BYTES, MESSAGE_BYTES_MAX, decode
from simulator.acquirer.network import Network

declare({"acquirer.answer.leaving": "the answer is durable and made, it has not left"})

SIGN_ON = "001"


class _Asked(NamedTuple):
    message: bytes
    answered: "asyncio.Future[bytes | None]"


class Server:
    """Serves members: `work` answers what `member` takes in, and goes on until it is canceled."""

    def __init__(self, network: Network) -> None:
        self._network = network
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
                    self._spawn(self._reply(await _read(reader), writer))
        except (OSError, EOFError, MessageError) as error:
            self._log.info("a member's connection ended", error=type(error).__name__)
        finally:
            with suppress(OSError):
                writer.close()

    async def _signed_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Nothing is taken from a member that has not signed on."""
        message = await _read(reader)
        fields = decode(message)
        if (fields["t"], fields.get("70")) != ("0800", SIGN_ON):
            return False
        await self._reply(message, writer)
        return True

    async def _reply(self, message: bytes, writer: asyncio.StreamWriter) -> None:
        answered: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        await self._asked.put(_Asked(message, answered))
        answer = await answered
        if answer is None:
            self._log.warning("a message could not be read, its connection is closed")
            writer.close()
            return
        crash_point("acquirer.answer.leaving")
        writer.write(len(answer).to_bytes(LENGTH_BYTES, "big") + answer)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)


async def _read(reader: asyncio.StreamReader) -> bytes:
    length = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
    if not 0 < length <= MESSAGE_BYTES_MAX:
        raise MessageError("the message is longer than agreed")
    return await reader.readexactly(length)
