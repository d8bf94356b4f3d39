"""The gateway's services put together. What is outside comes in as `Surroundings`; nothing is opened here."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from gateway.account_events import AccountEvents
from gateway.auth import Keys
from gateway.business_time import BusinessTime
from gateway.client_secrets import ClientSecrets
from gateway.counting import MemoryLimiter, wrong_keys, wrong_passwords
from gateway.event_recorder import EventRecorder
from gateway.idempotency import IdempotencyKeys
from gateway.instances import Instances
from gateway.labels import Labels
from gateway.outbox import Relay
from gateway.payment_methods import PaymentMethods
from gateway.payments.account_charging import AccountCharging
from gateway.payments.attempt_ends import AttemptEnds
from gateway.payments.choosing import Choosing
from gateway.payments.daily_pruning import DailyPruning
from gateway.payments.debts import Debts
from gateway.payments.decisions import Deal, DecisionTail
from gateway.payments.delayed_captures import DelayedCaptures
from gateway.payments.expiry import Expiry
from gateway.payments.flights import Flights
from gateway.payments.payer_steps import PayerSteps
from gateway.payments.recovery import Recovery
from gateway.payments.refunds import Refunds
from gateway.payments.reviews import Reviews
from gateway.payments.service import Payments
from gateway.payments.updating import Updates
from gateway.people.access_tokens import AccessTokens
from gateway.people.passwords import Passwords
from gateway.people.sign_ins import SignIns
from gateway.personal import PersonalData
from gateway.pressure.admission import Admission
from gateway.pressure.lateness import Lateness
from gateway.pressure.visits import Gatekeeper
from gateway.rate_limits import RateLimits
from gateway.receipts import Receipts
from gateway.retrying import Driving
from gateway.scheduling import run_for_good
from gateway.surroundings import Surroundings
from gateway.tokens import RegisteredTokens


class Gateway:
    """The API process without its listeners."""

    def __init__(self, around: Surroundings) -> None:
        store, scheduling, geography = around.store, around.scheduling, around.geography
        self._around = around
        recorder, time = EventRecorder(around.entropy), BusinessTime(around.clock)
        self.instances = _instances(around)
        own = self.instances.own
        self.relay = relay = Relay(store, around.log, scheduling, poll_seconds=around.relay_poll_seconds)
        self.keys = Keys(
            store=store,
            secret=around.keyring.api_keys,
            time=time,
            wrong_keys=wrong_keys(around.clock, around.failures_max),
            live_alone=around.live_alone,
        )
        self.wrong_passwords = wrong_passwords(around.clock, around.failures_max)
        self.client_secrets, self.idempotency, self.rate_limits = _of_requests(around)
        personal = _personal(around)
        ends = _ends(around, recorder, relay)
        self.lateness = Lateness(around.clock, around.late_policy)
        flights = _flights(around, ends, personal, self.lateness)
        self.admission = Admission(around.entropy, lambda: flights.under_way)
        self.gatekeeper = Gatekeeper(self.admission, self.keys.party_of)
        self.payer_steps = _payer_steps(around, ends, time)
        self.recovery = Recovery(
            store=store, flights=flights, ends=ends, debts=ends.debts, scheduling=scheduling, instance=own
        )
        self._daily_pruning = DailyPruning(store, around.clock, time, scheduling)
        self._expiry = _expiry(around, ends, time)
        self.decisions = _tail(around, ends, self.recovery.deal, own)
        self.labels = Labels(store=store, entropy=around.entropy, recorder=recorder, relay=relay)
        self.account_events = AccountEvents(
            store=store, recorder=recorder, relay=relay, personal=personal, geography=geography
        )
        self.sign_ins = _sign_ins(around, recorder, self.account_events, time)
        self.tokens = RegisteredTokens(
            store=store,
            keys=self.keys,
            personal=personal,
            rate_limits=self.rate_limits,
            sign_ins=self.sign_ins,
            admission=self.admission,
        )
        self.payment_methods = PaymentMethods(store=store, entropy=around.entropy, personal=personal)
        choosing = Choosing(personal=personal, entropy=around.entropy)
        self.payments = _payments(around, ends, choosing, flights, self.payer_steps, own)
        self.updates = Updates(
            store=store, personal=personal, choosing=choosing, recorder=recorder, relay=relay
        )
        self.receipts = Receipts(store=store, personal=personal)
        self.reviews = _reviews(around, ends)

    async def start(self, failed: Callable[[], None]) -> None:
        """Drive on what was left, then relay and listen for decisions.

        `failed` is called where one of these dies: every payment would fall back from then on.
        """
        await self._expiry.restore()
        await self.instances.join()
        await self.recovery.sweep()
        for name, work in (
            *self._among_others(),
            ("outbox", self.relay.run()),
            ("decisions", self.decisions.run()),
            ("recovery", self.recovery.run()),
            ("idempotency", self.idempotency.run()),
            ("days", self._daily_pruning.run()),
            ("payer steps", self.payer_steps.run()),
            ("expiry", self._expiry.run()),
        ):
            run_for_good(self._around.scheduling, work, name, failed)

    def _among_others(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """What only a store needs that other processes share."""
        if self._around.store.is_shared:
            yield "instances", self.instances.run(self.decisions.changing, self.recovery.sweep)
            yield "outbox calls", self.relay.listen()

    async def stop(self) -> None:
        """Stop where it stands: what is unfinished is durable, and the next start drives it on."""
        await self._around.scheduling.stop()
        self.relay.close()
        self._around.store.close()
        await self.rate_limits.close()


def _personal(around: Surroundings) -> PersonalData:
    keyring = around.keyring
    return PersonalData(
        entities_secret=keyring.entities, wrapping_key=keyring.subjects, entropy=around.entropy
    )


def _ends(around: Surroundings, recorder: EventRecorder, relay: Relay) -> AttemptEnds:
    store, entropy, processor = around.store, around.entropy, around.processor
    driving = Driving(around.scheduling)
    debts = Debts(
        store=store, entropy=entropy, recorder=recorder, relay=relay, processor=processor, driving=driving
    )
    refunds = Refunds(store=store, recorder=recorder, relay=relay, processor=processor, driving=driving)
    return AttemptEnds(
        store=store, entropy=entropy, recorder=recorder, relay=relay, debts=debts, refunds=refunds
    )


def _reviews(around: Surroundings, ends: AttemptEnds) -> Reviews:
    return Reviews(
        store=around.store,
        entropy=around.entropy,
        recorder=ends.recorder,
        relay=ends.relay,
        debts=ends.debts,
        refunds=ends.refunds,
    )


def _flights(around: Surroundings, ends: AttemptEnds, personal: PersonalData, lateness: Lateness) -> Flights:
    return Flights(
        ends=ends,
        processor=around.processor,
        accounts=AccountCharging(around.store, personal),
        scheduling=around.scheduling,
        clock=around.clock,
        deadline_seconds=around.deadline_seconds,
        lateness=lateness,
    )


def _payments(
    around: Surroundings,
    ends: AttemptEnds,
    choosing: Choosing,
    flights: Flights,
    payer_steps: PayerSteps,
    instance: str,
) -> Payments:
    return Payments(
        store=around.store,
        entropy=around.entropy,
        recorder=ends.recorder,
        personal=choosing.personal,
        geography=around.geography,
        choosing=choosing,
        relay=ends.relay,
        flights=flights,
        lifetimes=around.lifetimes,
        payer_steps=payer_steps,
        debts=ends.debts,
        instance=instance,
    )


def _payer_steps(around: Surroundings, ends: AttemptEnds, time: BusinessTime) -> PayerSteps:
    return PayerSteps(
        store=around.store,
        ends=ends,
        processor=around.processor,
        scheduling=around.scheduling,
        clock=around.clock,
        now=time.now,
    )


def _expiry(around: Surroundings, ends: AttemptEnds, time: BusinessTime) -> Expiry:
    return Expiry(
        store=around.store,
        recorder=ends.recorder,
        relay=ends.relay,
        debts=ends.debts,
        delayed=DelayedCaptures(store=around.store, debts=ends.debts),
        time=time,
        scheduling=around.scheduling,
    )


def _instances(around: Surroundings) -> Instances:
    return Instances(
        store=around.store,
        log=around.log,
        entropy=around.entropy,
        scheduling=around.scheduling,
        name=around.instance_name,
    )


def _of_requests(around: Surroundings) -> tuple[ClientSecrets, IdempotencyKeys, RateLimits]:
    keyring, limiter = around.keyring, around.limiter or MemoryLimiter(around.clock)
    idempotency = IdempotencyKeys(
        store=around.store,
        secret=keyring.api_keys,
        clock=around.clock,
        entropy=around.entropy,
        scheduling=around.scheduling,
    )
    rate_limits = RateLimits(limiter, keyring.sign_ins, own_per_second=around.own_per_second)
    return ClientSecrets(keyring.api_keys), idempotency, rate_limits


def _tail(around: Surroundings, ends: AttemptEnds, deal: Deal, instance: str) -> DecisionTail:
    return DecisionTail(
        log=around.log,
        store=around.store,
        recorder=ends.recorder,
        relay=ends.relay,
        scheduling=around.scheduling,
        clock=around.clock,
        deal=deal,
        instance=instance,
    )


def _sign_ins(
    around: Surroundings, recorder: EventRecorder, account_events: AccountEvents, time: BusinessTime
) -> SignIns:
    return SignIns(
        store=around.store,
        recorder=recorder,
        account_events=account_events,
        passwords=Passwords(around.scheduling, around.hasher),
        tokens=AccessTokens(around.keyring.sign_ins),
        time=time,
        clock=around.clock,
        live_alone=around.live_alone,
    )
