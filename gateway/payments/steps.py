"""The legal steps of an intent and of its attempts, as tables: code, documents and tests read these."""

from collections.abc import Mapping
from typing import Literal

Status = Literal[
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "processing",
    "requires_capture",
    "succeeded",
    "canceled",
]
Step = Literal[
    "update",
    "attach",
    "confirm",
    "require_action",
    "await_confirmation",
    "block",
    "decline",
    "authorize",
    "succeed",
    "increment",
    "capture_part",
    "capture",
    "release",
    "fail_capture",
    "cancel",
]

# Of an attempt that has no end yet; under manual confirmation what the payer approved waits to be confirmed.
_AT_IT: tuple[Status, ...] = ("processing", "requires_action", "requires_confirmation")

# `fail_capture` alone leads out of an end: the network refused the capture of what it had authorized.
LEGAL: Mapping[Step, Mapping[Status, Status]] = {
    "update": {
        "requires_payment_method": "requires_payment_method",
        "requires_confirmation": "requires_confirmation",
    },
    "attach": {
        "requires_payment_method": "requires_confirmation",
        "requires_confirmation": "requires_confirmation",
    },
    "confirm": {"requires_payment_method": "processing", "requires_confirmation": "processing"},
    "require_action": {"processing": "requires_action"},
    "await_confirmation": {"requires_action": "requires_confirmation"},
    "block": dict.fromkeys(_AT_IT, "requires_payment_method"),
    "decline": dict.fromkeys(_AT_IT, "requires_payment_method"),
    "authorize": dict.fromkeys(_AT_IT, "requires_capture"),
    "succeed": dict.fromkeys(_AT_IT, "succeeded"),
    "increment": {"requires_capture": "requires_capture"},
    "capture_part": {"requires_capture": "requires_capture"},
    "capture": {"requires_capture": "succeeded"},
    "release": {"requires_capture": "succeeded"},
    "fail_capture": {"succeeded": "requires_payment_method", "requires_capture": "requires_payment_method"},
    "cancel": {
        "requires_payment_method": "canceled",
        "requires_confirmation": "canceled",
        "requires_action": "canceled",
        "requires_capture": "canceled",
    },
}

Phase = Literal[
    "assessing",
    "awaiting_payer",
    "awaiting_confirm",
    "blocked",
    "declined",
    "authorized",
    "incrementing",
    "capturing",
    "captured",
    "capture_failed",
    "voiding",
    "voided",
]
"""Where an attempt stands. `assessing`, `incrementing`, `capturing` and `voiding` are unfinished: something
is owed, and the gateway drives them on until it is done, across restarts. `awaiting_payer` waits for a person
or an expiry, `awaiting_confirm` for the merchant, who confirms again what the payer has approved."""

WAITING: tuple[Phase, ...] = ("awaiting_payer", "awaiting_confirm")

UNFINISHED: tuple[Phase, ...] = ("assessing", "incrementing", "capturing", "voiding")

NEXT_PHASES: Mapping[Phase, tuple[Phase, ...]] = {
    "assessing": ("awaiting_payer", "blocked", "declined", "authorized"),
    "awaiting_payer": ("awaiting_confirm", "blocked", "declined", "authorized", "voiding"),
    "awaiting_confirm": ("blocked", "declined", "authorized", "voiding"),
    "authorized": ("incrementing", "capturing", "voiding"),
    "incrementing": ("authorized",),
    "capturing": ("authorized", "captured", "capture_failed"),
    "voiding": ("voided",),
}
