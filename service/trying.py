"""A test message to oneself from the command line, and what came of it in one line."""

from typing import assert_never

from models.errors import ConflictError
from models.values import Accepted, Deferred, Refused, Uncertain
from service.desk import Desk
from service.wishes import wanted_campaign


async def try_out(desk: Desk, which: str, to: str) -> str:
    """Send a campaign's message to `to`; one line saying who took it. ConflictError when nobody did."""
    from scheduler.trial import send_trial
    from service.transports import make_transports

    async with desk.database.read() as session:
        campaign = await wanted_campaign(session, which)
    transports = make_transports(desk.settings)
    try:
        outcome = await send_trial(
            desk.database,
            desk.clock,
            transports=transports,
            keyring=desk.keyring,
            campaign_id=campaign.id,
            to=to,
            public_url=desk.settings.public_url,
            insist=True,
            language=desk.settings.language,
        )
    finally:
        for transport in transports.values():
            await transport.close()
    said = " ".join(
        str(part) for part in (outcome.reply.code, outcome.reply.enhanced, outcome.reply.text) if part
    )
    match outcome:
        case Accepted():
            return f"{campaign.name}: the test message to {to} was accepted: {said}"
        case Deferred(unreached=True):
            raise ConflictError(f"The test message was not sent. {said}", "`tocsin doctor` looks at it.")
        case Deferred():
            raise ConflictError(f"The test message was put off: {said}", "Try again later.")
        case Refused():
            raise ConflictError(f"The test message was refused: {said}")
        case Uncertain():
            raise ConflictError(f"Whether the test message arrived is not known: {said}", "Look for it.")
        case _:
            assert_never(outcome)
