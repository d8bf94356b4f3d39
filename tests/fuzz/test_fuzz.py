"""Every operation of both OpenAPI documents, fuzzed over HTTP with all of schemathesis's checks.

A request that fits the document is refused only for what no document can say (a status that does not allow a
step, digits that look like a card number); one that does not fit is refused, with a problem document. No card
number that was sent is shown again, written in a log, or kept in the clear. `make fuzz` runs ten times as
many examples, and records them.
"""

import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from schemathesis import Case, Response
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.openapi import from_dict

from gateway.api import openapi as of_api
from gateway.http.decoding import FORM
from gateway.http.operations import Operation
from gateway.processor import openapi as of_processor
from gateway.processor.rail_notices import NOTICES_PER_SECOND
from tests.fuzz.bringing_to_life import (
    KEY,
    TIME,
    Life,
    at_own_merchant,
    form_of,
    is_time,
    seldom,
    with_time_of_today,
    without_forms,
)
from tests.fuzz.living_api import LivingApi, living_api

load_all_checks()

EXAMPLES = int(os.environ.get("WEIR_FUZZ_EXAMPLES", "200"))
SUCCESSES_MIN = 20
TURNED_AWAY_SHARE_MAX = 0.1
REPORT = os.environ.get("WEIR_FUZZ_REPORT")
"""A folder for what each operation came to."""

TOO_LARGE = 413
NOTICES = "/rails/notices"
"""Counted by address alone: what comes faster than it may is turned away, and not looked at."""
PROBED_EXAMPLES = 10
PROBING = frozenset({"ignored_auth", "unsupported_method", "object_level_authorization"})

DOCUMENTS = {"api": json.loads(of_api.document()), "processor": json.loads(of_processor.document())}
SCHEMAS = {
    GenerationMode.POSITIVE: {name: from_dict(document) for name, document in DOCUMENTS.items()},
    # In a form everything is text, so that hardly any is wrong.
    GenerationMode.NEGATIVE: {name: from_dict(without_forms(found)) for name, found in DOCUMENTS.items()},
}
ALL = [("api", one) for one in of_api.OPERATIONS] + [("processor", one) for one in of_processor.OPERATIONS]

