"""What pays, as everyone but those who charge it may know it: a card, or an account behind a handle.

No card number, handle, wallet id or account number has a field here. `surrogate` is random, the same for one
number or account; the partition of an assessment, and the profile that the engine keeps, go by it.
"""

from typing import Annotated

import msgspec

from events.vocabulary import AccountMethod, Funding

DatePart = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class CardFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A card as everyone but the processor knows it. `surrogate` is random, the same for one card number."""

    token: str
    surrogate: str
    bin: str
    last4: str
    brand: str
    funding: Funding = "unknown"
    issuer_country: str | None = None
    expiry_year: DatePart | None = None
    expiry_month: DatePart | None = None


class AccountFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A UPI handle, a wallet or a bank account. `provider` is the handle's part behind the @, the wallet's
    provider, or the bank's code; `last4` ends the account's number, where there is one."""

    method: AccountMethod
    token: str
    surrogate: str
    provider: str
    last4: str | None = None


Instrument = CardFacts | AccountFacts


def label_of(instrument: Instrument | None) -> str:
    """How a person recognizes it.

    >>> label_of(AccountFacts(method="upi", token="pm_1", surrogate="upi_1", provider="okbank"))
    'upi okbank'
    """
    if instrument is None:
        return ""
    if isinstance(instrument, CardFacts):
        return f"{instrument.brand} ··{instrument.last4}"
    ending = f" ··{instrument.last4}" if instrument.last4 else ""
    return f"{instrument.method} {instrument.provider}{ending}"
