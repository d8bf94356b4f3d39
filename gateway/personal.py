"""Data subjects: keys that seal their personal fields, and surrogates for what is counted.

A subject is the merchant's customer, else the payment or the sign-in itself. Its key and its mappings (keyed
hash → random surrogate) are rows; `erase` deletes them, and with them the log, the engine's state and every
sealed field forget the person at once, while nothing is rewritten and every sum stays.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Select, delete, insert, select, update

from events.ids import Entropy, prefixed
from events.personal import KEY_BYTES, NONCE_BYTES, keyed_hash, seal, unseal
from events.vocabulary import Mode
from gateway.errors import NotFoundError
from gateway.store.by_key import ByKey, Wanted, fetch
from gateway.store.idempotency_rows import forget_answers
from gateway.store.method_tables import consents, payment_methods
from gateway.store.statements import Statement
from gateway.store.tables import intents, subject_keys, subject_surrogates, surrogates, tokens

_KEYS = ByKey(subject_keys, "subject")
_SURROGATES = ByKey(surrogates, "digest")
# A link says nothing but that it is there.
_LINK = Statement(insert(subject_surrogates), or_nothing=True)

_FORGOTTEN = {
    "customer": None,
    "metadata_json": "{}",
    "sealed_context": None,
    "sealed_receipt_email": None,
    "receipt_email_digest": None,
}
"""What stands in an erased person's intents in the place of what was said."""

PREFIXES = {"card": "card", "device": "dev", "ip": "ip", "email": "email", "customer": "cust"}
PREFIXES |= {"upi": "upi", "wallet": "wlt", "netbanking": "bank"}
"""Kind of entity → prefix of its surrogates."""


