"""The networks' directory as the processor sees it: who authenticates a cardholder, and what came of it."""

from typing import Literal, Protocol

import msgspec

from gateway.processor_port import AuthenticationResult

LookupStatus = Literal["challenge", AuthenticationResult]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A cardholder is to be authenticated. `mandated`: by a challenge, whatever the issuer knows.

    Where the payer is not present an issuer says that it would ask them (`challenge`), and asks nobody.
    """

    transaction_id: str
    number: str
    amount_minor: int
    currency: str
    merchant: str
    return_url: str
    mandated: bool
    payer_present: bool
    is_test: bool

    def __repr__(self) -> str:
        return "Question(…)"


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """What the directory says: with `challenge` the issuer's page if it asks, with a proof its indicator."""

    status: LookupStatus
    eci: str | None = None
    proof: str | None = None
    url: str | None = None


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What goes to the issuer with the authorization: indicator, the proof itself, and its transaction."""

    eci: str
    value: str
    transaction_id: str

    def __repr__(self) -> str:
        return "Proof(…)"


class Directory(Protocol):
    """Asks issuers; raises `DirectoryUnavailableError` (gateway.processor.errors) where no answer comes."""

    async def look_up(self, question: Question) -> Lookup:
        """What is to be done for a card; the same transaction again has the same answer."""
        ...

    async def find(self, transaction_id: str) -> Lookup:
        """What came of it: `challenge` while the cardholder is at it, `error` where nobody knows any more."""
        ...

    async def withdraw(self, transaction_id: str) -> Lookup:
        """Nobody waits for its cardholder any more, who is to be told so; what came of it stands."""
        ...
