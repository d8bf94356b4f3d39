"""Searching intents by any field: what is found on both stores, page by page, and what is refused."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.resources import PaymentIntent
from gateway.errors import InvalidRequestError
from gateway.processor_port import Authentication
from gateway.search_query import CLAUSES_MAX, FIELDS, NUMBER_MAX, parse_query
from gateway.store import search_rows
from gateway.store.search_rows import COLUMNS
from tests.contract.api_serving import served
from tests.gateway_world import World

INTENTS, SEARCH = "/v1/payment_intents", "/v1/payment_intents/search"
CREATED = 1767607200

BASKETS: list[dict[str, Any]] = [
    {"amount": 500, "currency": "eur", "customer": "ada", "metadata": {"order": "7", "a.b": "x"}},
    {"amount": 1500, "currency": "eur", "customer": "bob", "description": "Green TEA, 50% off"},
    {
        "amount": 2500,
        "currency": "usd",
        "customer": "o'hara",
        "metadata": {"order": "70", "$.x": "y"},
        "setup_future_usage": "on_session",
        "payment_method_types": ["card"],
    },
    {
        "amount": 3500,
        "currency": "jpy",
        "description": "a \\ and a _",
        "metadata": {"10": "ten"},
        "capture_delay_hours": 5,
    },
]

FOUND: dict[str, list[int]] = {
    "amount>1000": [3, 2, 1],
    "amount>=1500 AND amount<=2500": [2, 1],
    "amount:500": [0],
    "amount:'500'": [0],
    "-amount:500": [3, 2, 1],
    "customer:'ada' OR customer:\"bob\"": [1, 0],
    "customer:null": [3],
    "-customer:null AND -customer:'ada'": [2, 1],
    r"customer:'o\'hara'": [2],
    'customer:"o\'hara"': [2],
    "-customer:'ada'": [3, 2, 1],
    "currency:'EUR'": [1, 0],
    "description~'tea'": [1],
    "description~'50%'": [1],
    "description~'%'": [1],
    "description~'_'": [3],
    r"description~'\\'": [3],
    "description:'tea'": [],
    "metadata['order']:'7'": [0],
    "metadata['order']~'7'": [2, 0],
    'metadata["order"]:"70"': [2],
    "-metadata['order']:'7'": [3, 2, 1],
    "metadata['order']:null": [3, 1],
    "metadata['a.b']:'x'": [0],
    "metadata['$.x']:'y'": [2],
    "metadata['10']:'ten'": [3],
    "metadata['orde']:'7'": [],
    "status:'requires_payment_method' AND capture_method:'automatic'": [3, 2, 1, 0],
    "status:'succeeded'": [],
    f"created:{CREATED}": [0],
    f"created>{CREATED} AND created<{CREATED + 3}": [2, 1],
    f"created>={CREATED + 2}": [3, 2],
    "canceled_at:null AND amount<1000": [0],
    'customer:"\' OR 1=1 --"': [],
    "livemode:false": [3, 2, 1, 0],
    "livemode:'true'": [],
    "not_assessed:true OR refund_owed:true": [],
    "payment_method_types:'card'": [3, 2, 1, 0],
    "payment_method_types:'upi'": [],
    "payment_method_types:'netbanking' OR payment_method_types:'strange%'": [],
    "-payment_method_types:'wallet'": [2],
    "capture_delay_hours:5": [3],
    "setup_future_usage:'on_session'": [2],
    "latest_charge:null": [3, 2, 1, 0],
    "outcome.risk_level:null AND next_action.type:null": [3, 2, 1, 0],
    "outcome.risk_score>0 OR outcome.three_d_secure.liability_shifted:false": [],
}

REFUSED = [
    "amount",
    "amount>",
    "amount>x",
    "amount~5",
    "amount>99999999999999999",
    "customer:ada",
    "customer>'a'",
    "customer~null",
    "colour:'red'",
    "metadata:'7'",
    "amount['x']:7",
    "metadata['a\"b']:'7'",
    "customer:'ada",
    "customer:'ada' customer:'bob'",
    "customer:'ada' AND",
    "customer:'ada' XOR customer:'bob'",
    "customer:'a' AND customer:'b' OR customer:'c'",
    "customer:'ada'; DROP TABLE intents",
    "livemode:'perhaps'",
    "livemode~'true'",
    "payment_method_types~'up'",
    "outcome:'authorized'",
    " AND ".join(["amount>1"] * (CLAUSES_MAX + 1)),
    "(amount>1)",
    " ",
]


@pytest.mark.both_stores
def test_what_matches_is_found_newest_first(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        ids = []
        for second, basket in enumerate(BASKETS):
            headers = {"weir-test-time": f"2026-01-05T10:00:0{second}.250000Z"}
            ids.append((await http.post(INTENTS, json=basket, headers=headers)).json()["id"])
        other = {"authorization": f"Bearer {world.keys['live']}"}

        for query, expected in FOUND.items():
            answer = await http.get(SEARCH, params={"query": query, "limit": 100})
            assert answer.status_code == 200, (query, answer.text)
            assert [ids.index(one["id"]) for one in answer.json()["data"]] == expected, query
        by_id = (await http.get(SEARCH, params={"query": f"id:'{ids[2]}'"})).json()["data"]
        assert [one["amount"] for one in by_id] == [2500]
        assert (await http.get(SEARCH, params={"query": "amount>0"}, headers=other)).json()["data"] == []

    served(tmp_path, story)


@pytest.mark.both_stores
def test_numbers_beyond_what_is_kept_find_nothing_or_all(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        assert (await http.post(INTENTS, json=BASKETS[0])).status_code == 200
        for field in (name for name, kind in FIELDS.items() if kind in ("number", "time")):
            for query in (f"{field}>{NUMBER_MAX}", f"{field}:{NUMBER_MAX}", f"{field}<{NUMBER_MAX}"):
                answer = await http.get(SEARCH, params={"query": query})
                assert answer.status_code == 200, (query, answer.text)

    served(tmp_path, story)


def test_a_search_goes_on_page_by_page(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        for basket in [*BASKETS, *BASKETS]:
            await http.post(INTENTS, json=basket)
        query: dict[str, Any] = {"query": "amount>1000", "limit": 4}
        first = (await http.get(SEARCH, params=query)).json()
        second = (await http.get(SEARCH, params={**query, "page": first["next_page"]})).json()

        assert (first["object"], first["has_more"], len(first["data"])) == ("search_result", True, 4)
        assert (second["has_more"], second["next_page"], len(second["data"])) == (False, None, 2)
        assert len({one["id"] for one in first["data"] + second["data"]}) == 6
        assert all(one["client_secret"] is None for one in first["data"])
        unknown = await http.get(SEARCH, params={**query, "page": "pi_none"})
        assert unknown.status_code == 404

    served(tmp_path, story)


def test_what_is_no_query_is_refused_and_not_quoted(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        for query in REFUSED:
            answer = await http.get(SEARCH, params={"query": query})
            assert answer.status_code == 400, query
            assert answer.json()["error"]["param"] == "query"
            assert "DROP" not in answer.text
            assert "colour" not in answer.text
        assert (await http.get(SEARCH)).json()["error"]["code"] == "parameter_missing"

    served(tmp_path, story)


PAID = {
    "outcome.type:'authorized' AND outcome.risk_level:'normal' AND outcome.network_status~'approved'": [0],
    "outcome.risk_score>=0 AND outcome.risk_score<100": [1, 0],
    "-outcome.risk_score>=0": [],
    "outcome.seller_message~'CARD'": [0],
    "outcome.three_d_secure.result:'failed'": [1],
    "outcome.three_d_secure.liability_shifted:false": [1],
    "outcome.three_d_secure.liability_shifted:true": [],
    "outcome.three_d_secure.eci:null": [1, 0],
    "last_payment_error.code:'card_declined'": [1],
    "last_payment_error.decline_code:'insufficient_funds' AND last_payment_error.type:'card_error'": [1],
    "-last_payment_error.code:null": [1],
    "payment_method:'tok_1'": [0],
    "next_action.type:'redirect_to_url' OR status:'succeeded'": [0],
}


@pytest.mark.both_stores
def test_what_came_of_a_payment_is_found(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        order = {"amount": 500, "currency": "eur", "payment_method": await world.token(), "confirm": True}
        paid = (await http.post(INTENTS, json=order)).json()
        world.processor.decline_code = "insufficient_funds"
        world.processor.authentication = Authentication(result="failed", flow="challenge")
        refused = (await http.post(INTENTS, json=order)).json()["error"]["payment_intent"]
        ids = [paid["id"], refused["id"]]

        for query, expected in PAID.items():
            answer = await http.get(SEARCH, params={"query": query})
            assert [ids.index(one["id"]) for one in answer.json()["data"]] == expected, query
        for one, charge in ((paid, paid["latest_charge"]), (refused, refused["latest_charge"])):
            found = await http.get(SEARCH, params={"query": f"latest_charge:'{charge}'"})
            assert [one["id"]] == [each["id"] for each in found.json()["data"]]

    served(tmp_path, story)


@pytest.mark.both_stores
def test_a_search_looks_at_so_many_and_says_where_it_goes_on(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        for basket in BASKETS:
            await http.post(INTENTS, json=basket)
        query = {"query": "amount:500", "limit": 2}
        pages = [(await http.get(SEARCH, params=query)).json()]
        while pages[-1]["has_more"]:
            pages.append((await http.get(SEARCH, params={**query, "page": pages[-1]["next_page"]})).json())
        led = (await http.get(SEARCH, params={"query": "customer:'ada' AND amount:500"})).json()

        assert [len(page["data"]) for page in pages] == [0, 1]
        assert (len(led["data"]), led["has_more"]) == (1, False)

    before = search_rows.SCANNED_MAX
    search_rows.SCANNED_MAX = 3
    try:
        served(tmp_path, story)
    finally:
        search_rows.SCANNED_MAX = before


def test_every_field_of_the_language_has_its_column() -> None:
    assert set(COLUMNS) == set(FIELDS)


def test_every_member_of_a_payment_intent_can_be_searched() -> None:
    members = set(PaymentIntent.__struct_fields__) - {"object", "client_secret", "metadata"}

    assert {field.partition(".")[0] for field in FIELDS} == members


@given(st.text(alphabet="amountcreatedcustomer :~<>='\"\\-[]ANDOR0123456789null()%_é\0", max_size=60))
def test_whatever_is_asked_is_a_query_or_refused(text: str) -> None:
    with suppress(InvalidRequestError):
        assert 1 <= len(parse_query(text).clauses) <= CLAUSES_MAX
