"""What a caller is told of an error: a problem document (RFC 9457) with Stripe's `error` member inside."""

from typing import Any

from gateway.errors import CardDeclinedError, GatewayError, UnavailableError

REFERENCE = "docs/api.md"
"""Where the API is described, from the sources' root."""


def problem(error: GatewayError, request_id: str) -> dict[str, Any]:
    """The RFC 9457 document of a request's error, with Stripe's `error` member inside."""
    anchor = "declines" if isinstance(error, CardDeclinedError) else "error-codes"
    message = _told(error)
    stripe: dict[str, Any] = {
        "type": error.TYPE,
        "code": error.code,
        "message": message,
        "doc_url": f"{REFERENCE}#{anchor}",
        "request_id": request_id,
    }
    if error.param is not None:
        stripe["param"] = error.param
    if isinstance(error, CardDeclinedError):
        if error.decline_code is not None:
            stripe["decline_code"] = error.decline_code
        stripe["charge"] = error.payment_intent["latest_charge"]
        stripe["payment_intent"] = error.payment_intent
    return {
        "type": f"urn:weir:problem:{error.code}",
        "title": error.TITLE,
        "status": error.STATUS,
        "detail": message,
        "error": stripe,
    }


def _told(error: GatewayError) -> str:
    """Of what is away its name and what to do: the cause is the log's."""
    if not isinstance(error, UnavailableError) or not error.NEEDED:
        return error.message
    return (
        f"{error.NEEDED} cannot answer now. Send the same request again: under the same Idempotency-Key "
        "nothing is done twice."
    )
