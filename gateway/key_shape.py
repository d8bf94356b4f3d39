"""What an API key looks like: looked at before a text that claims to be one goes anywhere.

A caller may put anything into that header, a card number too; what has another shape stays where it came in.
"""

import re

_KEY = re.compile(r"sk_(test|live)_[0-9a-f]{48}")


def is_shaped_like_a_key(text: str) -> bool:
    """
    >>> is_shaped_like_a_key("sk_test_" + "0a" * 24), is_shaped_like_a_key("sk_test_4242424242424242")
    (True, False)
    """
    return _KEY.fullmatch(text) is not None
