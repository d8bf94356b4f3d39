"""Every operation of the OpenAPI document, fuzzed over HTTP with all of schemathesis's checks.

A request that fits the document is refused only for what no document can say (a status that does not allow a
step, digits that look like a card number); one that does not fit is refused, with a problem document, and
nothing of it is quoted. `make fuzz` runs ten times as many examples.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation import GenerationMode

from gateway.api.openapi import OPERATIONS, Operation, document
from tests.fuzz.living_api import LivingApi, living_api

load_all_checks()

EXAMPLES = int(os.environ.get("WEIR_FUZZ_EXAMPLES", "200"))
SUCCESSES_MIN = 20
TURNED_AWAY_SHARE_MAX = 0.1

SELDOM_RIGHT = frozenset({"reported_at", "occurred_at", "client_secret", "ending_before"})
"""Members that hardly any value fits: most moments, another intent's secret, a cursor beside its opposite."""

PROBED_EXAMPLES = 10
PROBING = frozenset({"ignored_auth", "unsupported_method", "object_level_authorization"})

SCHEMA = schemathesis.openapi.from_dict(json.loads(document()))

BEYOND_THE_DOCUMENT = frozenset(
    {
        "card_data_not_accepted",
        "parameter_invalid",
        "parameter_missing",
        "query_invalid",
        "payment_intent_unexpected_state",
        "payment_intent_under_review",
        "amount_too_large",
        "review_closed",
        "payment_not_confirmed",
        "time_before_payment",
        "time_in_future",
        "time_out_of_range",
        "json_malformed",
        "invalid_vpa",
        "payment_method_customer_mismatch",
        "payment_method_detached",
        "payment_method_not_available",
        "payment_method_unexpected_state",
        "payment_method_without_consent",
        "label_contradictory",
    }
)
"""Codes of refusals that depend on more than the request's own shape."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingApi]:
    with living_api(tmp_path_factory.mktemp("fuzz")) as one:
        yield one


IN_STATE: dict[str, Callable[[LivingApi], str]] = {
    "/v1/payment_intents/{id}": lambda api: api.intent()["id"],
    # One operation of the path retrieves, the other changes.
    "/v1/payment_intents/{id}/confirm": lambda api: api.intent()["id"],
    "/v1/payment_intents/{id}/capture": lambda api: api.intent("confirm", capture_method="manual")["id"],
    "/v1/payment_intents/{id}/increment_authorization": lambda api: api.intent(
        "confirm", capture_method="manual"
    )["id"],
    "/v1/payment_intents/{id}/cancel": lambda api: api.intent()["id"],
    "/v1/payment_methods/{id}": lambda api: api.method()["id"],
    "/v1/payment_methods/{id}/attach": lambda api: api.method()["id"],
    "/v1/payment_methods/{id}/detach": lambda api: api.method()["id"],
    "/v1/charges/{id}": lambda api: api.intent("confirm")["latest_charge"],
    "/v1/reviews/{id}": lambda api: api.review()["id"],
    "/v1/reviews/{id}/approve": lambda api: api.review()["id"],
    "/v1/reviews/{id}/reject": lambda api: api.review()["id"],
}
"""What makes a resource that the operation can succeed on."""

KNOWN: dict[str, Callable[[LivingApi], str]] = {
    "payment_method": lambda api: api.token(),
    "payment_intent": lambda api: api.intent("confirm")["id"],
    "page": lambda api: api.intent()["id"],
    "query": lambda _: "amount>0 AND -metadata['order']:'7'",
}
"""Members that name a resource, and what makes one."""

CURSORS = frozenset({"starting_after", "ending_before"})
"""Members that name a resource of the list's own kind."""


def bring_to_life(case: Case, api: LivingApi, draw: Callable[[Any], Any]) -> None:
    """Most identifiers name something that there is; else nearly all answers would be 404."""
    mostly = st.integers(0, 9)
    if case.operation.path == "/signin":
        case.body = dict(api.credentials)
    if case.path_parameters and draw(mostly) < 8:
        case.path_parameters["id"] = IN_STATE[case.operation.path](api)
    for members in (case.body, case.query):
        for name in sorted(members) if isinstance(members, dict) else ():
            if name in KNOWN and draw(mostly) < 8:
                members[name] = KNOWN[name](api)
            elif name in CURSORS and draw(mostly) < 8:
                members[name] = IN_STATE[f"{case.operation.path}/{{id}}"](api)
            elif name in SELDOM_RIGHT and draw(mostly) < 8:
                del members[name]
    if case.operation.path.endswith("/increment_authorization") and isinstance(case.body, dict):
        more = st.integers(1251, 5000) if draw(mostly) < 8 else st.just(case.body.get("amount"))
        case.body["amount"] = draw(more)


def fuzz(one: Operation, api: LivingApi, mode: GenerationMode, examples: int) -> Counter[int]:
    """Call the operation so often, check each answer, and give the statuses."""
    statuses: Counter[int] = Counter()
    positive = mode is GenerationMode.POSITIVE
    # Who has no key is turned away whatever else the request holds: that is the probes' business.
    headers = {} if one.open_to_all else {"Authorization": f"Bearer {api.key}"}
    cases = SCHEMA[one.path][one.method].as_strategy(generation_mode=mode, headers=headers)

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(st.data())
    def call(data: st.DataObject) -> None:
        # Where there is little to choose from, hypothesis would make few calls.
        data.draw(st.integers())
        case = data.draw(cases)
        if positive:
            bring_to_life(case, api, data.draw)
        answer = case.call(base_url=api.base_url, headers=headers)
        statuses[answer.status_code] += 1
        with_probes = statuses.total() <= PROBED_EXAMPLES
        case.validate_response(answer, checks=checks(with_probes=with_probes), headers=headers)
        if positive:
            accepted_unless_for_a_reason(answer)

    call()
    return statuses


def checks(*, with_probes: bool) -> list[Any]:
    """All of schemathesis's, but for the one that `accepted_unless_for_a_reason` does more exactly.

    Some send further requests, without a key or by another method, and hold for the operation as a whole.
    """
    left_out = {"positive_data_acceptance"} if with_probes else {"positive_data_acceptance", *PROBING}
    return [check for check in CHECKS.get_all() if check.__name__ not in left_out]


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)
def test_an_operation_keeps_what_its_document_promises(one: Operation, api: LivingApi) -> None:
    takes_nothing = one.body is None and one.query is None
    negative = 0 if takes_nothing else EXAMPLES // 4

    statuses = fuzz(one, api, GenerationMode.POSITIVE, EXAMPLES - negative)
    if negative:
        statuses += fuzz(one, api, GenerationMode.NEGATIVE, negative)

    assert statuses[200] >= SUCCESSES_MIN, statuses
    turned_away = sum(statuses[status] for status in (401, 403, 429))
    assert turned_away <= TURNED_AWAY_SHARE_MAX * statuses.total(), statuses


def accepted_unless_for_a_reason(answer: Any) -> None:
    assert answer.status_code in (200, 400, 402, 404, 409), answer.text
    if answer.status_code == 400:
        assert answer.json()["error"]["code"] in BEYOND_THE_DOCUMENT, answer.text
