"""API keys: made for programs, shown once, exchanged for others, revoked."""

import asyncio
import json
import shlex
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from models.api import ApiKey, KeyMode, Scope
from models.api_grants import GRANTS, read_networks, read_scopes
from models.api_secret import PREFIX
from models.errors import BadInputError, ConflictError, TemplateError, TocsinError
from models.identity import Identity
from models.magic import DOMAIN, Magic
from models.states import Channel
from models.template import TemplateVersion
from scheduler.asked import SAID
from scheduler.content import compile_version
from store import api_keys, identities, templates
from web.access import Admin, Visit
from web.i18n import N_
from web.key_words import CHOSEN, GROUPS, MODES, SETS, name_of_set
from web.view import go, page

router = APIRouter()

OVERLAPS = (
    (0, N_("none: the old key ends now")),
    (1, N_("one hour")),
    (24, N_("one day")),
    (168, N_("a week")),
)
"""Hours both keys open, and how that is called."""
USUAL_OVERLAP = 24
NO_NAME = N_("Give the key a name: it says which program has it.")
WRONG_END = N_("A key ends on a day to come.")
WRONG_LIMIT = N_("A limit is a number of calls a minute, from 1.")
IDENTITY_GONE = N_("An identity you chose is not there any more: choose again.")
MOST_PER_MINUTE = 1_000_000


@dataclass(frozen=True, slots=True)
class _Line:
    """`may`: what the key may do, in two words, or empty. `ended`: it opens nothing any more."""

    key: ApiKey
    may: str
    senders: list[str]
    ended: bool

    @property
    def shown(self) -> str:
        return f"{PREFIX[self.key.mode]}…{self.key.hint}"


@router.get("/api-keys")
async def keys_page(visit: Admin) -> Response:
    """The keys there are, and the form for another."""
    return await _page(visit)


@router.post("/api-keys")
async def make(visit: Admin) -> Response:
    """A new key; its secret is on the page that answers and nowhere else."""
    form, context = visit.form, visit.context
    try:
        name, limit, end = _name(visit), _limit(visit), _end(visit)
        wanted = form.text("grant")
        words = form.texts("scope") if wanted == CHOSEN else [wanted] if wanted in GRANTS else []
        scopes, networks = read_scopes(words), read_networks(form.text("networks", 2000))
        async with context.database.write() as session:
            bound_to = await _identities(visit, session)
            key, secret = await api_keys.add_key(
                session,
                name=name,
                mode=form.choice("mode", KeyMode, KeyMode.TEST),
                scopes=scopes,
                by=_who(visit),
                now=context.clock.now(),
                identity_ids=bound_to,
                networks=networks,
                per_minute=limit,
                expires_at=end,
            )
    except BadInputError as error:
        return await _page(visit, error)
    return await _show(visit, key, secret)


@router.get("/api-keys/{key_id}/rotate")
async def rotate_page(visit: Admin, key_id: int) -> Response:
    """Before a key is exchanged for another."""
    return await _ask(visit, key_id, "api_key_rotate.html", overlaps=OVERLAPS, usual=USUAL_OVERLAP)


@router.post("/api-keys/{key_id}/rotate")
async def rotate(visit: Admin, key_id: int) -> Response:
    """A successor; both open for a while."""
    hours = visit.form.number("overlap")
    overlap = hours if hours in {choice for choice, _ in OVERLAPS} else USUAL_OVERLAP
    try:
        async with visit.context.database.write() as session:
            key, secret = await api_keys.rotate_key(
                *(session, key_id),
                by=_who(visit),
                now=visit.context.clock.now(),
                overlap=timedelta(hours=overlap or 0),
            )
    except ConflictError as error:
        return await _page(visit, error)
    return await _show(visit, key, secret)


@router.get("/api-keys/{key_id}/revoke")
async def revoke_page(visit: Admin, key_id: int) -> Response:
    """Before a key is revoked."""
    return await _ask(visit, key_id, "api_key_revoke.html")


@router.post("/api-keys/{key_id}/revoke")
async def revoke(visit: Admin, key_id: int) -> Response:
    """The key opens nothing any more."""
    async with visit.context.database.write() as session:
        await api_keys.revoke_key(session, key_id, by=_who(visit), now=visit.context.clock.now())
    return go("/api-keys", "key-revoked")


def _who(visit: Visit) -> str:
    return (visit.user.name or visit.user.email) if visit.user is not None else ""


