"""Why an account did not pay, in words for its payer and for the merchant; each code stands alone."""

PAYER_WORDS = {
    "payment_declined": "The payment was declined. Try again, or another way.",
    "insufficient_account_funds": "The account has insufficient funds.",
    "invalid_vpa": "Nobody has this UPI address.",
    "bank_technical_error": "The bank does not answer. Try again later, or another way.",
    "payment_collect_request_expired": "The request was not approved in the app in time. Try again.",
    "payment_timed_out": "The payment was not finished in time. Try again.",
}

SELLER_WORDS = {
    "payment_declined": "The payer declined.",
    "insufficient_account_funds": "The payer's bank declined: insufficient funds.",
    "invalid_vpa": "Nobody has this UPI address.",
    "bank_technical_error": "The payer's bank did not answer.",
    "payment_collect_request_expired": "The payer did not approve the request in time.",
    "payment_timed_out": "The payer did not finish in time.",
}
