"""Bodies about payment methods, as strict structs."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from events.vocabulary import PaymentMethodType
from gateway.request_members import Body, Identifier, IpAddress, Metadata, Moment, Paging, Text

Provider = Annotated[
    str, Meta(pattern=r"^[a-z0-9_]{2,32}\Z", description="2 to 32 small letters, digits and underscores")
]
BankCode = Annotated[
    str, Meta(pattern=r"^[A-Z0-9]{2,11}\Z", description="a bank's code: 2 to 11 capital letters and digits")
]
AccountNumber = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9]{4,34}\Z", description="an account: 4 to 34 letters and digits")
]
TextVersion = Annotated[str, Meta(min_length=1, max_length=64)]
Redisplay = Literal["always", "limited", "unspecified"]
FutureUsage = Literal["on_session", "off_session"]


class CardReference(Body, frozen=True, kw_only=True):
    """A card goes by the token that the processor's listener gave for it."""

    token: Identifier


class UpiInput(Body, frozen=True, kw_only=True):
    """Without an address the payer is shown a link and a QR code."""

    vpa: Annotated[str, Meta(min_length=1, max_length=400)] | None = None


class WalletInput(Body, frozen=True, kw_only=True):
    """A wallet at its provider."""

    provider: Provider = "demo_wallet"
    wallet_id: Text | None = None


class NetbankingInput(Body, frozen=True, kw_only=True):
    """A bank's own page."""

    bank: BankCode
    account: AccountNumber | None = None


class PaymentMethodData(Body, frozen=True, kw_only=True):
    """What pays; only the member that `type` names may be there. Also `POST /v1/payment_methods`."""

    type: PaymentMethodType
    card: CardReference | None = None
    upi: UpiInput | None = None
    wallet: WalletInput | None = None
    netbanking: NetbankingInput | None = None
    allow_redisplay: Redisplay = "unspecified"
    metadata: Metadata = msgspec.field(default_factory=dict)


class CardOptions(Body, frozen=True, kw_only=True):
    """`if_available`: what the issuer approves of the amount is kept, be it only a part."""

    request_partial_authorization: Literal["if_available", "never"] | None = None


class PaymentMethodOptions(Body, frozen=True, kw_only=True):
    """What holds where a payment is made by one method or another."""

    card: CardOptions | None = None


class AttachPaymentMethod(Body, frozen=True, kw_only=True):
    """`POST /v1/payment_methods/{id}/attach`."""

    customer: Text


class DetachPaymentMethod(Body, frozen=True, kw_only=True):
    """`POST /v1/payment_methods/{id}/detach`: no members."""


class ListPaymentMethods(Paging, frozen=True, kw_only=True):
    """`GET /v1/payment_methods`."""

    customer: Text
    type: PaymentMethodType | None = None
    allow_redisplay: Redisplay | None = None


class OnlineAcceptance(Body, frozen=True, kw_only=True):
    """From where a consent was given."""

    ip_address: IpAddress | None = None
    user_agent: Annotated[str, Meta(max_length=1000)] | None = None


class CustomerAcceptance(Body, frozen=True, kw_only=True):
    """How, when and to which text a payer consented."""

    type: Literal["online", "offline"]
    accepted_at: Moment | None = None
    text_version: TextVersion
    online: OnlineAcceptance | None = None


class MandateData(Body, frozen=True, kw_only=True):
    """A payer's consent to payments that are made without the payer."""

    customer_acceptance: CustomerAcceptance
