"""docs/api.md says what the code does: its tables are those of the structs, the errors and the test cards."""

import ast
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import msgspec
import pytest

import gateway.errors
import gateway.http.errors
import gateway.people.errors
import gateway.pressure.errors
import gateway.processor.errors
from events.instruments import CardFacts
from events.types import RiskContext
from events.vocabulary import ReportedKind
from gateway import method_requests, request_members, requests
from gateway.account_events import SignIn
from gateway.api.application import make_application
from gateway.api.charge_json import charge_json
from gateway.api.openapi import OPERATIONS as API
from gateway.api.presenting import (
    intent_json,
    label_json,
    list_json,
    method_json,
    next_action_json,
    review_json,
    search_json,
    sign_in_json,
)
from gateway.business_time import TEST_TIME_HEADER
from gateway.cards import TEST_CARD_RISKS, documented_risk, look_up, passes_luhn
from gateway.errors import GatewayError, InvalidRequestError, UnavailableError
from gateway.http.bodies import BODY_BYTES_MAX
from gateway.http.problems import REFERENCE, problem
from gateway.labels import FRAUD_BY_KIND, Label
from gateway.pay_port import PayAnswer
from gateway.payment_methods import ShownMethod
from gateway.payments.charges import Charge, ChargeState, ChargeStatus, KeptCharge
from gateway.payments.intents import Attempt, Intent, PaymentError, PaymentOutcome
from gateway.payments.outcomes import TEST_OUTCOMES, payment_error
from gateway.payments.steps import LEGAL, Status
from gateway.processor.card_input import CardInput, TokenInput
from gateway.processor.declines import DECLINES, decline
from gateway.processor.openapi import OPERATIONS as PROCESSOR
from gateway.processor.pay_input import PayBank, PayCard, PayInput, PayUpi, PayWallet
from gateway.processor_port import Authentication, AuthenticationResult, PayerAction
from gateway.search_query import FIELDS, SIGNS, VALUES
from gateway.store.method_rows import PaymentMethod
from gateway.store.review_rows import Review
from models.labels import RANKS
from simulator.testcards import APPROVED, TEST_CARDS, TestCard
from tests.api_words import members

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "api.md").read_text() if (ROOT / "docs" / "api.md").exists() else ""

START = datetime(2026, 1, 5, tzinfo=UTC)

BODIES: dict[str, type[msgspec.Struct]] = {
    "POST /v1/tokens": TokenInput,
    "Card": CardInput,
    "POST /v1/payment_intents": requests.CreateIntent,
    "PaymentMethodOptions": method_requests.PaymentMethodOptions,
    "CardOptions": method_requests.CardOptions,
    "AutomaticMethods": requests.AutomaticMethods,
    "RiskContext": requests.RiskContextInput,
    "Address": requests.Address,
    "Item": requests.Item,
    "GET /v1/payment_intents": requests.ListIntents,
    "GET /v1/payment_intents/search": requests.SearchIntents,
    "CreatedRange": request_members.CreatedRange,
    "GET /v1/payment_intents/{id}": requests.RetrieveIntent,
    "POST /v1/payment_intents/{id}": requests.UpdateIntent,
    "POST /v1/payment_intents/{id}/confirm": requests.ConfirmIntent,
    "POST /v1/payment_intents/{id}/capture": requests.CaptureIntent,
    "POST /v1/payment_intents/{id}/increment_authorization": requests.IncrementIntent,
    "POST /v1/payment_intents/{id}/cancel": requests.CancelIntent,
    "POST /v1/payment_methods": method_requests.PaymentMethodData,
    "CardReference": method_requests.CardReference,
    "Upi": method_requests.UpiInput,
    "Wallet": method_requests.WalletInput,
    "Netbanking": method_requests.NetbankingInput,
    "GET /v1/payment_methods": method_requests.ListPaymentMethods,
    "POST /v1/payment_methods/{id}/attach": method_requests.AttachPaymentMethod,
    "MandateData": method_requests.MandateData,
    "CustomerAcceptance": method_requests.CustomerAcceptance,
    "OnlineAcceptance": method_requests.OnlineAcceptance,
    "GET /v1/charges": requests.ListCharges,
    "GET /v1/charges/{id}": requests.RetrieveCharge,
    "GET /v1/reviews": requests.ListReviews,
    "GET /v1/reviews/{id}": requests.RetrieveReview,
    "POST /v1/reviews/{id}/approve": requests.CloseReview,
    "POST /v1/reviews/{id}/reject": requests.CloseReview,
    "POST /v1/account_events": requests.AccountEvent,
    "POST /v1/labels": requests.ReportLabel,
    "POST /signin": requests.SignInWith,
    "POST /pay": PayInput,
    "PayCard": PayCard,
    "PayUpi": PayUpi,
    "PayWallet": PayWallet,
    "PayBank": PayBank,
}
ERRORS = (
    gateway.errors,
    gateway.http.errors,
    gateway.people.errors,
    gateway.pressure.errors,
    gateway.processor.errors,
)
TROUBLES = {
    "half": (
        "`card_declined`, `insufficient_funds`: the half is given back;"
        " with `request_partial_authorization` it succeeds with the half"
    ),
    "issuer_down": "succeeds up to 50 US dollars, above `processing_error`",
    "silence": "`processing_error` after eight seconds, reversed",
    "late_answer": "`processing_error` after eight seconds, reversed",
}
"""What becomes of a payment where something goes wrong (tests/contract/test_acquirer_troubles.py)."""

