"""The operational store as commands use it: beside a running API, or without one."""

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import Connection

from events.moments import moment
from events.vocabulary import COMMAND_LINE, Mode
from gateway.auth import (
    ApiKey,
    NewKey,
    all_in_force,
    create_key,
    has_test_key,
    list_keys,
    paid_live_alone,
    revoke_key,
)
from gateway.errors import HomeError, NotFoundError
from gateway.event_recorder import EventRecorder
from gateway.keys.keyring import open_keyring
from gateway.live_home import is_live_home, mark_live_home, require_live_home_mode
from gateway.people.merchants import (
    Merchant,
    MerchantStatus,
    create_merchant,
    list_merchants,
    load_merchant,
    require_known,
    update_merchant,
)
from gateway.people.users import (
    User,
    create_user,
    disable_user,
    enable_user,
    list_users,
    reset_password,
    unlock_user,
)
from gateway.personal import PersonalData
from gateway.processor.forgetting import forget_cards
from gateway.store.database import forget_overwritten
from gateway.store.expiry_rows import load_clock, reset_clock
from gateway.store.intent_rows import load_intent
from gateway.store.opening import open_store
from gateway.store.writer import in_one_commit

T = TypeVar("T")


class Backoffice:
    """What an operator may do; each call is one durable transaction, audited where it is privileged."""

    def __init__(self, home: Path, keys: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._home = home
        self.recorder = EventRecorder(secrets.token_bytes)
        self.keyring = open_keyring(keys)
        self._vault = home / "processor.sqlite"
        self._engine = open_store(home)

    def write(self, work: Callable[[Connection], T]) -> T:
        """One durable transaction."""
        try:
            return in_one_commit(self._engine, work)
        finally:
            self._engine.dispose()

    def add_merchant(self, merchant: Merchant) -> None:
        """Create a merchant; raises `InvalidRequestError` where the id is taken."""
        self.write(lambda c: create_merchant(c, self.recorder, merchant, at=_now(), actor=COMMAND_LINE))

    def merchants(self) -> list[Merchant]:
        """All merchants, by id."""
        return self.write(list_merchants)

    def merchant(self, merchant_id: str) -> Merchant:
        """One merchant; raises `NotFoundError`."""
        return self.write(lambda c: load_merchant(c, merchant_id))

    def change_merchant(self, merchant_id: str, change: Callable[[Merchant], Merchant]) -> Merchant:
        """The merchant after the change; raises `NotFoundError`, `InvalidRequestError`."""

        def work(connection: Connection) -> Merchant:
            changed = change(load_merchant(connection, merchant_id))
            update_merchant(connection, self.recorder, changed, at=_now(), actor=COMMAND_LINE)
            return changed

        return self.write(work)

    def set_status(self, merchant_id: str, status: MerchantStatus) -> Merchant:
        """Let a merchant take live payments (`active`), or no longer.

        Raises `NotFoundError`, and `InvalidRequestError` where nobody knows where it sells, and what.
        """

        def work(connection: Connection) -> Merchant:
            changed = msgspec.structs.replace(load_merchant(connection, merchant_id), status=status)
            if status == "active":
                require_known(changed)
            action = "merchant.activate" if status == "active" else "merchant.suspend"
            update_merchant(connection, self.recorder, changed, at=_now(), actor=COMMAND_LINE, action=action)
            return changed

        return self.write(work)

    def add_key(self, merchant_id: str, mode: Mode, *, publishable: bool = False) -> dict[str, str]:
        """The new key's id and its text, which is nowhere else; raises `HomeError` for a mode it has not."""

        def work(connection: Connection) -> NewKey:
            require_live_home_mode(self._home, mode)
            if mode == "test" and paid_live_alone(connection):
                raise HomeError(
                    f"{self._home} took live payments and never had a test key, but lacks the mark of a live "
                    "home, as after a partial restore: start it with --live"
                )
            return create_key(
                connection,
                self.recorder,
                merchant_id=merchant_id,
                mode=mode,
                publishable=publishable,
                secret=self.keyring.api_keys,
                entropy=secrets.token_bytes,
                at=_now(),
                actor=COMMAND_LINE,
            )

        key = self.write(work)
        return {"id": key.id, "secret": key.secret}

    def keys(self, merchant_id: str | None = None) -> list[ApiKey]:
        """All keys, or one merchant's, oldest first; never their text."""
        return self.write(lambda c: list_keys(c, merchant_id))

    def add_user(self, name: str, merchant_id: str, mode: Mode, password: str) -> User:
        """Raises `InvalidRequestError`, `NotFoundError`, and `HomeError` for a mode that the home has not."""
        require_live_home_mode(self._home, mode)
        return self.write(
            lambda c: create_user(
                c,
                self.recorder,
                name=name,
                merchant_id=merchant_id,
                mode=mode,
                password=password,
                entropy=secrets.token_bytes,
                at=_now(),
                actor=COMMAND_LINE,
            )
        )

    def users(self, merchant_id: str | None = None) -> list[User]:
        """All users, or one merchant's, by name."""
        return self.write(lambda c: list_users(c, merchant_id))

    def disable_user(self, name: str) -> User:
        """Let a user in no more; raises `NotFoundError`."""
        return self.write(lambda c: disable_user(c, self.recorder, name, at=_now(), actor=COMMAND_LINE))

    def enable_user(self, name: str) -> User:
        """Let in again who was disabled, with the password of before; raises `NotFoundError`."""
        return self.write(lambda c: enable_user(c, self.recorder, name, at=_now(), actor=COMMAND_LINE))

    def unlock_user(self, name: str) -> User:
        """Lift a lock, and leave the password; raises `NotFoundError`, `InvalidRequestError`."""
        return self.write(lambda c: unlock_user(c, self.recorder, name, at=_now(), actor=COMMAND_LINE))

    def reset_password(self, name: str, password: str) -> User:
        """A new password, and no lock; raises `NotFoundError`, `InvalidRequestError`."""
        return self.write(
            lambda c: reset_password(c, self.recorder, name, password, at=_now(), actor=COMMAND_LINE)
        )

    def test_clock(self) -> datetime | None:
        """Where test mode's clock was last kept; None where it goes by the machine's."""
        kept = self.write(lambda c: load_clock(c, "test"))
        return None if kept.at_us is None else moment(kept.at_us)

    def reset_test_clock(self) -> None:
        """Have test mode go by the machine's clock again."""

        def work(connection: Connection) -> None:
            reset_clock(connection, "test")
            self.recorder.audit(
                connection, _now(), actor=COMMAND_LINE, action="test_clock.reset", resource="test"
            )

        self.write(work)

    def knows(self, keys: Sequence[str]) -> bool:
        """Whether each of these keys, given as text, is in force."""
        return self.write(lambda c: all_in_force(c, self.keyring.api_keys, keys))

    def revoke(self, key_id: str) -> None:
        """Revoke a key; raises `NotFoundError` where none is in force."""
        self.write(lambda c: revoke_key(c, self.recorder, key_id, at=_now(), actor=COMMAND_LINE))

    def take_live_alone(self) -> None:
        """Make the home one of live payments; raises `HomeError` where it has ever had a test key.

        In one transaction with the look, so that no key is made in between.
        """

        def work(connection: Connection) -> None:
            if has_test_key(connection):
                raise HomeError(
                    f"{self._home} has, or had, a test key, and what it learned may be of test payments: "
                    "give a new --home with --live"
                )
            mark_live_home(self._home)

        if not is_live_home(self._home):
            self.write(work)

    def erase_customer(self, mode: Mode, merchant_id: str, customer: str) -> None:
        """Forget a merchant's customer; raises `NotFoundError`, and `HomeError` for a mode it has not."""
        require_live_home_mode(self._home, mode)
        self._erase(lambda c, personal: personal.customer_subject(c, mode, merchant_id, customer) or "")

    def erase_shopper(self, mode: Mode, merchant_id: str, payment_id: str) -> None:
        """Forget the shopper of a payment; raises `NotFoundError`, and `HomeError` for a mode it has not."""
        require_live_home_mode(self._home, mode)
        self._erase(lambda c, _: load_intent(c, payment_id, merchant_id=merchant_id, mode=mode).subject)

    def erase_visitor(self, account_event: UUID) -> None:
        """Forget who signed in, or failed to, where no customer was named; raises `NotFoundError`."""
        try:
            self._erase(lambda *_: str(account_event))
        except NotFoundError:
            # The store keeps a sign-in under its own id only where it named no customer.
            raise NotFoundError(
                "Nobody is known by this sign-in alone: if it named a customer, erase the customer "
                "(--merchant, --customer); else it is forgotten already, or another home's."
            ) from None

    def _erase(self, subject_in: Callable[[Connection, PersonalData], str]) -> None:
        """Cards leave the vault first, within the transaction: whatever comes between, once more ends it."""
        personal = PersonalData(
            entities_secret=self.keyring.entities,
            wrapping_key=self.keyring.subjects,
            entropy=secrets.token_bytes,
        )

        def work(connection: Connection) -> None:
            subject = subject_in(connection, personal)
            forget_cards(self._vault, personal.erase(connection, subject))
            self.recorder.audit(
                connection, _now(), actor=COMMAND_LINE, action="person.erase", resource=subject
            )

        try:
            self.write(work)
        finally:
            # Also where nobody was found: a first try may have ended before this.
            forget_overwritten(self._engine)
            self._engine.dispose()


def _now() -> datetime:
    return datetime.now(UTC)
