"""Spans of appends: whose request an appended event belongs to, only its bytes say."""

import time
from collections.abc import Iterable

import msgspec

from events.log.port import Outgoing
from events.tracing import record_span


class _Traced(msgspec.Struct):
    trace: str | None = None


_decoder = msgspec.json.Decoder(_Traced)


def record_appends(records: Iterable[Outgoing], began_ns: int) -> None:
    """A span for each event of a traced request that an append, which ends now, has put on the log."""
    ended_ns = time.time_ns()
    for record in records:
        if record.value is None:
            continue
        try:
            trace = _decoder.decode(record.value).trace
        except msgspec.DecodeError:
            continue
        if trace is not None:
            record_span(f"append to {record.topic}", trace, began_ns, ended_ns)