INCREMENTS = {"00": "", "51": "; an increment is declined: `insufficient_funds`"}
REFUNDS = {"pends": "; a refund is accepted when it is told again", "fails": "; a refund is refused"}

NOT_OVER_HTTP = {
    "home_unusable",
    "merchant_exists",
    "password_too_weak",
    "user_disabled",
    "user_exists",
    "table_unreadable",
    "idempotency_mismatch",
}
"""Codes of commands and of the link between API and processor."""


def section(title: str) -> str:
    """What stands under a heading, up to the next one."""
    found = re.search(rf"^#+ `?{re.escape(title)}`?$\n(.*?)(?=^#|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/api.md has no section {title}"
    return found[1]


def table(title: str) -> list[tuple[str, ...]]:
    """The cells of the first table under a heading, without its head."""
    lines = re.findall(r"^\|.*\|$", section(title), re.MULTILINE)[2:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def raised_codes() -> set[tuple[str, int]]:
    """Every code with its status that the gateway's source gives to an error."""
    found: set[tuple[str, int]] = set()
    for path in (ROOT / "gateway").rglob("*.py"):
        tree = ast.parse(path.read_text())
        for scope in ast.walk(tree):
            if isinstance(scope, ast.ClassDef):
                found |= _given(scope, scope.name)
        found |= _given(tree, "")
    found.add((UnavailableError("").code, UnavailableError.STATUS))
    return {(code, status) for code, status in found if code not in NOT_OVER_HTTP}


def _given(scope: ast.AST, within: str) -> set[tuple[str, int]]:
    found = set()
    for call in (node for node in ast.walk(scope) if isinstance(node, ast.Call)):
        name = call.func.id if isinstance(call.func, ast.Name) else within
        kind = _error_named(name)
        if kind is None:
            continue
        said = [word.value for word in call.keywords if word.arg == "code"]
        said += call.args[:1] if name == "CardInputError" else []
        texts = [one.value for one in said if isinstance(one, ast.Constant)]
        found |= {(str(text), kind.STATUS) for text in texts}
    return found


def _error_named(name: str) -> type[GatewayError] | None:
    kind = next((vars(one)[name] for one in ERRORS if name in vars(one)), None)
    return kind if isinstance(kind, type) and issubclass(kind, GatewayError) else None


def decline_rows() -> list[tuple[str, ...]]:
    """What a merchant is told of each decline."""
    rows = []
    for word, advice in sorted(set(DECLINES.values())):
        error = payment_error(word)
        shown = f"`{error.decline_code}`" if error.decline_code else ""
        rows.append((f"`{word}`", f"`{error.code}`", shown, f"`{advice}`"))
    return rows


def card_rows() -> list[tuple[str, ...]]:
    """What a payment with each test card is answered."""
    return [(f"`{card.number}`", card.meaning, card_answer(card)) for card in TEST_CARDS]


def card_answer(card: TestCard) -> str:
    """What the API answers to a payment with a test card."""
    if not card.well_formed:
        return "no token: `incorrect_number`"
    outcome = TEST_OUTCOMES[TEST_CARD_RISKS[card.number]]
    if outcome.outcome == "block":
        return f"blocked, risk score {outcome.score}"
    if outcome.outcome == "review":
        return f"held for review, risk score {outcome.score}"
    if card.trouble is not None:
        return TROUBLES[card.trouble]
    if card.participation == "challenge" and card.authenticated_response is not None:
        return f"`requires_action`, then {issuers_answer(card.authenticated_response)}"
    return issuers_answer(card.response) + REFUNDS.get(card.refund, "") + INCREMENTS[card.increment]


def issuers_answer(response: str) -> str:
    if response == APPROVED:
        return "succeeds"
    error = payment_error(decline(response).decline_code)
    return f"`{error.code}`" + (f", `{error.decline_code}`" if error.decline_code else "")


@pytest.mark.parametrize("title", BODIES)
def test_the_members_of_a_request_are_documented_with_type_and_bounds(title: str) -> None:
    assert [line[:3] for line in table(title)] == members(BODIES[title])


def test_every_path_of_the_api_has_its_section_and_no_other() -> None:
    nobody: Any = SimpleNamespace(
        payments=None, payment_methods=None, reviews=None, admission=None, gatekeeper=None
    )
    routes = vars(make_application(nobody))["_application"].routes
    served = {
        f"{method} {re.sub('{[a-z_]+}', '{id}', route.path)}" for route in routes for method in route.methods
    }

    written = set(re.findall(r"^#+ `((?:GET|POST) [^`]+)`$", DOCUMENT, re.MULTILINE))

    assert written == {line for line in served if not line.startswith("HEAD")} | {
        "POST /v1/tokens",
        "POST /pay",
    }


INTENT = Intent(
    id="pi_1",
    merchant_id="m",
    mode="test",
    status="processing",
    amount_minor=1,
    currency="EUR",
    capture_method="automatic",
    created_us=0,
    subject="s",
)
REVIEW = Review(id="prv_1", payment_id="pi_1", merchant_id="m", mode="test", reason="rule", opened_us=0)
LABEL = Label(
    id="lbl_1", payment_id="pi_1", kind="fraud_dispute", source="bank", fraud=True, reported_us=0, ordinal=1
)
METHOD = ShownMethod(
    PaymentMethod(id="pm_1", merchant_id="m", mode="test", type="upi", created_us=0, subject="pm_1"), None, {}
)
CHARGE = Charge(
    KeptCharge(
        id="ch_1_1", payment_id="pi_1", number=1, merchant_id="m", mode="test", amount_minor=1, created_us=0
    ),
    INTENT,
    Attempt(
        id="pi_1_1",
        payment_id="pi_1",
        number=1,
        phase="assessing",
        moment_us=0,
        instrument=CardFacts(
            token="t",
            surrogate="c",
            bin="424242",
            last4="4242",
            brand="visa",
            expiry_month=1,
            expiry_year=2030,
        ),
        context=RiskContext(),
    ),
    payment_disputed=False,
)
ANSWERS: dict[str, Any] = {
    "PaymentIntent": intent_json(INTENT),
    "Outcome": msgspec.structs.asdict(
        PaymentOutcome(type="authorized", network_status="approved_by_network", risk_level="normal")
    ),
    "ThreeDSecure": msgspec.structs.asdict(Authentication(result="failed", flow="challenge")),
    "LastPaymentError": msgspec.structs.asdict(PaymentError(code="card_declined", message="")),
    "NextAction": next_action_json(
        msgspec.structs.replace(
            INTENT, next_action=PayerAction(kind="three_d_secure", url="https://bank", expires_at=START)
        )
    ),
    "PaymentMethod": method_json(METHOD),
    "Charge": charge_json(CHARGE),
    "Review": review_json(REVIEW),
    "Label": label_json(LABEL),
    "AccountEvent": sign_in_json(SignIn(id="1", type="sign_in", occurred_at=START)),
    "List": list_json([], "/v1/reviews", has_more=False),
    "SearchResult": search_json([], "/v1/payment_intents/search", None),
    "PayAnswer": msgspec.structs.asdict(PayAnswer(status="approved")),
    "Problem": problem(InvalidRequestError("", code="parameter_invalid", param="amount"), "req_1"),
}


@pytest.mark.parametrize("title", ANSWERS)
def test_the_members_of_an_answer_are_documented(title: str) -> None:
    assert sorted(line[0] for line in table(title)) == sorted(f"`{name}`" for name in ANSWERS[title])


def test_the_words_that_an_answer_may_hold_are_documented() -> None:
    members_of_intent = {line[0]: line[1] for line in table("PaymentIntent")}
    members_of_outcome = {line[0]: line[1] for line in table("Outcome")}

    assert words(members_of_intent["`status`"]) == set(get_args(Status))
    of_charge = {line[0]: words(line[1]) for line in table("Charge")}
    assert of_charge["`state`"] == set(get_args(ChargeState))
    assert of_charge["`status`"] == set(get_args(ChargeStatus))
    for name in ("type", "network_status", "risk_level"):
        [field] = [one for one in msgspec.structs.fields(PaymentOutcome) if one.name == name]
        assert words(members_of_outcome[f"`{name}`"]) == set(get_args(field.type))

    members_of_authentication = {line[0]: line[1] for line in table("ThreeDSecure")}
    assert words(members_of_authentication["`result`"]) == set(get_args(AuthenticationResult))


def unsearchable(title: str, within: str = "") -> set[str]:
    """The members of an answer that no search names, with those that are answers of their own."""
    own = {
        "outcome": "Outcome",
        "outcome.three_d_secure": "ThreeDSecure",
        "last_payment_error": "LastPaymentError",
        "next_action": "NextAction",
    }
    found = set()
    for name in (within + member for member in ANSWERS[title]):
        if name in own:
            found |= unsearchable(own[name], f"{name}.")
        elif name != "metadata" and not any(f"{field}.".startswith(f"{name}.") for field in FIELDS):
            found.add(name)
    return found


def test_the_members_that_no_search_names_are_documented() -> None:
    told = DOCUMENT.partition("has its field, those within it with a point, but for ")[2].partition(". ")[0]

    assert words(told) == unsearchable("PaymentIntent")


def words(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def step_rows() -> list[tuple[str, ...]]:
    """Each step with the statuses from which it leads to one."""
    rows = []
    for step, moves in LEGAL.items():
        for end in dict.fromkeys(moves.values()):
            begins = [f"`{status}`" for status, after in moves.items() if after == end]
            rows.append((f"`{step}`", ", ".join(begins), f"`{end}`"))
    return rows


def test_the_legal_steps_of_an_intent_are_documented_as_they_are_taken() -> None:
    assert table("Steps") == step_rows()


def test_every_error_code_is_documented_with_its_status() -> None:
    written = {(line[0].strip("`"), int(line[1])) for line in table("Error codes")}

    assert written == raised_codes()


def test_every_bound_of_a_body_is_documented() -> None:
    (row,) = re.findall(r"^\| `body_too_large` .*$", DOCUMENT, re.MULTILINE)
    others = [one for one in (*API, *PROCESSOR) if one.body_bytes_max != BODY_BYTES_MAX]

    assert f"than {BODY_BYTES_MAX // 1024} KiB" in row
    assert set(re.findall(r"`POST (\S+)` (\d+) KiB", row)) == {
        (one.path, str(one.body_bytes_max // 1024)) for one in others
    }


def test_declines_and_test_cards_are_documented_as_they_are_answered() -> None:
    assert table("Declines") == decline_rows()
    assert table("Test cards") == card_rows()


def test_the_unlisted_numbers_that_are_documented_have_the_funding_and_country_that_is_said() -> None:
    said = " ".join(section("Test cards").split())

    assert "`4000056655665556` is a debit and `5105105105105100` a prepaid card of the US" in said
    assert "`4000003560000008` is a credit card of India" in said
    for number, funding, country in (
        ("4000056655665556", "debit", "US"),
        ("5105105105105100", "prepaid", "US"),
        ("4000003560000008", "credit", "IN"),
    ):
        found = look_up(number)
        assert (found.funding, found.country, documented_risk(number)) == (funding, country, None)
        assert passes_luhn(number)


def search_rows() -> list[tuple[str, ...]]:
    """The fields of the search language by what they are compared with."""
    rows = []
    for kind, signs in SIGNS.items():
        named = [name for name, of in FIELDS.items() if of == kind]
        fields = [*named, *(["metadata['name']"] if kind == "text" else [])]
        said = " ".join(f"`{sign}`" for sign in signs)
        rows.append((", ".join(f"`{field}`" for field in fields), VALUES[kind], said))
    return rows


def test_the_fields_of_searches_are_documented_with_their_signs() -> None:
    assert table("Search queries") == search_rows()


def test_every_kind_of_label_is_documented_with_what_it_says() -> None:
    said = {True: "yes", False: "no", None: "says nothing"}
    expected = {kind: said[FRAUD_BY_KIND[kind]] for kind in get_args(ReportedKind) if kind in FRAUD_BY_KIND}

    assert {line[0].strip("`"): line[1] for line in table("Label kinds")} == {
        **expected,
        "analyst_verdict": "as `fraud` says",
    }


def test_the_ranks_of_labels_are_those_that_the_models_go_by() -> None:
    ranks = {line[0].strip("`"): line[2] for line in table("Label kinds")}

    assert ranks == {kind: str(RANKS.get(kind, "–")) for kind in get_args(ReportedKind)}
    assert RANKS["matured"] == 0


def test_the_reference_is_linked_and_names_the_header_of_test_time() -> None:
    assert "(docs/api.md)" in (ROOT / "README.md").read_text()
    assert (ROOT / REFERENCE).exists()
    assert TEST_TIME_HEADER in section("Test time").lower()
