"""Who may come in: sessions, roles, and forms that only our own pages can send.

A sign-in is a random token in a cookie and its SHA-256 in the database; a form carries a second
token that belongs to the sign-in. Before the sign-in, the form's token is derived from a random
cookie of its own, so that nobody can sign somebody else in unawares.
"""

import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends
from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from models.access import Role, User
from store import users
from web.context import WebContext
from web.door import FrontDoor, front_door
from web.forms import Form, is_beyond_numbers
from web.i18n import Tongue, choose_language

SESSION_LIFETIME = timedelta(days=7)
VISITOR_LIFETIME = timedelta(days=1)
LANGUAGE_LIFETIME = timedelta(days=365)
LANGUAGE_COOKIE = "tocsin_language"
CSRF_FIELD = "csrf"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
RANK = {Role.READER: 1, Role.EDITOR: 2, Role.ADMIN: 3}


class SetupNeededError(Exception):
    """Nobody may sign in yet: the first administrator has to be made."""


class SignInNeededError(Exception):
    """This page is for people who signed in."""


class ForbiddenError(Exception):
    """This person's role does not reach this page."""


class FormRefusedError(Exception):
    """The form was not sent by a page of ours, or by one that has gone stale."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request by one person: who, in which language, with which form.

    `csrf` is the token this visit's forms carry. `visitor` is set when the browser has yet to be given
    the cookie from which the token of a form before the sign-in is derived.
    """

    request: Request
    context: WebContext
    tongue: Tongue
    csrf: str
    user: User | None = None
    session_hash: str | None = None
    visitor: str | None = None
    form: Form = field(default_factory=lambda: Form(ImmutableMultiDict()))

    @property
    def query(self) -> Form:
        """The fields of the address."""
        return Form(self.request.query_params)

    def may(self, role: Role) -> bool:
        """Whether this person's role reaches `role`."""
        return self.user is not None and RANK[self.user.role] >= RANK[role]


def cookie_name(context: WebContext, name: str) -> str:
    """Over HTTPS, `__Host-` keeps neighbours on the same domain from setting the cookie (RFC 6265bis)."""
    return f"__Host-{name}" if context.secure else name


def set_cookie(response: Response, context: WebContext, name: str, value: str, lifetime: timedelta) -> None:
    """A cookie that scripts cannot read and other sites' forms do not bring along."""
    response.set_cookie(
        cookie_name(context, name),
        value,
        max_age=int(lifetime.total_seconds()),
        path="/",
        secure=context.secure,
        httponly=True,
        samesite="lax",
    )


def token_hash(token: str) -> str:
    """What the database keeps of a session's token: 64 hexadecimal digits."""
    return hashlib.sha256(token.encode()).hexdigest()


async def open_session(response: Response, context: WebContext, user: User) -> None:
    """Sign `user` in: a new token in `response`'s cookie, its fingerprint in the database."""
    token = secrets.token_urlsafe(32)
    async with context.database.write() as session:
        await users.open_session(
            session,
            token_hash=token_hash(token),
            user_id=user.id,
            csrf_token=secrets.token_urlsafe(24),
            now=context.clock.now(),
            lifetime=SESSION_LIFETIME,
        )
    set_cookie(response, context, "tocsin_session", token, SESSION_LIFETIME)


def tongue_of(request: Request, context: WebContext, user: User | None = None) -> Tongue:
    """The reader's language: of the account, else of the cookie, else of the browser, else of the setting."""
    wishes = [user.language if user else None, request.cookies.get(cookie_name(context, LANGUAGE_COOKIE))]
    accepted = request.headers.get("accept-language", "")
    return Tongue(choose_language(wishes, accepted, context.language), ZoneInfo(context.zone))


async def meet(request: Request) -> Visit:
    """Who is asking; the first thing every page does. Changes nothing."""
    context = front_door(request).context
    if any(is_beyond_numbers(str(value)) for value in request.path_params.values()):
        raise HTTPException(404)
    token = request.cookies.get(cookie_name(context, "tocsin_session"), "")
    if token:
        async with context.database.read() as session:
            found = await users.find_session(session, token_hash(token), context.clock.now())
        if found is not None:
            opened, user = found
            tongue = tongue_of(request, context, user)
            return Visit(request, context, tongue, opened.csrf_token, user, opened.token_hash)
    visitor = request.cookies.get(cookie_name(context, "tocsin_visitor"), "")
    fresh = visitor or secrets.token_urlsafe(24)
    csrf = hmac.new(context.keyring.key("web form"), fresh.encode(), hashlib.sha256).hexdigest()
    return Visit(request, context, tongue_of(request, context), csrf, visitor=None if visitor else fresh)


async def _with_form(visit: Visit) -> Visit:
    """The visit with its form read; FormRefusedError unless the form carries the visit's own token."""
    if visit.request.method in SAFE_METHODS:
        return visit
    # The browser's own word on who sends the form, where it gives one.
    if visit.request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise FormRefusedError
    form = Form(await visit.request.form(max_files=1, max_fields=500))
    if visit.visitor is not None or not hmac.compare_digest(
        form.raw(CSRF_FIELD).encode(), visit.csrf.encode()
    ):
        raise FormRefusedError
    return replace(visit, form=form)


async def _anyone(request: Request) -> AsyncIterator[Visit]:
    try:
        yield await _with_form(await meet(request))
    finally:
        # Lets go of uploaded files.
        await request.close()


def _at_least(role: Role) -> Callable[[Request], AsyncIterator[Visit]]:
    async def person(request: Request) -> AsyncIterator[Visit]:
        visit = await meet(request)
        if visit.user is None:
            await require_users(front_door(request))
            raise SignInNeededError
        if not visit.may(role):
            raise ForbiddenError
        try:
            yield await _with_form(visit)
        finally:
            await request.close()

    return person


async def require_users(door: FrontDoor) -> None:
    """SetupNeededError while there is no account at all."""
    if door.has_users:
        return
    async with door.context.database.read() as session:
        door.has_users = await users.any_user(session)
    if not door.has_users:
        raise SetupNeededError


Anyone = Annotated[Visit, Depends(_anyone)]
"""A page or form anybody may use."""
Reader = Annotated[Visit, Depends(_at_least(Role.READER))]
"""Anybody who signed in."""
Editor = Annotated[Visit, Depends(_at_least(Role.EDITOR))]
"""People who make campaigns."""
Admin = Annotated[Visit, Depends(_at_least(Role.ADMIN))]
"""People who manage accounts and identities."""
