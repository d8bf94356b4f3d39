"""How often a card's holder is sent off to be authenticated: whoever has many payments must not ring a phone,
nor guess at codes, once more for each."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from events.moments import microseconds
from events.vocabulary import Mode
from gateway.processor.vault import VaultKeys, fingerprint
from gateway.processor_port import AuthorizationRequest

CHALLENGES_PER_HOUR_MAX: Mapping[Mode, int] = {"live": 10, "test": 100}
"""By card, over all merchants. Who pays needs two or three; ten of three codes each leave a guess at six
digits a chance of one in thirty thousand. In test mode no phone rings, and merchants' suites pay again and
again with the few documented cards: each merchant has a bound of its own there, by test time."""

_HOUR_US = 3_600 * 1_000_000
_AHEAD_US = 5 * 60 * 1_000_000
"""The clocks of several API processes differ by less."""


def counted_card(keys: VaultKeys, request: AuthorizationRequest, number: str) -> str:
    """The name under which a card's challenges are counted; its number cannot be told from it."""
    card = fingerprint(keys, number)
    return card if request.mode == "live" else f"{request.merchant_id} {card}"


class ChallengeBound:
    """What is durable is counted in the store, what is being asked here: so many at once are no way round."""

    def __init__(self) -> None:
        self._asking: dict[str, set[str]] = {}

    @contextmanager
    def asking(self, card: str, attempt_id: str) -> Iterator[frozenset[str]]:
        """Gives the attempts for which the card is being asked already."""
        asking = self._asking.setdefault(card, set())
        before = frozenset(asking)
        asking.add(attempt_id)
        try:
            yield before
        finally:
            asking.discard(attempt_id)
            if not asking:
                self._asking.pop(card, None)


def challenged_lately(database: sqlite3.Connection, card: str, request: AuthorizationRequest) -> set[str]:
    """The attempts for which the card was challenged in the hour before the request, by business time.

    Test time goes back, and a request may bring its own: what was asked in a time to come is no haste of now.
    """
    at_us = microseconds(request.occurred_at)
    rows = database.execute(
        "SELECT attempt_id FROM authentications WHERE card = ? AND flow = 'challenge'"
        " AND asked_us > ? AND asked_us <= ?",
        (card, at_us - _HOUR_US, at_us + _AHEAD_US),
    )
    return {attempt_id for (attempt_id,) in rows}
