"""One's own account, and the accounts of the organisation's people."""

from fastapi import APIRouter
from starlette.responses import Response

from models.access import Role
from models.errors import BadInputError, ConflictError, TocsinError
from store import users
from web.access import Admin, Reader, Visit
from web.door import front_door
from web.i18n import N_
from web.pages.sign_in import TOO_OFTEN, read_address
from web.passwords import check_password, make_hash
from web.view import go, page

router = APIRouter()

WRONG_PASSWORD = N_("Your present password is wrong.")
NOT_ONESELF = N_("One does not close one’s own account.")


@router.get("/account")
async def account_page(visit: Reader) -> Response:
    """One's own account."""
    return page(visit, "account.html", problem="")


@router.post("/account/password")
async def change_password(visit: Reader) -> Response:
    """A new password; every other session of the account ends."""
    door, user = front_door(visit.request), visit.user
    if user is None:
        raise ConflictError("Nobody is signed in.")
    if door.accounts.wait(user.email):
        return page(visit, "account.html", 429, problem=TOO_OFTEN)
    if not await check_password(visit.form.raw("present"), user.password_hash, door.hashing):
        door.accounts.count(user.email)
        return page(visit, "account.html", 403, problem=WRONG_PASSWORD)
    try:
        hashed = await make_hash(visit.form.raw("password"), door.hashing)
    except BadInputError as error:
        return page(visit, "account.html", 400, problem=error.problem)
    async with visit.context.database.write() as session:
        await users.set_password(session, user.id, hashed, keep=visit.session_hash)
    return go("/account", "password-changed")


@router.get("/accounts")
async def accounts_page(visit: Admin) -> Response:
    """Who may sign in, and as what."""
    return await _accounts(visit)


@router.post("/accounts")
async def add_account(visit: Admin) -> Response:
    """Open an account; its password is told to the person by other means."""
    try:
        email = read_address(visit.form.text("email"))
        hashed = await make_hash(visit.form.raw("password"), front_door(visit.request).hashing)
        async with visit.context.database.write() as session:
            await users.add_user(
                session,
                email=email,
                name=visit.form.text("name", 200),
                password_hash=hashed,
                role=visit.form.choice("role", Role, Role.READER),
                language=visit.tongue.language,
                now=visit.context.clock.now(),
            )
    except (BadInputError, ConflictError) as error:
        return await _accounts(visit, error)
    return go("/accounts", "account-added")


@router.post("/accounts/{user_id}/role")
async def change_role(visit: Admin, user_id: int) -> Response:
    """Give an account another role."""
    try:
        async with visit.context.database.write() as session:
            await users.set_role(session, user_id, visit.form.choice("role", Role, Role.READER))
    except ConflictError as error:
        return await _accounts(visit, error)
    return go("/accounts", "account-changed")


@router.post("/accounts/{user_id}/remove")
async def remove_account(visit: Admin, user_id: int) -> Response:
    """Close an account and end its sessions."""
    if visit.user is not None and visit.user.id == user_id:
        return await _accounts(visit, ConflictError(NOT_ONESELF))
    try:
        async with visit.context.database.write() as session:
            await users.remove_user(session, user_id)
    except ConflictError as error:
        return await _accounts(visit, error)
    return go("/accounts", "account-removed")


async def _accounts(visit: Visit, error: TocsinError | None = None) -> Response:
    async with visit.context.database.read() as session:
        everybody = await users.list_users(session)
    return page(
        visit,
        "accounts.html",
        400 if error else 200,
        people=everybody,
        roles=list(Role),
        problem=error.problem if error else "",
        advice=error.advice if error else "",
        email=visit.form.text("email", 254) if error else "",
        name=visit.form.text("name", 200) if error else "",
    )
