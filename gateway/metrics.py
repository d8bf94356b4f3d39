"""What the gateway's programs count for `/metrics`, and how long things take them."""

from events.metrics import counter, gauge, histogram

REQUESTS = counter(
    "weir_http_requests",
    "Requests answered, by route as declared (its members in braces) and status.",
    ["method", "route", "status"],
)
REQUEST_SECONDS = histogram(
    "weir_http_request_seconds", "From a request's arrival to the end of its answer.", ["method"]
)
PAYMENTS = counter(
    "weir_payments",
    "Attempts that were taken on, by what was decided, by whom, what paid and what the intent became.",
    ["outcome", "decided_by", "method", "status"],
)
CONFIRM_SECONDS = histogram(
    "weir_confirm_seconds", "Requests that confirmed a payment, whole.", ["decided_by"]
)
HOP_SECONDS = histogram(
    "weir_confirm_hop_seconds",
    "The same requests, where the engine decided, hop by hop: together they are the whole.",
    ["hop"],
)
PLACES = gauge("weir_admission_places", "How many requests of a kind may be under way at once.", ["kind"])
PLACES_TAKEN = gauge("weir_admission_taken", "How many requests of a kind are under way.", ["kind"])
ADMISSION_WAITING = gauge("weir_admission_waiting", "Requests that wait for a place.", ["kind"])
ADMISSION_REFUSED = counter("weir_admission_refused", "Requests refused for want of a place.", ["kind"])
PRESSURE_SECONDS = gauge(
    "weir_pressure_seconds", "How long the own turns take of API and processor: what admission goes by."
)
LATE_DECISIONS = counter("weir_late_decisions", "Decisions that came after a fallback had decided.")
IN_FLIGHT = gauge("weir_flights", "Attempts on their way to their end.")
GROUP_WORKS = histogram(
    "weir_group_commit_works", "Works that shared one commit.", ["lane"], bounds=(1, 2, 4, 8, 16, 32, 64, 256)
)
GROUP_SECONDS = histogram("weir_group_commit_seconds", "One commit with its works and its sync.", ["lane"])
GROUP_WAITING = gauge("weir_group_commit_waiting", "Works that wait for the next commit.", ["lane"])
OUTBOX_SECONDS = histogram("weir_outbox_append_seconds", "One append of the outbox's rows to the log.")
OUTBOX_ROWS = counter("weir_outbox_rows", "Rows of the outbox that went to the log.")
OUTBOX_UNSENT = gauge(
    "weir_outbox_unsent_rows", "Rows that the last look found, 512 at most: above 0 while the log is away."
)
ACQUIRER_SECONDS = histogram(
    "weir_acquirer_seconds", "One question of the processor to the acquirer network, until its answer."
)
