"""The API key that a request presents: what does not have a key's shape goes no further.

A caller may put anything into that header, a card number too.
"""

import re

from starlette.requests import Request

from events.vocabulary import Mode
from gateway.errors import AuthenticationError

_KEY = re.compile(r"sk_(test|live)_[0-9a-f]{48}")


def presented_key(request: Request) -> str:
    """The secret key of the `Authorization` header; raises `AuthenticationError`."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        raise AuthenticationError(
            "Basic authentication (curl -u) is not taken. Send the key as `Authorization: Bearer sk_…`."
        )
    if scheme.lower() != "bearer" or not is_shaped_like_a_key(key.strip()):
        raise AuthenticationError()
    return key.strip()


def mode_of(key: str) -> Mode:
    """Which of the two worlds a key says that it opens; whether it does is the API's to say."""
    return "test" if key.startswith("sk_test_") else "live"


def is_shaped_like_a_key(text: str) -> bool:
    """Whether a text could be a key of either mode.

    >>> is_shaped_like_a_key("sk_test_" + "0a" * 24), is_shaped_like_a_key("sk_test_4242424242424242")
    (True, False)
    """
    return _KEY.fullmatch(text) is not None
