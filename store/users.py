"""The people who may sign in, and their sessions.

Only fingerprints of session tokens are kept: reading this table opens no door.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.access import Role, User, WebSession
from models.errors import ConflictError, NotFoundError


async def any_user(session: AsyncSession) -> bool:
    """Whether anybody may sign in yet (primary key)."""
    return (await session.exec(select(User.id).limit(1))).first() is not None


async def add_user(
    session: AsyncSession,
    *,
    email: str,
    name: str,
    password_hash: str,
    role: Role,
    language: str,
    now: datetime,
) -> User:
    """A new account; ConflictError when the address has one already (unique index on `email`)."""
    if await find_user(session, email) is not None:
        raise ConflictError("This e-mail address already has an account.", "Choose another address.")
    user = User(
        email=email, name=name, password_hash=password_hash, role=role, language=language, created_at=now
    )
    session.add(user)
    await session.flush()
    return user


async def find_user(session: AsyncSession, email: str) -> User | None:
    """The account of a normalised address (unique index on `email`)."""
    return (await session.exec(select(User).where(col(User.email) == email))).first()


async def get_user(session: AsyncSession, user_id: int) -> User:
    """The account of that number (primary key); NotFoundError."""
    user = await session.get(User, user_id)
    if user is None:
        raise NotFoundError("There is no such account.")
    return user


async def list_users(session: AsyncSession) -> list[User]:
    """Every account, by address (unique index on `email`)."""
    return list((await session.exec(select(User).order_by(col(User.email)))).all())


async def set_password(
    session: AsyncSession, user_id: int, password_hash: str, *, keep: str | None = None
) -> None:
    """A new password ends every session of that person but the one whose token hash is `keep`."""
    await session.exec(sa.update(User).where(col(User.id) == user_id).values(password_hash=password_hash))
    await session.exec(
        sa.delete(WebSession).where(
            col(WebSession.user_id) == user_id, col(WebSession.token_hash) != (keep or "")
        )
    )


async def set_language(session: AsyncSession, user_id: int, language: str) -> None:
    """The language a person reads the pages in (primary key)."""
    await session.exec(sa.update(User).where(col(User.id) == user_id).values(language=language))


async def set_role(session: AsyncSession, user_id: int, role: Role) -> None:
    """What a person may do from the next page on; ConflictError for the last administrator."""
    user = await get_user(session, user_id)
    if role is not Role.ADMIN:
        await _keep_an_administrator(session, user)
    user.role = role
    session.add(user)
    await session.flush()


async def remove_user(session: AsyncSession, user_id: int) -> None:
    """Close an account and end its sessions; ConflictError for the last administrator."""
    user = await get_user(session, user_id)
    await _keep_an_administrator(session, user)
    await session.exec(sa.delete(WebSession).where(col(WebSession.user_id) == user_id))
    await session.exec(sa.delete(User).where(col(User.id) == user_id))


async def open_session(
    session: AsyncSession,
    *,
    token_hash: str,
    user_id: int,
    csrf_token: str,
    now: datetime,
    lifetime: timedelta,
) -> None:
    """A sign-in; sessions that ran out are swept away at the same time (small table, read whole)."""
    await session.exec(sa.delete(WebSession).where(col(WebSession.expires_at) <= now))
    session.add(
        WebSession(
            token_hash=token_hash,
            user_id=user_id,
            csrf_token=csrf_token,
            created_at=now,
            expires_at=now + lifetime,
        )
    )
    await session.flush()


async def find_session(
    session: AsyncSession, token_hash: str, now: datetime
) -> tuple[WebSession, User] | None:
    """A sign-in that still holds, and whose it is (primary keys)."""
    question = (
        select(WebSession, User)
        .join(User, col(User.id) == col(WebSession.user_id))
        .where(col(WebSession.token_hash) == token_hash, col(WebSession.expires_at) > now)
    )
    found = (await session.exec(question)).first()
    return None if found is None else (found[0], found[1])


async def close_session(session: AsyncSession, token_hash: str) -> None:
    """Sign out; nothing happens when the session is gone already (primary key)."""
    await session.exec(sa.delete(WebSession).where(col(WebSession.token_hash) == token_hash))


async def _keep_an_administrator(session: AsyncSession, leaving: User) -> None:
    if leaving.role is not Role.ADMIN:
        return
    # Locked, so that two administrators who demote each other cannot both succeed.
    question = select(User.id).where(col(User.role) == Role.ADMIN).with_for_update()
    if len((await session.exec(question)).all()) <= 1:
        raise ConflictError("This is the last administrator.", "Make somebody else an administrator first.")
