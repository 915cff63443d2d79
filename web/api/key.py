"""The key of the call itself: what it may, for whoever wants to know whether it is the right one."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from models.api import KeyMode, Scope
from web.api.auth import AnyKey
from web.api.ids import Kind
from web.api.schemas import Told, problems

router = APIRouter(tags=["key"])


class KeyOut(Told):
    """A key and what it may. `identities`: ids of those it may write as; empty: any."""

    id: str = Field(examples=["key_aeaaaaaaaaaaaaaaaaaaaaaa"])
    name: str = Field(examples=["CRM"])
    mode: KeyMode
    scopes: list[Scope]
    identities: list[str]
    networks: list[str] = Field(examples=[["203.0.113.0/24"]])
    per_minute: int = Field(examples=[20000])
    expires_at: datetime | None


@router.get("/key", responses=problems())
async def look(caller: AnyKey) -> KeyOut:
    """The key this call was made with."""
    key = caller.key
    return KeyOut(
        id=caller.ids.write(Kind.KEY, key.id),
        name=key.name,
        mode=key.mode,
        scopes=[Scope(scope) for scope in key.scopes],
        identities=[caller.ids.write(Kind.IDENTITY, number) for number in key.identity_ids],
        networks=key.networks,
        per_minute=key.per_minute or caller.context.api_per_minute,
        expires_at=key.expires_at,
    )
