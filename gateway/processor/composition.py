"""The processor's parts put together, whoever brings clock, randomness, network, store and scheduling."""

import asyncio
from dataclasses import dataclass

import structlog

from events.clock import Clock
from events.ids import Entropy
from gateway.errors import UnavailableError
from gateway.processor.advices import Advices
from gateway.processor.authorizations import CardProcessor
from gateway.processor.network import AcquirerNetwork
from gateway.processor.operations import Operations
from gateway.processor.security_codes import SecurityCodes
from gateway.processor.store import ProcessorStore
from gateway.processor.tokens import Tokens
from gateway.processor.turns import Turns
from gateway.processor.vault import VaultKeys
from gateway.processor_port import TokenRegistry
from gateway.scheduling import Scheduling

HOUSEKEEPING_EVERY_SECONDS = 0.25


@dataclass(frozen=True)
class ProcessorParts:
    """One processor: `cards` is the port that the API calls, `tokens` what the public listener calls."""

    cards: CardProcessor
    tokens: Tokens
    advices: Advices
    security_codes: SecurityCodes
    store: ProcessorStore

    async def keep_house(self, scheduling: Scheduling) -> None:
        """Repeat what the acquirer has not answered, drop old security codes, forever.

        Side by side: a code must not outlive its time behind an acquirer that is silent.
        """
        await asyncio.gather(self._repeat_advices(scheduling), self._drop_security_codes(scheduling))

    async def _repeat_advices(self, scheduling: Scheduling) -> None:
        log = structlog.get_logger("processor")
        while True:
            try:
                await self.advices.repeat_due()
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
) -> ProcessorParts:
    """Wire the parts; nothing opens and nothing runs yet. Call `cards.recover()` before the first request."""
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
    tokens = Tokens(store=store, registry=registry, keys=keys, security_codes=security_codes, entropy=entropy)
    return ProcessorParts(cards, tokens, advices, security_codes, store)