class PersonalData:
    """Seals, opens, stands in, and forgets. Methods take the connection that the store gives its works."""

    def __init__(self, *, entities_secret: bytes, wrapping_key: bytes, entropy: Entropy) -> None:
        self._secret = entities_secret
        self._wrap = AESGCM(wrapping_key)
        self._entropy = entropy

    def surrogates(self, connection: Connection, mode: Mode, entities: Mapping[str, str]) -> dict[str, str]:
        """Kind → surrogate for each kind → value; a value never seen gets a new random surrogate.

        Test and live never meet: one value has a surrogate in each.
        """
        digests = self._digests(mode, entities)
        known = self._known(connection, digests.values())
        for kind, digest in digests.items():
            if digest not in known:
                known[digest] = prefixed(PREFIXES[kind], self._entropy(12))
                row = {"digest": digest, "kind": kind, "surrogate": known[digest]}
                _SURROGATES.insert(connection, row)
        return {kind: known[digest] for kind, digest in digests.items()}

    def wanted(self, mode: Mode, entities: Mapping[str, str]) -> list[Wanted]:
        """The mappings of kind → value, which will be looked for."""
        return [_SURROGATES.wanted(digest) for digest in self._digests(mode, entities).values()]

    def link(
        self,
        connection: Connection,
        mode: Mode,
        subject: str,
        entities: Mapping[str, str],
        more: Collection[bytes] = (),
    ) -> None:
        """Remember which mappings lead to a subject, so that they can be deleted with it.

        `more` are mappings that the caller knows by their keyed hash alone.
        """
        for digest in sorted({*self._digests(mode, entities).values(), *more}):
            _LINK.add(connection, {"subject": subject, "digest": digest})

    def seal(
        self,
        connection: Connection,
        subject: str,
        fields: dict[str, str],
        at_us: int,
        *,
        is_new: bool = False,
    ) -> bytes | None:
        """The fields under the subject's key, which is made where it is missing; None for no fields.

        Nobody has a key of a subject that is new.
        """
        if not fields:
            return None
        key = None if is_new else self._key(connection, subject)
        if key is None:
            key = self._entropy(KEY_BYTES)
            wrapped = self._wrapped(key, subject)
            row = {"subject": subject, "wrapped_key": wrapped, "created_us": at_us}
            _KEYS.insert(connection, row)
        return seal(fields, key=key, subject=subject, nonce=self._entropy(NONCE_BYTES))

    def unseal(self, connection: Connection, subject: str, sealed: bytes | None) -> dict[str, str]:
        """The fields, or none where there are none or the subject is forgotten."""
        key = self._key(connection, subject) if sealed else None
        return unseal(sealed, key=key, subject=subject) if sealed and key else {}

    def handed_on(
        self, connection: Connection, sealed: bytes | None, of: str, to: str, at_us: int
    ) -> bytes | None:
        """What was sealed for one subject, now for another; the first had nothing else and is forgotten."""
        fields = self.unseal(connection, of, sealed)
        connection.execute(delete(subject_keys).where(subject_keys.c.subject == of))
        return self.seal(connection, to, fields, at_us)

    def erase(self, connection: Connection, subject: str) -> list[str]:
        """Forget a subject: key, mappings, cards' tokens, what intents say; raises `NotFoundError`.

        Gives the tokens that are gone, whose cards the vault still holds. Another merchant's tokens of the
        same cards are not this person's to lose: they go on, under new surrogates, so that what was counted
        by the old ones leads to nobody.
        """
        forgotten = connection.execute(delete(subject_keys).where(subject_keys.c.subject == subject))
        own = select(subject_surrogates.c.digest).where(subject_surrogates.c.subject == subject)
        own_merchants = select(intents.c.merchant_id).where(intents.c.subject == subject)
        of_own_cards = tokens.c.surrogate_digest.in_(own)
        gone = delete(tokens).where(of_own_cards, tokens.c.merchant_id.in_(own_merchants))
        own_tokens = connection.execute(gone.returning(tokens.c.id)).scalars().all()
        self._forget_methods(connection, subject, own, own_merchants, own_tokens)
        mappings = connection.execute(delete(surrogates).where(surrogates.c.digest.in_(own)))
        others = connection.execute(select(tokens.c.surrogate_digest).where(of_own_cards).distinct())
        for digest in others.scalars().all():
            self._begin_anew(connection, digest)
        accounts = select(payment_methods.c.surrogate_digest, payment_methods.c.type)
        for digest, kind in connection.execute(
            accounts.where(payment_methods.c.surrogate_digest.in_(own))
        ).all():
            self._begin_account_anew(connection, digest, kind)
        connection.execute(delete(subject_surrogates).where(subject_surrogates.c.subject == subject))
        blank = update(intents).where(intents.c.subject == subject)
        forget_answers(connection, select(intents.c.id).where(intents.c.subject == subject))
        touched = connection.execute(blank, _FORGOTTEN)
        if not forgotten.rowcount + mappings.rowcount + touched.rowcount:
            raise NotFoundError("There is no such person.")
        return list(own_tokens)

    def _forget_methods(
        self,
        connection: Connection,
        subject: str,
        own: Select[Any],
        own_merchants: Select[Any],
        cards: Sequence[str],
    ) -> None:
        """Delete a subject's payment methods, the keys of those that had one of their own, and consents."""
        table = payment_methods.c
        accounts = table.surrogate_digest.in_(own) & table.merchant_id.in_(own_merchants)
        theirs = (table.subject == subject) | table.token.in_(cards) | accounts
        gone = connection.execute(delete(payment_methods).where(theirs).returning(table.id)).scalars().all()
        connection.execute(delete(subject_keys).where(subject_keys.c.subject.in_(gone)))
        connection.execute(delete(consents).where(consents.c.payment_method.in_(gone)))

    def _begin_account_anew(self, connection: Connection, digest: bytes, kind: str) -> None:
        """The same for an account that another merchant knows as well."""
        surrogate = prefixed(PREFIXES[kind], self._entropy(12))
        if not self._known(connection, [digest]):
            row = {"digest": digest, "kind": kind, "surrogate": surrogate}
            connection.execute(insert(surrogates), row)
            same = payment_methods.c.surrogate_digest == digest
            connection.execute(update(payment_methods).where(same).values(surrogate=surrogate))

    def _begin_anew(self, connection: Connection, card_digest: bytes) -> None:
        """Give a card, whose mapping is gone, a new surrogate in the tokens that are left of it."""
        surrogate = prefixed(PREFIXES["card"], self._entropy(12))
        row = {"digest": card_digest, "kind": "card", "surrogate": surrogate}
        connection.execute(insert(surrogates), row)
        connection.execute(
            update(tokens).where(tokens.c.surrogate_digest == card_digest).values(surrogate=surrogate)
        )

    def customer_subject(
        self, connection: Connection, mode: Mode, merchant_id: str, customer: str
    ) -> str | None:
        """The subject of a merchant's customer; None where unknown or forgotten."""
        return self.find(connection, mode, "customer", customer_entity(merchant_id, customer))

    def find(self, connection: Connection, mode: Mode, kind: str, value: str) -> str | None:
        """The surrogate of a value, where it has one; makes none."""
        digest = self.digest(mode, kind, value)
        return self._known(connection, [digest]).get(digest)

    def digest(self, mode: Mode, kind: str, value: str) -> bytes:
        """The keyed hash under which a value's mapping is kept."""
        return self._digests(mode, {kind: value})[kind]

    def _digests(self, mode: Mode, entities: Mapping[str, str]) -> dict[str, bytes]:
        return {kind: keyed_hash(self._secret, f"{mode}:{kind}", value) for kind, value in entities.items()}

    def _known(self, connection: Connection, digests: Collection[bytes]) -> dict[bytes, str]:
        fetch(connection, [_SURROGATES.wanted(digest) for digest in digests])
        rows = [_SURROGATES.find(connection, digest) for digest in digests]
        return {row.digest: row.surrogate for row in rows if row is not None}

    def _key(self, connection: Connection, subject: str) -> bytes | None:
        row = _KEYS.find(connection, subject)
        if row is None:
            return None
        wrapped = row.wrapped_key
        return self._wrap.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], subject.encode())

    def _wrapped(self, key: bytes, subject: str) -> bytes:
        nonce = self._entropy(NONCE_BYTES)
        return nonce + self._wrap.encrypt(nonce, key, subject.encode())


def customer_entity(merchant_id: str, customer: str) -> str:
    """What identifies a customer: two merchants' customers with one name are two people."""
    return f"{merchant_id}\0{customer}"
