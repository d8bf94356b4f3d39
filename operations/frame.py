"""What `weir top` tells, out of what passed between two readings: numbers with units in their names."""

import msgspec

from operations.figures import Passed

HOPS = ("api", "commit", "log", "flow", "reply", "acquirer")
"""In the order in which a confirm passes them."""

CPU, MEMORY = "process_cpu_seconds_total", "process_resident_memory_bytes"
STARTED = "process_start_time_seconds"


class Latency(msgspec.Struct, frozen=True):
    """Of what passed; None where nothing did, or where only a mean is known."""

    mean_ms: float | None
    p50_ms: float | None = None
    p99_ms: float | None = None


class Process(msgspec.Struct, frozen=True):
    """One program: what it takes of one core, and of memory."""

    program: str
    cpu_percent: float
    memory_mib: float
    started_at_seconds: float


class Rates(msgspec.Struct, frozen=True):
    """A second, over what passed; shares are 0 to 1, None where nothing passed."""

    requests: float
    payments: float
    decisions: float
    labels: float
    refused: float
    fallback_share: float | None
    outcomes: dict[str, float]
    """Payments a second by outcome."""


class Totals(msgspec.Struct, frozen=True):
    """Since the programs' starts, or as it stands now."""

    payments: int
    fallbacks: int
    late_decisions: int
    dead_letters: int
    learned_labels: int
    flights: int
    outbox_unsent: int
    epoch: int
    checkpoint_p99_ms: float | None
    models: dict[str, int]
    state_rows: dict[str, int]
    disk_free_gib: float | None


class Frame(msgspec.Struct, frozen=True):
    """One look at a platform."""

    seconds: float
    """How long what passed took."""
    rates: Rates
    confirm: Latency
    """Of all confirms; `whole` of those that the engine decided, which are what `hops` are of."""
    whole: Latency
    hops: dict[str, Latency]
    lag_records: dict[str, dict[str, int]]
    """By consumer and topic."""
    totals: Totals
    processes: list[Process]
    away: list[str]
    """Programs that showed nothing."""


def frame_of(passed: Passed) -> Frame:
    """One look, from the figures of all programs."""
    lag: dict[str, dict[str, int]] = {}
    for has, records in passed.now.matching("weir_log_lag_records", {}):
        labels = dict(has)
        lag.setdefault(labels["consumer"], {})[labels["topic"]] = int(records)
    return Frame(
        seconds=passed.seconds,
        rates=_rates(passed),
        confirm=_latency(passed, "weir_confirm_seconds"),
        whole=_latency(passed, "weir_confirm_seconds", decided_by="engine"),
        hops=_hops(passed),
        lag_records={consumer: dict(sorted(topics.items())) for consumer, topics in sorted(lag.items())},
        totals=_totals(passed),
        processes=_processes(passed),
        away=list(passed.now.away),
    )


def _rates(passed: Passed) -> Rates:
    payments = passed.count("weir_payments_total")
    fallbacks = passed.count("weir_payments_total", decided_by="fallback")
    outcomes = passed.now.by("outcome", "weir_payments_total")
    return Rates(
        requests=passed.rate("weir_http_requests_total", program="gateway.api"),
        payments=payments / passed.seconds,
        decisions=passed.rate("weir_decisions_total"),
        labels=passed.rate("weir_learned_labels_total"),
        refused=sum(passed.rate("weir_http_requests_total", status=status) for status in ("429", "503")),
        fallback_share=fallbacks / payments if payments else None,
        outcomes={
            outcome: passed.rate("weir_payments_total", outcome=outcome) for outcome in sorted(outcomes)
        },
    )


def _hops(passed: Passed) -> dict[str, Latency]:
    """The API sees flow and reply as one; what the flow says of itself tells them apart, in the mean."""
    name = "weir_confirm_hop_seconds"
    hops = {hop: _latency(passed, name, hop=hop) for hop in HOPS}
    both = _latency(passed, name, hop="flow_and_reply").mean_ms
    answers = passed.count("weir_decisions_total")
    flow = passed.count("weir_flow_answer_seconds_total") / answers * 1000 if answers else None
    batch = _latency(passed, "weir_flow_batch_seconds")
    hops["flow"] = Latency(flow, batch.p50_ms, batch.p99_ms)
    hops["reply"] = Latency(None if both is None or flow is None else max(0.0, both - flow))
    return hops


def _latency(passed: Passed, name: str, **labels: str) -> Latency:
    return Latency(
        _milliseconds(passed.mean(name, **labels)),
        _milliseconds(passed.quantile(0.5, name, **labels)),
        _milliseconds(passed.quantile(0.99, name, **labels)),
    )


def _totals(passed: Passed) -> Totals:
    now = passed.now
    whole = Passed(type(now)(0.0, {}), now)  # since the programs' starts
    disks = [value for _, value in now.matching("weir_disk_free_bytes", {})]
    return Totals(
        payments=int(now.total("weir_payments_total")),
        fallbacks=int(now.total("weir_payments_total", decided_by="fallback")),
        late_decisions=int(now.total("weir_late_decisions_total")),
        dead_letters=int(max([v for _, v in now.matching("weir_log_end_records", {})], default=0)),
        learned_labels=int(now.total("weir_learned_labels_total")),
        flights=int(now.total("weir_flights")),
        outbox_unsent=int(now.total("weir_outbox_unsent_rows")),
        epoch=int(now.total("weir_epoch_version")),
        checkpoint_p99_ms=_milliseconds(whole.quantile(0.99, "weir_checkpoint_seconds")),
        models={kind: int(version) for kind, version in sorted(now.by("kind", "weir_model_version").items())},
        state_rows={place: int(rows) for place, rows in sorted(now.by("place", "weir_state_rows").items())},
        disk_free_gib=min(disks) / 2**30 if disks else None,
    )


def _processes(passed: Passed) -> list[Process]:
    programs = sorted(passed.now.by("program", MEMORY))
    return [
        Process(
            program,
            100.0 * passed.rate(CPU, program=program),
            passed.now.total(MEMORY, program=program) / 2**20,
            passed.now.total(STARTED, program=program),
        )
        for program in programs
    ]


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
