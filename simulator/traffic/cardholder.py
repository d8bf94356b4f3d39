"""A payer at the page of the card's issuer: types a code, right or wrong, or leaves; then goes back."""

import re
from collections.abc import Awaitable, Callable
from html import unescape

from simulator.traffic.steps import Reaction

Send = Callable[[str, dict[str, str] | None], Awaitable[str]]
"""(address, a form or None) → the page that comes of it."""

RIGHT, WRONG = {"do": "answer", "code": "123456"}, {"do": "answer", "code": "1"}
"""In test mode any code of four digits and more is right."""
FORMS: dict[Reaction, tuple[dict[str, str], ...]] = {
    "right_code": (RIGHT,),
    "wrong_code": (WRONG, WRONG, WRONG),
    "leaves": ({"do": "cancel"},),
}
_WAY_BACK = re.compile(r'<a href="([^"]+)">')


async def answer_challenge(address: str, reaction: Reaction, send: Send) -> None:
    """Do what this payer does, and take the way back that the page then shows."""
    shown = ""
    for form in FORMS[reaction]:
        shown = await send(address, form)
    way_back = _WAY_BACK.search(shown)
    if way_back is not None:
        await send(unescape(way_back[1]), None)
