"""Form-encoded bodies and queries in Stripe's bracket form, read strictly into the tree that JSON would give.

`a=1&risk_context[ip]=192.0.2.1&items[0][amount]=5` is `{"a": "1", "risk_context": {"ip": …}, "items": […]}`;
`expand[]=review` is an entry of a list as well.
Values stay text; whoever reads them converts them by the struct's types.
"""

import re
from typing import Any
from urllib.parse import parse_qsl

from gateway.errors import InvalidRequestError

FIELDS_MAX = 500
DEPTH_MAX = 5
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)((?:\[[A-Za-z0-9_ .:-]*\])*)")
_PART = re.compile(r"\[([^\]]*)\]")


def parse_form(body: bytes) -> dict[str, Any]:
    """The tree of a form; raises `InvalidRequestError`."""
    if body.lstrip().startswith((b"{", b"[")):
        raise _malformed("This is no form. Is it JSON? Send it as `Content-Type: application/json`.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError:
        raise _malformed() from None
    tree: dict[str, Any] = {}
    for name, value in pairs:
        _put(tree, _path(name), value)
    return {name: _with_lists(branch) for name, branch in tree.items()}


def _path(name: str) -> list[str]:
    match = _NAME.fullmatch(name)
    if match is None:
        raise _malformed()
    parts = [match[1], *_PART.findall(match[2])]
    if len(parts) > DEPTH_MAX or "" in parts[:-1]:
        raise _malformed()
    return parts


def _put(tree: dict[str, Any], path: list[str], value: str) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise _malformed()
    # `name[]=` is the next entry of a list.
    last = path[-1] or str(len(tree))
    if last in tree:
        raise _malformed("A member stands twice in the form.")
    tree[last] = value


def _with_lists(branch: Any) -> Any:
    """Objects whose names are 0, 1, 2 … become lists."""
    if not isinstance(branch, dict):
        return branch
    members = {name: _with_lists(value) for name, value in branch.items()}
    if list(members) == [str(number) for number in range(len(members))]:
        return list(members.values())
    return members


def _malformed(message: str = "Expected members such as amount=1999&currency=eur.") -> InvalidRequestError:
    return InvalidRequestError(message, code="form_malformed")
