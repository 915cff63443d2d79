"""Coming in and going out: the first administrator, the sign-in, the language of the pages."""

import hmac
import re
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from models.access import Role
from models.errors import BadInputError
from store import users
from web.access import (
    LANGUAGE_COOKIE,
    LANGUAGE_LIFETIME,
    Anyone,
    SetupNeededError,
    Visit,
    cookie_name,
    open_session,
    require_users,
    set_cookie,
)
from web.door import client_address, front_door
from web.i18n import LANGUAGES, N_
from web.passwords import check_password, make_hash
from web.view import go, page

router = APIRouter()

WRONG = N_("The address or the password is wrong.")
WRONG_CODE = N_("The setup code is wrong. The service printed it on its terminal when it started.")
TOO_OFTEN = N_("Too many attempts. Try again in a quarter of an hour.")
NO_ADDRESS = N_("An e-mail address is needed.")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_PATH = re.compile(r"/(?![/\\])[\w\-./]*", re.ASCII)


def read_address(text: str) -> str:
    """An account's address in its one form; BadInputError when it is none."""
    address = text.strip().lower()
    if len(address) > 254 or not _ADDRESS.fullmatch(address):
        raise BadInputError(NO_ADDRESS)
    return address


def own_path(path: str) -> str:
    """`path` when it is one of ours, else the first page: a link to sign in leads nowhere else."""
    return path if _PATH.fullmatch(path) else "/"


@router.get("/setup")
async def setup_page(visit: Anyone) -> Response:
    """Asks for the first administrator; once there is one, the way to the sign-in."""
    try:
        await require_users(front_door(visit.request))
    except SetupNeededError:
        return page(visit, "setup.html", problem="", email="", name="")
    return go("/sign-in")


@router.post("/setup")
async def set_up(visit: Anyone) -> Response:
    """Make the first administrator, with the code that only who started the service can know."""
    door = front_door(visit.request)
    client = client_address(visit.request)
    if door.addresses.wait(client) is not None:
        return _setup_again(visit, TOO_OFTEN, 429)
    given = visit.form.text("code").replace(" ", "").replace("-", "").lower()
    wanted = visit.context.setup_code.replace("-", "").lower()
    if not wanted or not hmac.compare_digest(given.encode(), wanted.encode()):
        door.addresses.count(client)
        return _setup_again(visit, WRONG_CODE, 403)
    try:
        email = read_address(visit.form.text("email"))
        hashed = await make_hash(visit.form.raw("password"), door.hashing)
    except BadInputError as error:
        return _setup_again(visit, error.problem, 400)
    async with door.setting_up:
        async with visit.context.database.write() as session:
            if await users.any_user(session):
                return go("/sign-in")
            user = await users.add_user(
                session,
                email=email,
                name=visit.form.text("name", 200),
                password_hash=hashed,
                role=Role.ADMIN,
                language=visit.tongue.language,
                now=visit.context.clock.now(),
            )
        response = go("/")
        await open_session(response, visit.context, user)
    return response


def _setup_again(visit: Visit, problem: str, status: int) -> Response:
    return page(
        visit,
        "setup.html",
        status,
        problem=problem,
        email=visit.form.text("email", 254),
        name=visit.form.text("name", 200),
    )


@router.get("/sign-in")
async def sign_in_page(visit: Anyone) -> Response:
    """Asks for address and password."""
    await require_users(front_door(visit.request))
    target = own_path(visit.query.text("next"))
    return go(target) if visit.user else page(visit, "sign_in.html", problem="", email="", target=target)


@router.post("/sign-in")
async def sign_in(visit: Anyone) -> Response:
    """Open a session. Failures are counted for the account and for the client's address."""
    door = front_door(visit.request)
    email, client = visit.form.text("email", 254).lower(), client_address(visit.request)
    target = own_path(visit.form.text("next"))
    if door.accounts.wait(email) or door.addresses.wait(client):
        return page(visit, "sign_in.html", 429, problem=TOO_OFTEN, email=email, target=target)
    # Counted before the slow comparison, so that many at once do not slip through.
    door.accounts.count(email)
    door.addresses.count(client)
    async with visit.context.database.read() as session:
        user = await users.find_user(session, email)
    fits = await check_password(
        visit.form.raw("password"), user.password_hash if user else None, door.hashing
    )
    if user is None or not fits:
        return page(visit, "sign_in.html", 403, problem=WRONG, email=email, target=target)
    door.accounts.forget(email)
    door.addresses.forget(client)
    response = go(target)
    await open_session(response, visit.context, user)
    return response


@router.post("/sign-out")
async def sign_out(visit: Anyone) -> Response:
    """Close the session, here and in the database."""
    if visit.session_hash is not None:
        async with visit.context.database.write() as session:
            await users.close_session(session, visit.session_hash)
    response = go("/sign-in", "signed-out")
    response.delete_cookie(
        cookie_name(visit.context, "tocsin_session"), path="/", secure=visit.context.secure
    )
    return response


@router.post("/language")
async def choose_language(visit: Anyone) -> Response:
    """Read the pages in another language, from now on."""
    language = visit.form.text("language")
    back = own_path(urlsplit(visit.request.headers.get("referer", "/")).path)
    response: RedirectResponse = go(back)
    if language in LANGUAGES:
        set_cookie(response, visit.context, LANGUAGE_COOKIE, language, LANGUAGE_LIFETIME)
        if visit.user is not None:
            async with visit.context.database.write() as session:
                await users.set_language(session, visit.user.id, language)
    return response
