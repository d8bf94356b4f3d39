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
    "capture",
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
    "capture": {"requires_capture": "succeeded"},
    "fail_capture": {"succeeded": "requires_payment_method"},
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
    "capturing",
    "captured",
    "capture_failed",
    "voiding",
    "voided",
]
"""Where an attempt stands. `assessing`, `capturing` and `voiding` are unfinished: something is owed, and the
gateway drives them on until it is done, across restarts. `awaiting_payer` waits for a person or an expiry."""

UNFINISHED: tuple[Phase, ...] = ("assessing", "capturing", "voiding")

NEXT_PHASES: Mapping[Phase, tuple[Phase, ...]] = {
    "assessing": ("awaiting_payer", "blocked", "declined", "authorized"),
    "awaiting_payer": ("blocked", "declined", "authorized", "voiding"),
    "authorized": ("capturing", "voiding"),
    "capturing": ("captured", "capture_failed"),
    "voiding": ("voided",),
}
