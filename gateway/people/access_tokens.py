"""Access tokens of people who signed in: JSON Web Tokens, signed with a key that the API alone has.

A token says who, for which merchant and in which mode, for fifteen minutes; whether the user still may is
asked anew with each use.
"""

import hmac
from datetime import UTC, datetime, timedelta

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from events.vocabulary import Mode
from gateway.http.presented_keys import is_shaped_like_a_token
from gateway.people.errors import InvalidTokenError
from gateway.people.users import User

VALID_FOR = timedelta(minutes=15)
ISSUER = "weir"
AUDIENCE = "weir/pay"
"""What a token is for: paying in one call, and nothing else that may be signed with the key one day."""

# Explicit, as a token says its own algorithm: `none`, or one that takes a public key for a secret.
_ALGORITHM = "HS256"


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says; `iat` and `exp` are Unix seconds, `version` is the user's when it was given."""

    iss: str
    aud: str
    sub: str
    merchant_id: str
    mode: Mode
    version: int
    iat: int
    exp: int


class AccessTokens:
    """Signs tokens and reads them, with one key, named in each: what another signed is worth nothing."""

    def __init__(self, secret: bytes) -> None:
        self._key = OctKey.import_key(secret)
        # Of a keyed hash, so that the name tells nothing of the key.
        self._key_id = hmac.digest(secret, b"key id", "sha256")[:8].hex()

    def sign(self, user: User, at: datetime) -> str:
        """A token for a user who has just signed in."""
        claims = Claims(
            iss=ISSUER,
            aud=AUDIENCE,
            sub=user.id,
            merchant_id=user.merchant_id,
            mode=user.mode,
            version=user.version,
            iat=int(at.timestamp()),
            exp=int((at + VALID_FOR).timestamp()),
        )
        header = {"alg": _ALGORITHM, "typ": "JWT", "kid": self._key_id}
        return jwt.encode(header, msgspec.to_builtins(claims), self._key, algorithms=[_ALGORITHM])

    def read(self, token: str, at: datetime) -> Claims:
        """What it says; raises `InvalidTokenError` for what is not ours, or no longer in force."""
        if not is_shaped_like_a_token(token):
            raise InvalidTokenError()
        try:
            said = jwt.decode(token, self._key, algorithms=[_ALGORITHM])
            claims = msgspec.convert(said.claims, Claims)
        except (JoseError, msgspec.ValidationError, ValueError):
            raise InvalidTokenError() from None
        is_ours = (claims.iss, claims.aud, said.header.get("kid")) == (ISSUER, AUDIENCE, self._key_id)
        if not is_ours or not claims.iat <= at.astimezone(UTC).timestamp() < claims.exp:
            raise InvalidTokenError()
        return claims
