"""All that a gateway has around it, as its composition root gives it."""

from typing import NamedTuple

from pwdlib import PasswordHash

from events.clock import Clock
from events.ids import Entropy
from events.log.port import Log
from gateway.counting import FAILURES_MAX
from gateway.geo import Geography
from gateway.keys.keyring import Keyring
from gateway.outbox import POLL_SECONDS
from gateway.payments.lifetimes import Lifetimes
from gateway.people.passwords import OWASP_MINIMUM
from gateway.pressure.lateness import LatePolicy
from gateway.processor_port import Processor
from gateway.rate_limits import OWN_PER_SECOND, Limiter
from gateway.scheduling import Scheduling
from gateway.store.writer import Store


class Surroundings(NamedTuple):
    """Everything outside: time, randomness, disk, log, network and scheduling. `deadline_seconds` is how long
    a confirm waits for its decision, `live_alone` whether test keys are refused, `hasher` how passwords are
    kept, `lifetimes` how long authorizations hold, `instance_name` what the process has when it is started
    again; `limiter` None counts requests in this process alone, `failures_max` is
    how many wrong keys, or passwords, one address may send in their windows; `late_policy` says what becomes
    of payments while decisions are late."""

    clock: Clock
    entropy: Entropy
    scheduling: Scheduling
    store: Store
    log: Log
    processor: Processor
    keyring: Keyring
    geography: Geography
    instance_name: str = "api"
    deadline_seconds: float = 0.25
    live_alone: bool = False
    hasher: PasswordHash = OWASP_MINIMUM
    lifetimes: Lifetimes = Lifetimes()
    limiter: Limiter | None = None
    own_per_second: int = OWN_PER_SECOND
    failures_max: int = FAILURES_MAX
    relay_poll_seconds: float = POLL_SECONDS
    late_policy: LatePolicy = LatePolicy.FALL_BACK
