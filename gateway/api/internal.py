"""What the processor may ask of the API, over mutual TLS."""

from collections.abc import Mapping

from gateway.api.pay_desk import pay_desk
from gateway.link.methods import Served
from gateway.pay_port import PayOrder, PaySession
from gateway.processor_port import AnswerChanged, TokenRegistration
from gateway.wiring import Gateway


def internal_methods(gateway: Gateway) -> Mapping[str, Served]:
    """The ports' methods of the API, by name."""
    desk = pay_desk(gateway)
    return {
        "register": Served(tuple[TokenRegistration], gateway.tokens.register),
        "answer_changed": Served(tuple[AnswerChanged], gateway.payer_steps.answer_changed),
        "open_pay": Served(tuple[PaySession], desk.open),
        "pay": Served(tuple[PayOrder], desk.pay),
    }
