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
    "block": {"processing": "requires_payment_method", "requires_action": "requires_payment_method"},
    "decline": {"processing": "requires_payment_method", "requires_action": "requires_payment_method"},
    "authorize": {"processing": "requires_capture", "requires_action": "requires_capture"},
    "succeed": {"processing": "succeeded", "requires_action": "succeeded"},
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
or an expiry."""

UNFINISHED: tuple[Phase, ...] = ("assessing", "incrementing", "capturing", "voiding")

NEXT_PHASES: Mapping[Phase, tuple[Phase, ...]] = {
    "assessing": ("awaiting_payer", "blocked", "declined", "authorized"),
    "awaiting_payer": ("blocked", "declined", "authorized", "voiding"),
    "authorized": ("incrementing", "capturing", "voiding"),
    "incrementing": ("authorized",),
    "capturing": ("authorized", "captured", "capture_failed"),
    "voiding": ("voided",),
}
