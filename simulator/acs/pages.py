"""The page on which a cardholder types the code in: no script, by keyboard, on any screen, light or dark."""

import hashlib
from base64 import b64encode
from html import escape

from events.money import exponent
from simulator.acs.challenge import ATTEMPTS_MAX, RESENDS_MAX
from simulator.acs.directory import Transaction

STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 26rem; padding: 1rem; }
h1 { font-size: 1.25rem; }
input, button { font: inherit; padding: .6rem; width: 100%; box-sizing: border-box; margin: .3rem 0; }
:focus-visible { outline: 3px solid Highlight; outline-offset: 2px; }
[role=alert] { border-inline-start: .3rem solid; padding-inline-start: .7rem; font-weight: bold; }
"""

POLICY = (
    "default-src 'none'; style-src 'sha256-"
    + b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The content security policy of every page here: nothing runs, nothing is loaded, no one frames it."""

_ENDS = {
    "authenticated": "Thank you. You have confirmed the payment.",
    "failed": "The code was wrong too often. The payment was not confirmed.",
    "canceled": "You have canceled. The payment was not confirmed.",
    "expired": "The time is over. The payment was not confirmed.",
}


def challenge_page(transaction: Transaction) -> str:
    """The form, or what came of it and the way back."""
    if transaction.challenge.state != "open":
        return _end(transaction)
    challenge, question = transaction.challenge, transaction.question
    left = ATTEMPTS_MAX - challenge.attempts
    wrong = f"<p role='alert'>That code is not right. {_times(left)} left.</p>" if challenge.attempts else ""
    sent = "<p role='status'>Another code was sent.</p>" if challenge.resends else ""
    hint = "<p>A test payment: any 4 to 10 digits are right.</p>" if challenge.is_test else ""
    more = "" if challenge.resends >= RESENDS_MAX else _button("resend", "Send another code")
    return _page(
        "Confirm your payment",
        f"""<p>{escape(question.merchant)} asks for <strong>{_amount(transaction)}</strong> from your card
ending in {escape(question.number[-4:])}. A code was sent to your phone.</p>
{wrong}{sent}{hint}
<form method="post"><input type="hidden" name="do" value="answer">
<label for="code">Code</label>
<input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="10"
required autofocus>
<button type="submit">Confirm</button></form>
{more}{_button("cancel", "Cancel the payment")}""",
    )


def unknown_page() -> str:
    """No such challenge, or no more."""
    return _page("Nothing to confirm", "<p>This page is no longer of use. Go back to the shop.</p>")


def _end(transaction: Transaction) -> str:
    # Not by a redirect: what a form may lead to is this server alone.
    back = escape(transaction.question.return_url)
    return _page(
        "Payment",
        f"""<p role="status">{_ENDS[transaction.challenge.state]}</p>
<p><a href="{back}">Back to the shop</a></p>""",
        head=f"<meta http-equiv='refresh' content='0;url={back}'>",
    )


def _button(name: str, text: str) -> str:
    return (
        f"<form method='post'><input type='hidden' name='do' value='{name}'>"
        f"<button type='submit'>{text}</button></form>\n"
    )


def _amount(transaction: Transaction) -> str:
    question = transaction.question
    return escape(f"{format_amount(question.amount_minor, question.currency)} {question.currency}")


def format_amount(amount_minor: int, currency: str) -> str:
    """Major units, as many decimals as the currency has.

    >>> format_amount(1250, "EUR"), format_amount(1250, "JPY")
    ('12.50', '1250')
    """
    digits = exponent(currency)
    whole, part = divmod(amount_minor, 10**digits)
    return f"{whole}.{part:0{digits}}" if digits else str(whole)


def _times(count: int) -> str:
    return "One try is" if count == 1 else f"{count} tries are"


def _page(title: str, body: str, head: str = "") -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>{head}<style>{STYLE}</style></head>
<body><main><h1>{title}</h1>
{body}
</main></body></html>"""
