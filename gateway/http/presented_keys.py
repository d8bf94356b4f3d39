"""The API key that a request presents: what does not have a key's shape goes no further.

A caller may put anything into that header, a card number too.
"""

import re
from base64 import b64decode

from starlette.requests import Request

from events.vocabulary import Mode
from gateway.errors import AuthenticationError
from gateway.people.errors import InvalidTokenError

_KEY = re.compile(r"[sp]k_(test|live)_[0-9a-f]{48}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{2,200}\.[A-Za-z0-9_-]{2,800}\.[A-Za-z0-9_-]{43}")


def presented_key(request: Request) -> str:
    """The key of the `Authorization` header, as a bearer token or as the user name of Basic authentication.

    Raises `AuthenticationError`.
    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    key = given.strip()
    if scheme.lower() == "basic":
        key = _user_name(key)
    elif scheme.lower() != "bearer":
        raise AuthenticationError()
    if not is_shaped_like_a_key(key):
        raise AuthenticationError()
    return key


def bearer_key(header: bytes) -> str | None:
    """The key of an `Authorization` header of the usual form, None for any other.

    >>> bearer_key(b"Bearer sk_test_" + b"0a" * 24) == "sk_test_" + "0a" * 24, bearer_key(b"Bearer 4242")
    (True, None)
    """
    text = header.removeprefix(b"Bearer ").decode("latin-1")
    return text if is_shaped_like_a_key(text) else None


def presented_token(request: Request) -> str:
    """The access token of the `Authorization` header; raises `InvalidTokenError`."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not is_shaped_like_a_token(given.strip()):
        raise InvalidTokenError()
    return given.strip()


def _user_name(credentials: str) -> str:
    """The user name of Basic credentials without a password (RFC 7617), else nothing."""
    try:
        user, _, password = b64decode(credentials, validate=True).decode("ascii").partition(":")
    except ValueError:
        return ""
    return "" if password else user


def mode_of(key: str) -> Mode:
    """Which of the two worlds a key says that it opens; whether it does is the API's to say."""
    return "test" if key.startswith(("sk_test_", "pk_test_")) else "live"


def is_publishable(key: str) -> bool:
    """Whether a key may be read by anybody."""
    return key.startswith("pk_")


def is_shaped_like_a_key(text: str) -> bool:
    """Whether a text could be a key of either mode.

    >>> is_shaped_like_a_key("sk_test_" + "0a" * 24), is_shaped_like_a_key("sk_test_4242424242424242")
    (True, False)
    """
    return _KEY.fullmatch(text) is not None


def is_shaped_like_a_token(text: str) -> bool:
    """Whether a text could be an access token.

    >>> is_shaped_like_a_token("e30.e30." + "A" * 43), is_shaped_like_a_token("4242424242424242")
    (True, False)
    """
    return _TOKEN.fullmatch(text) is not None
