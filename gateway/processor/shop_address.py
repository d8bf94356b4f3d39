"""Where a payer goes who comes back from elsewhere: the merchant's own page."""

from urllib.parse import quote

from gateway.processor_port import AuthorizationRequest


def shop_address(request: AuthorizationRequest) -> str | None:
    """The merchant's page, with the payment in its query; None where the merchant named none."""
    if request.return_url is None:
        return None
    address, mark, fragment = request.return_url.partition("#")
    payment_id = quote(request.attempt_id.rpartition("_")[0])
    return f"{address}{'&' if '?' in address else '?'}payment_intent={payment_id}{mark}{fragment}"
