"""Calls as they are written: JSON, a line each, in both directions of a connection that stays open.

A call is `{"id":7,"method":"capture","params":["pi_1_1",{…}]}`, its answer `{"id":7,"result":{…}}` or
`{"id":7,"error":{"status":429,"code":"rate_limit","after_seconds":1}}`: JSON-RPC's members, HTTP's statuses.
Answers come in any order. Who stops says so once, `{"id":7,"goodbye":true}`: the last call that it has begun.
"""

from typing import Any

import msgspec

CALL_BYTES_MAX = 64 * 1024
"""As much as a listener reads of a request's body."""

ANSWER_BYTES_MAX = 1024 * 1024
"""Far above what either program answers."""

UNREADABLE = (ValueError, RecursionError)
"""What decoding raises: no JSON or another shape, no UTF-8, too deep."""


class Call(msgspec.Struct, frozen=True):
    """One call; `params` are JSON that is yet to be read, as the method's own types say."""

    id: int
    method: str
    params: msgspec.Raw


class Refusal(msgspec.Struct, frozen=True):
    """Why there is no result: the status and the code that the error has over HTTP.

    `after_seconds` says when to come again, where it is worth it.
    """

    status: int
    code: str = ""
    after_seconds: int = 1


class Answer(msgspec.Struct, frozen=True):
    """What came of a call: a result, yet to be read, or an error.

    A goodbye is none, and `id` the number of the last call that was begun (0 for none): numbers rise, those
    above it never will be, and those up to it may still have their answers.
    """

    id: int
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Refusal | None = None
    goodbye: bool = False


class LineTooLongError(Exception):
    """The other side sends more in one line than was agreed."""


class Lines:
    """What comes in on a connection, cut into lines of at most `bytes_max`."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._begun = b""

    def ended_by(self, data: bytes) -> list[bytes]:
        """The lines that are whole with these bytes; raises `LineTooLongError`."""
        *lines, self._begun = (self._begun + data).split(b"\n")
        if max(len(self._begun), *map(len, lines), 0) > self._bytes_max:
            raise LineTooLongError
        return lines


def line(content: dict[str, Any]) -> bytes:
    """A call or an answer as it is written; msgspec puts no line's end into JSON."""
    return msgspec.json.encode(content) + b"\n"
