"""The transparency notice of a political campaign: for anybody who got it, and whoever they show it to.

Its address is signed with the campaign's number, the same for everybody: it names no person, counts no
visit, and stays as long as the campaign is kept. What is no political advertising has none.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import quote, urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from models.errors import NotFoundError
from models.tokens import TokenPurpose
from scheduler.notice import notice_about
from store.register import RegisterSender
from web.access import tongue_of
from web.door import front_door
from web.i18n import LANGUAGES, N_, Tongue
from web.notice_words import consent_lines, criteria_lines, period_line, reach_line
from web.public.letters import NOWHERE, read_token
from web.view import public_page

router = APIRouter()
_MERGE_CODE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


@router.api_route("/notice/{token}", methods=["GET", "HEAD"])
async def notice_page(request: Request, token: str) -> Response:
    """Who paid, for which vote, how much, when, to whom, and where to complain."""
    context = front_door(request).context
    campaign_id = read_token(request, TokenPurpose.NOTICE, token)
    async with context.database.read() as session:
        notice = await notice_about(session, campaign_id, place_is_free=context.outlook.rhythm.place_is_free)
    if notice is None:
        raise NotFoundError(NOWHERE)
    tongue = _tongue(request)
    return public_page(
        request,
        "notice.html",
        tongue=tongue,
        notice=notice,
        row=notice.row,
        about=_about(notice.row.subject),
        senders=_named_once(notice.row.senders),
        period=period_line(tongue, notice),
        reach=reach_line(tongue, notice),
        consent=consent_lines(tongue, notice),
        kept=criteria_lines(tongue, notice.kept),
        left_out=criteria_lines(tongue, notice.left_out),
        by_sender=criteria_lines(tongue, notice.by_sender),
        by_message=criteria_lines(tongue, notice.by_message),
        complaints=[(one, _mail_to(one, tongue, request)) for one in notice.row.senders if one.address],
        others=[(code, name) for code, name in LANGUAGES.items() if code != tongue.language],
    )


def _named_once(senders: Iterable[RegisterSender]) -> list[tuple[str, str]]:
    """Each organisation with its address, though it sent from several identities."""
    return list(dict.fromkeys((one.organisation or one.name, one.postal_address) for one in senders))


def _tongue(request: Request) -> Tongue:
    """The language somebody asked for on the page itself, else the browser's."""
    tongue = tongue_of(request, front_door(request).context)
    asked = request.query_params.get("lang", "")
    return replace(tongue, language=asked) if asked in LANGUAGES else tongue


def _about(subject: str) -> str:
    """The subject without what stood in it of each person."""
    return " ".join(_MERGE_CODE.sub("…", subject).split())


def _mail_to(sender: RegisterSender, tongue: Tongue, request: Request) -> str:
    """A letter to the sender that names the notice: whoever reads it knows which message is meant."""
    body = f"{front_door(request).context.public_url}{request.url.path}"
    fields = {"subject": tongue.say(N_("About a political message")), "body": body}
    return f"mailto:{quote(sender.address, safe='@')}?{urlencode(fields, quote_via=quote)}"
