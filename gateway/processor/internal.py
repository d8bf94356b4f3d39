"""What the API may ask of the processor, over mutual TLS; nobody else may speak here."""

from collections.abc import Mapping

from gateway.link.methods import Served
from gateway.pressure.measuring import Gauge
from gateway.processor_port import (
    AuthorizationRequest,
    CaptureRequest,
    IncrementRequest,
    Processor,
    RefundRequest,
    ReversalRequest,
)


def internal_methods(processor: Processor, gauge: Gauge) -> Mapping[str, Served]:
    """The port's methods, by name; and how long the processor's own turns take."""

    async def delay() -> float:
        return gauge.seconds

    return {
        "delay": Served(tuple[()], delay),
        "authorize": Served(tuple[AuthorizationRequest], processor.authorize),
        "capture": Served(tuple[str, CaptureRequest], processor.capture),
        "increment": Served(tuple[str, IncrementRequest], processor.increment),
        "refund": Served(tuple[str, RefundRequest], processor.refund),
        "reverse": Served(tuple[str, ReversalRequest], processor.reverse),
        "find": Served(tuple[str], processor.find),
    }