def _name(visit: Visit) -> str:
    name = visit.form.text("name", 100)
    if not name:
        raise BadInputError(NO_NAME)
    return name


async def _identities(visit: Visit, session: AsyncSession) -> list[int]:
    """Those the key is bound to, none: any. One that is gone must not leave a key that is bound to nobody."""
    asked = visit.form.texts("identity")
    found = [one.id for one in await identities.with_ids(session, visit.form.numbers("identity"))]
    if len(found) != len(set(asked)):
        raise BadInputError(IDENTITY_GONE)
    return found


def _limit(visit: Visit) -> int | None:
    if not visit.form.text("per_minute"):
        return None
    number = visit.form.number("per_minute")
    if number is None or not 1 <= number <= MOST_PER_MINUTE:
        raise BadInputError(WRONG_LIMIT)
    return number


def _end(visit: Visit) -> datetime | None:
    """The end of the day that was chosen, on the clock of the house."""
    text = visit.form.text("ends_on")
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise BadInputError(WRONG_END) from error
    end = datetime.combine(day, time(), ZoneInfo(visit.context.zone)).astimezone(UTC)
    if end <= visit.context.clock.now():
        raise BadInputError(WRONG_END)
    return end


async def _page(visit: Visit, error: TocsinError | None = None) -> Response:
    now = visit.context.clock.now()
    async with visit.context.database.read() as session:
        keys = await api_keys.list_keys(session)
        known = await identities.list_identities(session)
    lines = [_line(key, known, now) for key in keys]
    return page(
        visit,
        "api_keys.html",
        400 if error else 200,
        lines=[line for line in lines if not line.ended],
        gone=[line for line in lines if line.ended],
        identities=known,
        groups=GROUPS,
        sets=SETS,
        modes=MODES,
        form=visit.form,
        today=visit.context.clock.now().astimezone(ZoneInfo(visit.context.zone)).date(),
        usual=visit.context.api_per_minute,
        switched_on=visit.context.api,
        problem=error.problem if error else "",
        advice=error.advice if error else "",
    )


def _line(key: ApiKey, known: list[Identity], now: datetime) -> _Line:
    names = {identity.id: identity.name for identity in known}
    senders = [names[number] for number in key.identity_ids if number in names]
    return _Line(key, name_of_set(key.scopes), senders, api_keys.has_ended(key, now))


async def _ask(visit: Visit, key_id: int, name: str, **values: object) -> Response:
    async with visit.context.database.read() as session:
        key = await api_keys.get_key(session, key_id)
    line = _line(key, [], visit.context.clock.now())
    return page(visit, name, line=line, key=key, modes=MODES, **values)


async def _show(visit: Visit, key: ApiKey, secret: str) -> Response:
    """The one page with the secret."""
    async with visit.context.database.read() as session:
        known = await templates.list_templates(session)
    letters = [(one.name, version) for one, version in known if one.channel is Channel.EMAIL]
    base = f"{visit.context.public_url}/v1"
    sends = Scope.MESSAGES_SEND in key.scopes and letters
    return page(
        visit,
        "api_key_secret.html",
        key=key,
        secret_text=secret,
        modes=MODES,
        look=_curl(f"{base}/key", secret),
        send=_curl(f"{base}/messages", secret, await _message(visit, *letters[0])) if sends else "",
        public_url=visit.context.public_url,
    )


async def _message(visit: Visit, template: str, version: TemplateVersion) -> dict[str, object]:
    """To an address that is nobody's: it can be sent as it is, with a live key as well."""
    to = {"email": f"{Magic.DELIVERED.value}@{DOMAIN}"}
    language = visit.context.language
    with suppress(TemplateError):
        compiled = await asyncio.to_thread(compile_version, version, Channel.EMAIL, language=language)
        needed = dict.fromkeys(compiled.missing(SAID), "…")
        return {"to": to, "template": {"id": template}, "variables": needed | {"first_name": "Camille"}}
    return {"to": to, "template": {"id": template}}


def _curl(address: str, secret: str, body: dict[str, object] | None = None) -> str:
    parts = [f"curl {shlex.quote(address)}", f"-H {shlex.quote(f'Authorization: Bearer {secret}')}"]
    if body is not None:
        parts += [
            "-H 'Content-Type: application/json'",
            '-H "Idempotency-Key: $(uuidgen)"',
            f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}",
        ]
    return " \\\n  ".join(parts)
