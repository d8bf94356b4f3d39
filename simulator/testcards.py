"""The documented test cards: what the issuer answers, and what comes of the payment later.

The numbers are those of Stripe's public testing page; from 4000000000081002 on they are Weir's own. A card
that asks for a second factor is declined with `1A` as long as the authorization brings no proof of one.
`dispute` and `early_warning` are for whoever plays the card's owner and bank after the payment.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

APPROVED, APPROVED_IN_PART = "00", "10"
GENERAL_DECLINE = "06"
SUSPECTED_FRAUD = "59"
LOST, STOLEN = "41", "43"
INSUFFICIENT_FUNDS, EXPIRED, TOO_OFTEN = "51", "54", "65"
WRONG_SECURITY_CODE = "N7"
PICK_UP, DO_NOT_HONOR, NOT_PERMITTED, RESTRICTED = "04", "05", "57", "62"
MALFUNCTION, ISSUER_DOWN = "96", "91"
SECOND_FACTOR_NEEDED = "1A"


Participation = Literal["challenge", "frictionless", "attempted", "not_supported", "error"]
"""What a card's issuer does when it is asked for a second factor: `attempted`, it stands in and says so."""


@dataclass(frozen=True)
class TestCard:
    """One documented card. `response` is DE39; `authenticated_response` where a second factor was proven.
    `participation` None: as the issuer of any other card.

    `refund` is what becomes of one: accepted when it is told again, or never. `increment` is what is answered
    where more is asked for. `trouble` is what goes wrong on the way, in test mode alone. `well_formed` False:
    the number fails its check digit and never leaves.
    """

    __test__ = False  # the name begins like a test; it is none

    number: str = field(repr=False)
    meaning: str
    response: str = APPROVED
    authenticated_response: str | None = None
    participation: Participation | None = None
    risk: Literal["blocked", "highest", "elevated"] | None = None
    dispute: Literal["fraudulent", "not_received", "inquiry", "multiple"] | None = None
    early_warning: bool = False
    refund: Literal["pends", "fails"] | None = None
    increment: str = APPROVED
    trouble: Literal["silence", "late_answer", "issuer_down", "half"] | None = None
    well_formed: bool = True

    def with_proof(self) -> "TestCard":
        """The card as its issuer answers where a second factor was proven."""
        return replace(self, response=self.authenticated_response or self.response)

    def without_trouble(self) -> "TestCard":
        """The card where nothing goes wrong on the way."""
        return replace(self, trouble=None)


TEST_CARDS: tuple[TestCard, ...] = (
    TestCard("4242424242424242", "succeeds", participation="attempted"),
    TestCard("4000000000000002", "declined without a reason", GENERAL_DECLINE),
    TestCard("4000000000009995", "insufficient funds", INSUFFICIENT_FUNDS),
    TestCard("4000000000009987", "lost", LOST),
    TestCard("4000000000009979", "stolen", STOLEN),
    TestCard("4000000000000069", "expired", EXPIRED),
    TestCard("4000000000000127", "wrong security code", WRONG_SECURITY_CODE),
    TestCard("4000000000000119", "processing error", MALFUNCTION),
    TestCard("4000000000006975", "used too often", TOO_OFTEN),
    TestCard("4242424242424241", "fails its check digit", well_formed=False),
    TestCard("4000000000000341", "becomes a token, is then declined", GENERAL_DECLINE),
    TestCard("4100000000000019", "always blocked as too risky", SUSPECTED_FRAUD, risk="blocked"),
    TestCard("4000000000004954", "highest risk", risk="highest"),
    TestCard("4000000000009235", "elevated risk", risk="elevated"),
    TestCard("4000000000000101", "approved though the security code does not match"),
    TestCard("4000000000000036", "approved though the postcode does not match"),
    TestCard("4000000000003220", "second factor needed", SECOND_FACTOR_NEEDED, APPROVED, "challenge"),
    TestCard(
        "4000008400001629",
        "second factor needed, then declined",
        SECOND_FACTOR_NEEDED,
        GENERAL_DECLINE,
        "challenge",
    ),
    TestCard(
        "4000008400001280",
        "second factor cannot be looked up",
        SECOND_FACTOR_NEEDED,
        GENERAL_DECLINE,
        "error",
    ),
    TestCard("4000000000003055", "second factor possible, not needed", participation="challenge"),
    TestCard("4000002760003184", "second factor always needed", SECOND_FACTOR_NEEDED, APPROVED, "challenge"),
    TestCard("4000000000003238", "one-time code needed", SECOND_FACTOR_NEEDED, APPROVED, "challenge"),
    TestCard(
        "4000008260003178",
        "second factor, then no funds",
        SECOND_FACTOR_NEEDED,
        INSUFFICIENT_FUNDS,
        "challenge",
    ),
    TestCard("4000000000000259", "disputed as fraudulent", dispute="fraudulent"),
    TestCard("4000000000002685", "disputed as not received", dispute="not_received"),
    TestCard("4000000000001976", "inquired about", dispute="inquiry"),
    TestCard("4000000000005423", "early fraud warning", early_warning=True),
    TestCard("4000000404000079", "disputed several times", dispute="multiple"),
    TestCard("4000000000007726", "its refund succeeds later", refund="pends"),
    TestCard("4000000000005126", "its refund fails later", refund="fails"),
    TestCard("4000000000081002", "to be kept by whoever sees it", PICK_UP),
    TestCard("4000000000081010", "declined without a reason to be told", DO_NOT_HONOR),
    TestCard("4000000000081028", "does not allow such payments", NOT_PERMITTED),
    TestCard("4000000000081036", "restricted, as to its own country", RESTRICTED),
    TestCard("4000000000081044", "half of the amount is approved", trouble="half"),
    TestCard(
        "4000000000081051",
        "its issuer is down, the network stands in",
        trouble="issuer_down",
    ),
    TestCard("4000000000081069", "approved, but the answer is lost", trouble="silence"),
    TestCard("4000000000081077", "approved, but the answer comes late", trouble="late_answer"),
    TestCard("4000000000081085", "approved, but no more than that", increment=INSUFFICIENT_FUNDS),
)

BY_NUMBER = {card.number: card for card in TEST_CARDS}
