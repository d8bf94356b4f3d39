"""Spans of a payment's way through the programs, sent by OTLP over HTTP; off unless an endpoint is given.

A request that is traced has a W3C `traceparent`, which travels in its events (member `trace`), so that both
logs carry it alike and a replay sees it too. While tracing is off nothing of OpenTelemetry's SDK is imported,
and asking whether it is on is all that it costs. What is sampled is decided here alone: a stranger's
`traceparent` would let whoever asks decide what is stored. Attributes hold ids and outcomes, nothing of a
person, card or text that a caller wrote.
"""

import argparse
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags, Tracer, set_span_in_context

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

SHARE = 0.05
"""Of requests that are traced unless told otherwise: of 100 payments a second five, each of ten spans."""
EXPORT_SECONDS_MAX = 1.0
"""How long one sending may take: also the last one, which a stop waits for."""
EXPORT_EVERY_MS = 1_000
"""How long spans are gathered; beyond 2,048 that wait, new ones are dropped."""

Attributes = Mapping[str, str | int]


class _Tracing:
    def __init__(self, provider: "TracerProvider", share: float) -> None:
        self.provider = provider
        self.share = share
        self.tracer: Tracer = provider.get_tracer("weir")


_on: _Tracing | None = None


def add_tracing(parser: argparse.ArgumentParser) -> None:
    """Give a program the options `--traces` and `--trace-share`."""
    parser.add_argument(
        "--traces", metavar="URL", help="where spans go by OTLP: http://HOST:4318; off without"
    )
    parser.add_argument(
        "--trace-share",
        type=float,
        default=SHARE,
        metavar="SHARE",
        help="0 to 1, of requests that are traced",
    )


def start_tracing(program: str, endpoint: str | None, share: float = SHARE) -> None:
    """Send spans from now on; without an endpoint nothing is done."""
    global _on  # of the process, as its logging is: set once, by its composition root
    if endpoint is None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": program}), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS_MAX)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_EVERY_MS))
    _on = _Tracing(provider, share)


def stop_tracing() -> None:
    """Send what waits, and nothing more; takes seconds at most where nobody listens."""
    global _on  # as above
    stopped, _on = _on, None
    if stopped is not None:
        stopped.provider.shutdown()


def is_tracing() -> bool:
    """Whether spans are sent."""
    return _on is not None


def begin_request_span(at_ns: int) -> Span | None:
    """The first span of a request, if it is one of those that are traced; whoever began it ends it."""
    if _on is None or random.random() >= _on.share:
        return None
    return _on.tracer.start_span("request", start_time=at_ns)


def trace_of(span: Span) -> str:
    """The span as events carry it: `00-TRACE-SPAN-01`."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def record_span(
    name: str, trace: Any, began_ns: int, ended_ns: int, attributes: Attributes | None = None
) -> None:
    """A span that has ended, below the one that `trace` names; times are nanoseconds since 1970.

    Nothing where tracing is off, or `trace` is not one that this module wrote.
    """
    parent = _context(trace) if _on is not None else None
    if _on is None or parent is None:
        return
    context = set_span_in_context(NonRecordingSpan(parent))
    span = _on.tracer.start_span(name, context, attributes=attributes, start_time=began_ns)
    span.end(max(began_ns, ended_ns))


def _context(trace: Any) -> SpanContext | None:
    parts = trace.split("-") if isinstance(trace, str) and len(trace) == 55 else []
    try:
        version, trace_id, span_id, _flags = parts
        numbers = int(trace_id, 16), int(span_id, 16)
    except ValueError:
        return None
    context = SpanContext(*numbers, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return context if version == "00" and context.is_valid else None
