"""The processor's parts put together, whoever brings clock, randomness, network, store and scheduling."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from events.clock import Clock
from events.ids import Entropy
from gateway.errors import UnavailableError
from gateway.processor.advices import Advices
from gateway.processor.any_method import AnyMethodProcessor
from gateway.processor.authentication import AuthenticatingProcessor
from gateway.processor.authorizations import CardProcessor
from gateway.processor.directory import Directory
from gateway.processor.network import AcquirerNetwork
from gateway.processor.old_authentications import OldAuthentications
from gateway.processor.operations import Operations
from gateway.processor.rails import RailsProcessor
from gateway.processor.rails_link import NoRails
from gateway.processor.rails_port import Rails
from gateway.processor.security_codes import SecurityCodes
from gateway.processor.store import ProcessorStore
from gateway.processor.tokens import Tokens
from gateway.processor.turns import Turns
from gateway.processor.vault import VaultKeys
from gateway.processor_port import AnswerListener, TokenRegistry
from gateway.scheduling import Scheduling

HOUSEKEEPING_EVERY_SECONDS = 0.25


@dataclass(frozen=True)
class ProcessorParts:
    """One processor: `port` is what the API calls, `tokens` what the public listener calls.

    `cards` and `rails` are the ways to pay behind the port.
    """

    port: AnyMethodProcessor
    cards: AuthenticatingProcessor
    rails: RailsProcessor
    tokens: Tokens
    advices: Advices
    security_codes: SecurityCodes
    old_authentications: OldAuthentications
    store: ProcessorStore

    async def keep_house(self, scheduling: Scheduling) -> None:
        """Repeat what the acquirer has not answered, drop old security codes, forever.

        Side by side: a code must not outlive its time behind an acquirer that is silent.
        """
        await asyncio.gather(
            self._repeat(scheduling, self.advices.repeat_due),
            self._repeat(scheduling, self.cards.repeat_due),
            self._repeat(scheduling, self.rails.repeat_due),
            self.old_authentications.run(),
            self._drop_security_codes(scheduling),
        )

    async def _repeat(self, scheduling: Scheduling, work: Callable[[], Awaitable[None]]) -> None:
        log = structlog.get_logger("processor")
        while True:
            try:
                await work()
            except UnavailableError as error:
                log.error("housekeeping failed, and is tried again", error=type(error).__name__)
            await scheduling.sleep(HOUSEKEEPING_EVERY_SECONDS)

    async def _drop_security_codes(self, scheduling: Scheduling) -> None:
        while True:
            self.security_codes.drop_expired()
            await scheduling.sleep(HOUSEKEEPING_EVERY_SECONDS)


def assemble(
    *,
    store: ProcessorStore,
    network: AcquirerNetwork,
    registry: TokenRegistry,
    keys: VaultKeys,
    clock: Clock,
    scheduling: Scheduling,
    entropy: Entropy,
    directory: Directory,
    listener: AnswerListener,
    return_base: str,
    rails: Rails | None = None,
) -> ProcessorParts:
    """Wire the parts; nothing opens and nothing runs yet. Call `cards.recover()` before the first request.

    `return_base` is where the public listener is found by cardholders, `https://HOST:PORT`.
    """
    turns = Turns(scheduling)
    security_codes = SecurityCodes(clock)
    advices = Advices(store=store, network=network, turns=turns, clock=clock, scheduling=scheduling)
    cards = CardProcessor(
        store=store,
        network=network,
        advices=advices,
        operations=Operations(store=store, network=network, advices=advices),
        turns=turns,
        keys=keys,
        security_codes=security_codes,
    )
    authenticating = AuthenticatingProcessor(
        cards=cards,
        store=store,
        directory=directory,
        listener=listener,
        keys=keys,
        clock=clock,
        scheduling=scheduling,
        entropy=entropy,
        return_base=return_base,
    )
    tokens = Tokens(store=store, registry=registry, keys=keys, security_codes=security_codes, entropy=entropy)
    accounts = RailsProcessor(
        store=store, rails=rails or NoRails(), listener=listener, turns=Turns(scheduling), clock=clock
    )
    port = AnyMethodProcessor(authenticating, accounts)
    old = OldAuthentications(store, clock, scheduling)
    return ProcessorParts(port, authenticating, accounts, tokens, advices, security_codes, old, store)
