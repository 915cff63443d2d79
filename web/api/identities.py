"""Identities, to read: who messages may come from, and whether they may at present."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from models.api import Scope
from models.errors import NotFoundError
from models.health import HealthLevel
from models.identity import Identity, TerritoryKind
from models.states import Channel, IdentityState
from scheduler.senders import can_send
from store import identities
from web.api.auth import Caller, may
from web.api.ids import Ids, Kind
from web.api.paging import Cursor, Fields, Limit, PageOut, Paging, Pickable
from web.api.schemas import Line, Told, problems

router = APIRouter(tags=["identities"])
Reads = Annotated[Caller, may(Scope.IDENTITIES_READ)]


class TerritoryOut(Told):
    """For whom it speaks: everybody, or whoever lives there."""

    kind: TerritoryKind
    value: str


class IdentityOut(Pickable):
    """Who writes. `sends`: the channels in which its messages leave at present; `health`: of its DNS."""

    key: str
    name: str
    organisation: str
    from_email: str | None
    reply_to: str | None
    sms_sender: str | None
    territory: TerritoryOut
    state: IdentityState
    sends: list[Channel]
    health: HealthLevel


@router.get("/identities", response_model=PageOut[IdentityOut], responses=problems("invalid"))
async def list_identities(
    caller: Reads, *, limit: Limit = 50, cursor: Cursor = None, fields: Fields = None
) -> Response:
    """The identities that this key may write as, in the order they were made."""
    paging = Paging(caller, limit, cursor)
    after = 0 if paging.after is None else int(paging.after[0])
    async with caller.context.database.read() as session:
        # There are few: an organisation has as many as it has branches.
        all_of_them = await identities.list_identities(session)
    own = [one for one in all_of_them if one.id > after and _is_allowed(caller, one.id)]
    return paging.answer(
        own[: paging.wanted],
        lambda one: (one.id,),
        IdentityOut,
        lambda one: _told(caller.ids, one),
        fields,
    )


@router.get("/identities/{identity_id}", responses=problems("not_found"))
async def look(
    caller: Reads,
    identity_id: Annotated[
        Line, Path(max_length=60, description="Its id or its key.", examples=["national"])
    ],
) -> IdentityOut:
    """One identity."""
    async with caller.context.database.read() as session:
        found: Identity | None
        if identity_id.startswith(f"{Kind.IDENTITY}_"):
            found = await identities.get_identity(session, caller.ids.read(Kind.IDENTITY, identity_id))
        else:
            found = await identities.find_identity(session, identity_id)
    if found is None or not _is_allowed(caller, found.id):
        raise NotFoundError("There is no such identity for this key.")
    return _told(caller.ids, found)


def _is_allowed(caller: Caller, number: int) -> bool:
    return not caller.key.identity_ids or number in caller.key.identity_ids


def _told(ids: Ids, identity: Identity) -> IdentityOut:
    return IdentityOut(
        id=ids.write(Kind.IDENTITY, identity.id),
        key=identity.key,
        name=identity.name,
        organisation=identity.organisation,
        from_email=identity.from_email,
        reply_to=identity.reply_to,
        sms_sender=identity.sms_sender,
        territory=TerritoryOut(kind=identity.territory, value=identity.territory_value),
        state=identity.state,
        sends=[channel for channel in Channel if can_send(identity, channel)],
        health=identity.health,
    )