BEYOND_THE_DOCUMENT = frozenset(
    {
        "card_data_not_accepted",
        "parameter_invalid",
        "parameter_missing",
        "query_invalid",
        "payment_intent_unexpected_state",
        "payment_intent_under_review",
        "amount_too_large",
        "increment_too_large",
        "increment_not_authenticated",
        "review_closed",
        "payment_never_confirmed",
        "time_before_payment",
        "time_in_future",
        "time_out_of_range",
        "json_malformed",
        "form_malformed",
        "idempotency_key_reuse",
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

PAYING = {"/v1/payment_intents", "/v1/payment_intents/{id}", "/v1/payment_intents/{id}/confirm"}
METHODS = {"/v1/payment_methods", "/v1/payment_methods/{id}/attach", "/v1/payment_methods/{id}/detach"}
INCREMENTS = {"/v1/payment_intents/{id}/increment_authorization"}
LABELS, SIGN_INS = {"/v1/labels"}, {"/v1/account_events"}
ONLY_OF = {
    # The document says which members are required: only where one requires another may it be silent.
    "parameter_missing": PAYING | METHODS | LABELS | SIGN_INS | {"/pay"},
    "query_invalid": {"/v1/payment_intents/search"},
    "increment_too_large": INCREMENTS,
    "increment_not_authenticated": INCREMENTS,
    "payment_never_confirmed": LABELS,
    "time_before_payment": LABELS,
    "time_in_future": LABELS,
    "label_contradictory": LABELS,
    "time_out_of_range": SIGN_INS,
    "review_closed": {"/v1/reviews/{id}/approve", "/v1/reviews/{id}/reject"},
    "invalid_vpa": PAYING | METHODS,
    "payment_method_customer_mismatch": PAYING,
    "payment_method_without_consent": PAYING,
    "payment_method_detached": PAYING | METHODS,
    "payment_method_unexpected_state": METHODS,
}
"""Paths that alone may answer so; the other codes may come from every one."""


def called(case: Case, url: str, headers: dict[str, str]) -> Response:
    """The answer. Forms are written here: OpenAPI has no words for brackets in brackets."""
    if case.media_type != FORM:
        return case.call(base_url=url, headers=headers, allow_redirects=False)
    return case.call(base_url=url, headers={**headers, "Content-Type": FORM}, data=form_of(case.body))


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with living_api(tmp_path_factory.mktemp("fuzz")) as one:
        yield Life(one)


class Fuzzing:
    """One operation under fuzz: what it was answered, and which card numbers it was sent."""

    def __init__(self, listener: str, one: Operation, life: Life) -> None:
        self.one = one
        self.statuses: Counter[int] = Counter()
        self.successes = 0
        self.cards: set[str] = set()
        self._life = life
        self._url = life.api.urls[listener]
        self._listener = listener

    def run(self, mode: GenerationMode, examples: int) -> None:
        """Call the operation so often, and check each answer."""
        positive = mode is GenerationMode.POSITIVE
        described = SCHEMAS[mode][self._listener][self.one.path][self.one.method]
        cases = described.as_strategy(generation_mode=mode, headers=self._life.api.authorization(self.one))

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
            self._call(data.draw(cases), data, positive=positive)

        call()

    def _call(self, case: Case, data: st.DataObject, *, positive: bool) -> None:
        headers = self._life.api.authorization(self.one)
        if not positive:
            refuse_what_turns_right_on_its_way(case)
        with_time_of_today(case)
        at_own_merchant(case, data.draw)
        planted = None
        if positive:
            self._life.bring(case, data.draw)
            planted = self._plant(case, data)
        self.cards |= numbers_in(case.body)
        if self.one.path == NOTICES:
            time.sleep(1 / (NOTICES_PER_SECOND / 2))
        answer = called(case, self._url, headers)
        self.statuses[answer.status_code] += 1
        self.successes += is_success(answer)
        with_probes = self.statuses.total() <= PROBED_EXAMPLES
        wanted = checks(with_probes=with_probes, too_large=answer.status_code == TOO_LARGE)
        case.validate_response(answer, checks=wanted, headers=headers)
        shows_none_of(self.cards, answer)
        if planted:
            assert answer.json()["error"]["code"] == "card_data_not_accepted", answer.text
        elif positive:
            accepted_unless_for_a_reason(answer, self.one.path)
            if answer.status_code == 200 and KEY in case.headers and self.one.is_replayed:
                again = called(case, self._url, headers)
                assert again.text == answer.text
                assert again.headers["idempotent-replayed"] == ["true"]

    def _plant(self, case: Case, data: st.DataObject) -> bool:
        """Now and then put a card number where the API takes none."""
        texts = [
            (members, name)
            for members in (case.body, case.query)
            if isinstance(members, dict)
            for name, value in members.items()
            if isinstance(value, str)
        ]
        if self._url != self._life.api.urls["api"] or not texts or not seldom(data.draw):
            return False
        members, name = data.draw(st.sampled_from(texts))
        members[name] = self._life.api.card()
        self.cards.add(members[name])
        return True


def refuse_what_turns_right_on_its_way(case: Case) -> None:
    """A time not written as by RFC 3339 may yet be read; what is empty leaves no trace in a query."""
    component = case.meta.components.get(ParameterLocation.HEADER) if case.meta else None
    if component and component.mode is GenerationMode.NEGATIVE and is_time(case.headers.get(TIME, "")):
        reject()
    if any(leaves_no_trace(value) for value in (case.query or {}).values()):
        reject()


def leaves_no_trace(value: Any) -> bool:
    """Whether it, or a member of it, is written as nothing at all in a query."""
    members = value.values() if isinstance(value, dict) else ()
    return value in (None, [], {}) or any(leaves_no_trace(member) for member in members)


def checks(*, with_probes: bool, too_large: bool) -> list[Any]:
    """All of schemathesis's, but for the one that `accepted_unless_for_a_reason` does more exactly.

    Some send further requests, without a key or by another method, and hold for the operation as a whole. A
    body that was `too_large` is refused before it is looked at, which schemathesis takes for no refusal.
    """
    left_out = {"positive_data_acceptance"} if with_probes else {"positive_data_acceptance", *PROBING}
    left_out |= {"negative_data_rejection"} if too_large else set()
    return [check for check in CHECKS.get_all() if check.__name__ not in left_out]


def is_success(answer: Any) -> bool:
    """Of `/pay` only what is approved, as it answers what it declines with 200, too."""
    if answer.status_code != 200 or "application/json" not in answer.headers.get("content-type", [""])[0]:
        return bool(200 <= answer.status_code < 400)
    shown = answer.json()
    return "auth_id" not in shown or shown["status"] == "approved"


def numbers_in(body: Any) -> set[str]:
    """The card numbers of a body of the processor's, as digits; they may be none that a card has."""
    card = body.get("card") if isinstance(body, dict) else None
    written = str(card.get("number", "")) if isinstance(card, dict) else ""
    digits = re.sub("[ -]", "", written)
    return {digits} if re.fullmatch("[0-9]{12,19}", digits) else set()


def shows_none_of(cards: set[str], answer: Any) -> None:
    shown = set(re.findall("[0-9]{12,19}", answer.text + repr(dict(answer.headers))))
    assert not cards & shown, "a card number is shown"


def accepted_unless_for_a_reason(answer: Any, path: str) -> None:
    assert answer.status_code in (200, 303, 400, 402, 403, 404, 409), answer.text
    if answer.status_code == 400:
        code = answer.json()["error"]["code"]
        assert code in BEYOND_THE_DOCUMENT, answer.text
        assert path in ONLY_OF.get(code, {path}), answer.text


def report(fuzzing: Fuzzing, name: str, folder: str) -> None:
    said = {"operation": name, "statuses": fuzzing.statuses, "successes": fuzzing.successes}
    (Path(folder) / f"{name}.json").write_text(json.dumps(said))


@pytest.mark.parametrize(("listener", "one"), ALL, ids=[f"{listener}-{one.name}" for listener, one in ALL])
def test_an_operation_keeps_what_its_document_promises(
    listener: str, one: Operation, life: Life, capfd: pytest.CaptureFixture[str]
) -> None:
    takes_nothing = one.body is None and one.query is None
    negative = 0 if takes_nothing else EXAMPLES // 4
    fuzzing = Fuzzing(listener, one, life)

    fuzzing.run(GenerationMode.POSITIVE, EXAMPLES - negative)
    if negative:
        fuzzing.run(GenerationMode.NEGATIVE, negative)

    statuses = fuzzing.statuses
    assert fuzzing.successes >= SUCCESSES_MIN, statuses
    turned_away = sum(statuses[status] for status in (401, 403, 429))
    assert turned_away <= TURNED_AWAY_SHARE_MAX * statuses.total(), statuses
    kept = written_in(life.api, *capfd.readouterr())
    assert not [card for card in fuzzing.cards if card.encode() in kept], "a card number is kept in the clear"
    if REPORT:
        report(fuzzing, f"{listener}-{one.name}", REPORT)


def written_in(api: LivingApi, *logs: str) -> bytes:
    """What both programs wrote: logs, files, stores, events."""
    return b"\0".join([*(log.encode() for log in logs), *api.kept()])
