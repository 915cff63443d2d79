"""From the JSON of a campaign to what the scheduler takes: names become numbers, each part is checked."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from models.api import Scope
from models.errors import BadInputError
from models.states import IdentityRule, LegalBasis, Purpose
from scheduler.calendar import read_sending_windows
from scheduler.campaigns import NewCampaign
from store import identities, segments
from web.api.auth import Caller
from web.api.campaign_schemas import CampaignIn, CampaignParts
from web.api.ids import Kind
from web.api.problems import ApiProblemError, Fault
from web.api.wishes import version_named

_AS_GIVEN = (
    *("identity_rule", "basis", "with_seeds", "purpose", "urgent", "late_policy", "late_minutes"),
    *("nature", "sponsor", "vote", "spent", "name"),
)
_MAY_BE_NONE = frozenset({"not_after", "canary"})


async def read_new(caller: Caller, session: AsyncSession, body: CampaignIn) -> NewCampaign:
    """A campaign that is not there yet; ApiProblemError that names the part."""
    bare = NewCampaign(
        name=body.name,
        template_version_id=0,
        include=(),
        identity_ids=(),
        identity_rule=IdentityRule.ONE,
        basis=LegalBasis.CONSENT,
        zone=caller.context.zone,
        nature=caller.context.nature,
    )
    return await read_changes(caller, session, body, bare)


async def read_changes(
    caller: Caller, session: AsyncSession, body: CampaignParts, known: NewCampaign
) -> NewCampaign:
    """A campaign with those parts changed that are given; ApiProblemError that names the part."""
    parts: dict[str, Any] = {
        name: getattr(body, name) for name in _AS_GIVEN if getattr(body, name) is not None
    }
    if body.template is not None:
        parts["template_version_id"] = (await version_named(caller, session, body.template, "template"))[1].id
    if body.include is not None:
        parts["include"] = await _segments(caller, session, body.include, "include")
    if body.exclude is not None:
        parts["exclude"] = await _segments(caller, session, body.exclude, "exclude")
    if body.identities is not None:
        parts["identity_ids"] = await _identities(caller, session, body.identities)
    if body.windows is not None:
        try:
            parts["windows"] = read_sending_windows(body.windows)
        except BadInputError as error:
            raise ApiProblemError("invalid", str(error), [Fault("windows", "invalid", str(error))]) from error
    for name in _MAY_BE_NONE & body.model_fields_set:
        parts[name] = getattr(body, name)
    if parts.get("canary") is not None:
        parts["canary"] = parts["canary"].plan()
    if parts.get("purpose") is Purpose.TRANSACTIONAL and not may_override(caller):
        raise missing_override("Writing past the limits on frequency")
    return replace(known, **parts)


def may_override(caller: Caller) -> bool:
    """Whether the key may do what an administrator may."""
    return Scope.CAMPAIGNS_OVERRIDE in caller.key.scopes


def missing_override(what: str) -> ApiProblemError:
    """The problem of a key that may not."""
    return ApiProblemError("missing_scope", f"{what} needs the scope {Scope.CAMPAIGNS_OVERRIDE.value}.")


def require_identities(caller: Caller, numbers: Iterable[int]) -> None:
    """ApiProblemError when the key may not write as one of them."""
    allowed = caller.key.identity_ids
    if allowed and not set(numbers) <= set(allowed):
        problem = "This key may not write as one of its identities."
        raise ApiProblemError(
            "identity_not_allowed", problem, [Fault("identities", "identity_not_allowed", problem)]
        )


async def _segments(caller: Caller, session: AsyncSession, refs: Sequence[str], field: str) -> list[int]:
    found: list[int] = []
    for place, ref in enumerate(refs):
        if ref.startswith(f"{Kind.SEGMENT}_"):
            found.append(caller.ids.read(Kind.SEGMENT, ref))
            continue
        segment = await segments.find_segment(session, ref)
        if segment is None:
            raise _unknown(f"There is no segment “{ref}”.", f"{field}.{place}")
        found.append(segment.id)
    return found


async def _identities(caller: Caller, session: AsyncSession, refs: Sequence[str]) -> list[int]:
    found: list[int] = []
    for place, ref in enumerate(refs):
        if ref.startswith(f"{Kind.IDENTITY}_"):
            found.append(caller.ids.read(Kind.IDENTITY, ref))
            continue
        identity = await identities.find_identity(session, ref)
        if identity is None:
            raise _unknown(f"There is no identity “{ref}”.", f"identities.{place}")
        found.append(identity.id)
    require_identities(caller, found)
    return found


def _unknown(problem: str, field: str) -> ApiProblemError:
    return ApiProblemError("not_found", problem, [Fault(field, "not_found", problem)])
