"""The page on which a cardholder types the code in: no script, by keyboard, on any screen, light or dark."""

from html import escape

from simulator import payer_pages
from simulator.acs.books import Transaction
from simulator.acs.challenge import ATTEMPTS_MAX, RESENDS_MAX

_ENDS = {
    "authenticated": "Thank you. You have confirmed the payment.",
    "failed": "The code was wrong too often. The payment was not confirmed.",
    "canceled": "You have canceled. The payment was not confirmed.",
    "expired": "The time is over. The payment was not confirmed.",
    "withdrawn": "The shop no longer waits for this payment. It was not confirmed.",
}


def challenge_page(transaction: Transaction) -> str:
    """The form, or what came of it and the way back."""
    if transaction.challenge.state != "open":
        return payer_pages.end_page(_ENDS[transaction.challenge.state], transaction.return_url)
    challenge = transaction.challenge
    left = ATTEMPTS_MAX - challenge.attempts
    wrong = f"<p role='alert'>That code is not right. {_times(left)} left.</p>" if challenge.attempts else ""
    price = payer_pages.amount(transaction.amount_minor, transaction.currency)
    sent = "<p role='status'>Another code was sent.</p>" if challenge.resends else ""
    hint = "<p>A test payment: any 4 to 10 digits are right.</p>" if challenge.is_test else ""
    more = payer_pages.button("resend", "Send another code", is_other=True)
    if challenge.resends >= RESENDS_MAX:
        more = "<p>No further code can be sent.</p>"
    return payer_pages.page(
        "Confirm your payment",
        f"""<p>{escape(transaction.merchant)} asks for <strong>{price}</strong> from your card
ending in {escape(transaction.last4)}. A code was sent to your phone.</p>
{wrong}{sent}{hint}
<form method="post"><input type="hidden" name="do" value="answer">
<label for="code">Code</label>
<input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="32"
required autofocus>
<button type="submit">Confirm</button></form>
{more}{payer_pages.button("cancel", "Cancel the payment", is_other=True)}""",
    )


def _times(count: int) -> str:
    return "One try is" if count == 1 else f"{count} tries are"
