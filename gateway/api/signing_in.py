"""`POST /signin`: a name and a password for an access token."""

from fastapi import FastAPI, Request
from starlette.responses import Response

from gateway.api.reading import read_struct, refuse_card_numbers
from gateway.http.answers import answered
from gateway.http.bodies import read_body
from gateway.http.origins import origin, public_origin
from gateway.http.routes import post
from gateway.people.errors import WrongCredentialsError
from gateway.requests import SignInWith
from gateway.wiring import Gateway

SIGN_IN_BODY_BYTES_MAX = 4 * 1024
USER_AGENT_LENGTH_MAX = 1000


def add_sign_in(application: FastAPI, gateway: Gateway) -> None:
    """Serve it."""

    @post(application, "/signin")
    async def sign_in(request: Request) -> Response:
        body = await read_body(request, SIGN_IN_BODY_BYTES_MAX)
        refuse_card_numbers(request, body)
        given = read_struct(request, body, SignInWith)
        address = origin(request)
        await gateway.rate_limits.admit_sign_in(given.username, address)
        agent = request.headers.get("user-agent", "")[:USER_AGENT_LENGTH_MAX]
        gateway.wrong_passwords.require_few(address)
        try:
            token = await gateway.sign_ins.sign_in(
                given.username,
                given.password,
                ip=public_origin(request),
                user_agent=agent or None,
                lets=gateway.rate_limits.lets_sign_in,
            )
        except WrongCredentialsError:
            gateway.wrong_passwords.count(address)
            raise
        return answered({"token": token})
