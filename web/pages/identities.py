"""Sender identities: who people see, whether providers believe it, and what to do when they do not."""

from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from audience.territory import DEPARTEMENTS, REGIONS
from deliverability.dns_records import records_to_publish
from deliverability.health import FindingLevel
from models.health import ProofKind
from models.identity import Identity, TerritoryKind
from models.states import Channel, IdentityState, identity_may_become
from scheduler.dossier import Dossier, dossier_of
from scheduler.lifecycle import may_send
from scheduler.lookout import is_watched, look_at
from scheduler.ownership import has_expired
from scheduler.signing_keys import RotationStep
from store import identities
from web.access import Editor, Reader, Visit
from web.health_words import LEVELS, PARTS, advised, said
from web.identity_words import PROOFS, STEPS, say_look, say_reason, text_for_host
from web.incident_view import open_incidents
from web.view import go, page
from web.words import IDENTITY_TONES, word_for

router = APIRouter()
PLACES = {TerritoryKind.DEPARTEMENT: DEPARTEMENTS, TerritoryKind.REGION: REGIONS}
TO_MEND = (FindingLevel.PROBLEM, FindingLevel.WARNING, FindingLevel.UNKNOWN)
SHOWN_LOOKS = 20


@router.get("/identities")
async def list_page(visit: Reader) -> Response:
    """Every identity: its state, its health."""
    async with visit.context.database.read() as session:
        found = await identities.list_identities(session)
    return page(
        visit, "identities.html", identities=found, place=place, tones_of=IDENTITY_TONES, levels=LEVELS
    )


@router.get("/identities/{identity_id}")
async def one_page(visit: Reader, identity_id: int) -> Response:
    """One identity: what stands in its way, its proofs, its keys, its history."""
    async with visit.context.database.read() as session:
        identity = await identities.get_identity(session, identity_id)
        found = await dossier_of(session, identity, visit.context.clock.now())
        alarms = await open_incidents(session, visit.tongue, identity_id=identity_id)
    return page(visit, "identity.html", alarms=alarms, **_shown(visit, found))


@router.post("/identities/{identity_id}/check")
async def check(visit: Editor, identity_id: int) -> Response:
    """Look now, and do what follows from it, as the daily look does."""
    context = visit.context
    await look_at(context.database, context.clock, context.lookout, identity_id, fresh=True)
    await context.wake()
    return go(f"/identities/{identity_id}", "identity-looked-at")


def place(identity: Identity) -> str:
    """What an identity speaks for, by name where numbers are usual."""
    value = identity.territory_value
    name = PLACES[identity.territory].get(value) if identity.territory in PLACES else None
    return f"{name} ({value})" if name else value


def _shown(visit: Visit, found: Dossier) -> dict[str, object]:
    identity, tongue = found.identity, visit.tongue
    wanted = found.to_publish(visit.context.lookout.required)
    letter = text_for_host(wanted, found.domain, tongue) if wanted else ""
    return {
        "identity": identity,
        "place": place,
        "found": found,
        "records": records_to_publish(
            identity, found.signing, relay_spf=visit.context.lookout.setup.relay_spf
        ),
        "state_tone": IDENTITY_TONES[identity.state],
        "reason": say_reason(identity.state_reason, identity.state_by, tongue, found.looks),
        "why": lambda step: say_reason(step.reason, step.by, tongue, found.looks),
        "levels": LEVELS,
        "parts": PARTS,
        "said": lambda finding: said(finding, tongue),
        "advised": lambda finding: advised(finding, tongue),
        "to_mend": [each for level in TO_MEND for each in found.found(level)],
        "good_to_have": found.found(FindingLevel.ADVICE),
        "fine": found.found(FindingLevel.FINE),
        "proofs": _proofs(visit, found) if identity.from_email else [],
        "letter": letter,
        "mail_to": f"mailto:?subject={quote(f'DNS {found.domain}')}&body={quote(letter)}" if letter else "",
        "step": None if found.step is None else STEPS[found.step],
        "may_cancel": found.step in {RotationStep.PUBLISH, RotationStep.WAIT},
        "may_switch": found.step is RotationStep.WAIT,
        "told_look": lambda look: say_look(look, tongue),
        "state_word": lambda word: tongue.say(word_for(IdentityState(word))),
        "looks": found.looks[:SHOWN_LOOKS],
        "watched": is_watched(identity) and visit.context.lookout.resolver is not None,
        "sends": may_send(identity, Channel.EMAIL if identity.from_email else Channel.SMS),
        "may": {
            "suspend": identity_may_become(identity.state, IdentityState.SUSPENDED)
            or (identity.state is IdentityState.SUSPENDED and not identity.state_by),
            "resume": identity.state is IdentityState.SUSPENDED,
            "retire": identity_may_become(identity.state, IdentityState.RETIRED),
        },
    }


def _proofs(visit: Visit, found: Dossier) -> list[dict[str, object]]:
    """Each proof: whether it is asked for, how far it is, since when."""
    told: list[dict[str, object]] = []
    for kind in ProofKind:
        proof = found.proofs.get(kind)
        told.append(
            {
                "kind": kind.value,
                "title": PROOFS[kind],
                "asked": kind in visit.context.lookout.required,
                "shown": found.is_shown(kind),
                "proof": proof,
                "expired": proof is not None and has_expired(proof, found.now),
                "record": found.proof_record if kind is ProofKind.DNS else None,
            }
        )
    return told
