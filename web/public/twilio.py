"""Twilio's calls: what became of a text message, and what people answer. Signed, or refused."""

from dataclasses import replace

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from deliverability.feedback import apply
from deliverability.signals.twilio import read_inbound, read_status, verify_signature
from models.errors import NotFoundError
from models.tokens import TokenPurpose
from web.access import ForbiddenError
from web.door import client_address, front_door
from web.public.letters import TooManyError

router = APIRouter()
NO_ANSWER = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
"""TwiML: answer nothing. Twilio itself confirms a STOP."""


@router.post("/hooks/twilio/status")
async def status(request: Request) -> Response:
    """One step of a text message. The same step told again changes nothing."""
    context, now = front_door(request).context, front_door(request).context.clock.now()
    signal = read_status(await _signed_form(request), now)
    # Our own token names the delivery even before Twilio's number is on record.
    delivery_id = context.tokens.read(TokenPurpose.MESSAGE, request.query_params.get("d", ""))
    async with context.database.write() as session:
        await apply(session, replace(signal, delivery_id=delivery_id), now)
    return Response(status_code=204)


@router.post("/hooks/twilio/inbound")
async def inbound(request: Request) -> Response:
    """A text message from a person; STOP and its kin take effect at once."""
    context, now = front_door(request).context, front_door(request).context.clock.now()
    signal = read_inbound(await _signed_form(request), now)
    async with context.database.write() as session:
        await apply(session, signal, now)
    return Response(NO_ANSWER, media_type="text/xml")


async def _signed_form(request: Request) -> dict[str, str]:
    """The call's fields; 404 where Twilio is not set up, 403 for a wrong signature."""
    door, client = front_door(request), client_address(request)
    if not door.context.twilio_auth_token:
        raise NotFoundError("No text message provider is set up here.")
    fields = await request.form(max_files=0, max_fields=200)
    form = {name: value for name, value in fields.items() if isinstance(value, str)}
    # Signed is the address Twilio was given, which a proxy may have rewritten on the way here.
    query = f"?{request.url.query}" if request.url.query else ""
    url = f"{door.context.public_url}{request.url.path}{query}"
    signature = request.headers.get("x-twilio-signature", "")
    if not verify_signature(url, form, signature, door.context.twilio_auth_token):
        # Never before it is known: a right signature passes, whoever else forges from there.
        if wait := door.forgeries.wait(client):
            raise TooManyError(wait)
        door.forgeries.count(client)
        raise ForbiddenError
    return form
