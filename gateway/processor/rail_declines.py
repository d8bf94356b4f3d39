"""Why an account did not pay, in the merchant's words: one table."""

from gateway.processor.declines import Decline
from gateway.processor_port import AdviceCode

RAIL_DECLINES: dict[str, Decline] = {
    "payment_declined": Decline("payment_declined", "try_again_later"),
    "insufficient_account_funds": Decline("insufficient_account_funds", "try_again_later"),
    "invalid_vpa": Decline("invalid_vpa", "do_not_try_again"),
    "bank_technical_error": Decline("bank_technical_error", "try_again_later"),
    "payment_collect_request_expired": Decline("payment_collect_request_expired", "try_again_later"),
    "payment_timed_out": Decline("payment_timed_out", "try_again_later"),
}
"""The rails' reason → what is said of it."""

_UNKNOWN = Decline("payment_declined", "try_again_later")


def rail_decline(reason: str | None) -> Decline:
    """What to say of a reason; `payment_declined` for one of no table."""
    return RAIL_DECLINES.get(reason or "", _UNKNOWN)


def rail_advice(decline_code: str | None) -> AdviceCode | None:
    """What to do about an attempt that ended so; None where it was not declined."""
    return None if decline_code is None else rail_decline(decline_code).advice_code


def unanswered(*, is_collect: bool) -> Decline:
    """What to say where the payer's time is over."""
    return RAIL_DECLINES["payment_collect_request_expired" if is_collect else "payment_timed_out"]
