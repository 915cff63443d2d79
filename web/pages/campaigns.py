"""One campaign while it is sent, and what one may do to it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import JSONResponse, Response

from models.campaign import AudienceRole, Campaign
from models.errors import BadInputError, TocsinError
from models.identity import Identity
from models.states import FINAL, WAITING, CampaignState, DeliveryState, Nature, campaign_may_become
from models.values import Accepted
from scheduler import campaigns as conduct
from scheduler.calendar import windows_from_rows
from scheduler.letters import notice_address
from scheduler.portions import tell_used_up
from scheduler.trial import send_trial
from store import campaigns, contacts, deliveries, templates
from web.access import Editor, Reader, Visit
from web.borrowed import say_borrowed, say_error
from web.i18n import Tongue
from web.incident_view import open_incidents
from web.pages.campaign_canary import gate_of
from web.pages.campaign_checks import LOOKED_AT, blocked_now, gone_past
from web.pages.campaign_form import schedule_when_clear, segments_line, zones_for
from web.pages.campaign_nature import about_of
from web.pages.campaign_options import options_of, say_windows
from web.pages.campaign_people import FORESEEN
from web.pages.campaign_silence import silence_of
from web.pages.sketch import (
    Choice,
    Sketch,
    advert_line,
    audience_rows,
    describe,
    draw,
    draw_message,
    read_choice,
    sender_line,
)
from web.stream_names import title_of
from web.view import go, page
from web.words import COUNTED, MESSAGES

router = APIRouter()

S, C = DeliveryState, CampaignState
PARTS: tuple[tuple[str, frozenset[DeliveryState]], ...] = (
    ("p1", frozenset({S.ACCEPTED})),
    ("p2", frozenset({S.DEFERRED})),
    ("p3", frozenset({S.REFUSED})),
    ("p4", frozenset({S.UNCERTAIN})),
    ("p5", frozenset({S.SUPPRESSED, S.CAPPED, S.EXPIRED, S.CANCELLED})),
)
"""The parts of a bar, in drawing order; what is left blank is still waiting."""
NOT_SENT: tuple[tuple[DeliveryState, tuple[str, str]], ...] = (
    (S.EXPIRED, COUNTED["expired"]),
    (S.CANCELLED, COUNTED["cancelled"]),
    (S.SUPPRESSED, COUNTED["suppressed_since"]),
    (S.CAPPED, COUNTED["capped"]),
)
STATE_WORDS: tuple[tuple[frozenset[DeliveryState], tuple[str, str]], ...] = (
    (frozenset({S.ACCEPTED}), COUNTED["accepted"]),
    (frozenset({S.REFUSED}), COUNTED["refused"]),
    (frozenset({S.UNCERTAIN}), COUNTED["uncertain"]),
    *((frozenset({state}), forms) for state, forms in NOT_SENT),
    (frozenset({S.HELD}), COUNTED["held"]),
    (WAITING - {S.HELD}, COUNTED["waiting"]),
)
UNDER_WAY = frozenset({C.SCHEDULED, C.LAUNCHING, C.SENDING})
ENDED = frozenset({C.FINISHED, C.INCOMPLETE})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign is: deliveries by state, seeds not included."""

    counts: Mapping[DeliveryState, int]

    @property
    def total(self) -> int:
        """Everybody who gets, got or would have got a message."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """Those whose delivery is at its end, whatever the end."""
        return sum(count for state, count in self.counts.items() if state in FINAL)

    @property
    def waiting(self) -> int:
        """Those whose message has yet to leave."""
        return self.total - self.done

    @property
    def share_done(self) -> float:
        """From 0 to 1."""
        return self.done / self.total if self.total else 0.0

    @property
    def shares(self) -> list[tuple[str, float]]:
        """The parts of the bar, each from 0 to 1."""
        return [(name, self.of(states) / self.total if self.total else 0.0) for name, states in PARTS]

    def of(self, states: frozenset[DeliveryState]) -> int:
        """How many are in one of `states`."""
        return sum(self.counts.get(state, 0) for state in states)


@router.get("/campaigns/{campaign_id}")
async def one_page(visit: Reader, campaign_id: int) -> Response:
    """One campaign: where it stands, who it is for, what it says."""
    return await _show(visit, campaign_id)


@router.get("/campaigns/{campaign_id}/live")
async def live(visit: Reader, campaign_id: int) -> JSONResponse:
    """The figures of a campaign at this moment, for the script that follows it."""
    async with visit.context.database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        progress = Progress(await campaigns.progress(session, campaign_id))
        used_up = await _say_used_up(session, visit, campaign)
    tongue = visit.tongue
    values = {state.value: tongue.number(progress.counts.get(state, 0)) for state in DeliveryState}
    tenth = int(progress.share_done * 10) / 10
    return JSONResponse(
        {
            "state": campaign.state.value,
            "values": {
                **values,
                "total": tongue.number(progress.total),
                "waiting": tongue.number(progress.waiting),
                "not_sent": tongue.number(progress.of(PARTS[4][1])),
                "not_sent_parts": not_sent_parts(progress, tongue),
                "done": tongue.percent(progress.share_done, 0),
                "used_up": used_up,
            },
            "shares": progress.shares,
            "spoken": tongue.say("%(share)s done", share=tongue.percent(tenth, 0)),
        },
        headers={"Cache-Control": "no-store"},
    )


@router.post("/campaigns/{campaign_id}/schedule")
async def schedule(visit: Editor, campaign_id: int) -> Response:
    """Set when the campaign starts."""
    choice = read_choice(visit.form, visit.context.zone)
    try:
        await schedule_when_clear(visit, campaign_id, choice, gone_past(visit))
    except BadInputError as error:
        return await _show(visit, campaign_id, error)
    await visit.context.wake()
    return go(f"/campaigns/{campaign_id}", "campaign-scheduled")


@router.post("/campaigns/{campaign_id}/draft")
async def unschedule(visit: Editor, campaign_id: int) -> Response:
    """Take the schedule away."""
    async with visit.context.database.write() as session:
        await conduct.unschedule(session, campaign_id, visit.context.clock.now())
    return go(f"/campaigns/{campaign_id}", "campaign-draft")


@router.post("/campaigns/{campaign_id}/pause")
async def pause(visit: Editor, campaign_id: int) -> Response:
    """Let nothing more leave."""
    async with visit.context.database.write() as session:
        await conduct.pause(session, campaign_id, visit.context.clock.now())
    return go(f"/campaigns/{campaign_id}", "campaign-paused")


@router.post("/campaigns/{campaign_id}/resume")
async def resume(visit: Editor, campaign_id: int) -> Response:
    """Go on."""
    async with visit.context.database.write() as session:
        await conduct.resume(
            session, campaign_id, visit.context.clock.now(), by=visit.user.email if visit.user else ""
        )
    await visit.context.wake()
    return go(f"/campaigns/{campaign_id}", "campaign-resumed")


@router.post("/campaigns/{campaign_id}/release")
async def release(visit: Editor, campaign_id: int) -> Response:
    """Try what was held back once more."""
    async with visit.context.database.write() as session:
        await conduct.release(session, campaign_id, visit.context.clock.now())
    await visit.context.wake()
    return go(f"/campaigns/{campaign_id}", "campaign-released")


@router.post("/campaigns/{campaign_id}/test")
async def try_out(visit: Editor, campaign_id: int) -> Response:
    """Send the message to oneself; when it is not taken, the page says what the other side answered."""
    context = visit.context
    try:
        outcome = await send_trial(
            context.database,
            context.clock,
            transports=context.transports,
            keyring=context.keyring,
            campaign_id=campaign_id,
            to=visit.form.text("to"),
            public_url=context.public_url,
            language=context.language,
        )
    except BadInputError as error:
        return await _show(visit, campaign_id, error)
    if isinstance(outcome, Accepted):
        return go(f"/campaigns/{campaign_id}", "campaign-tried")
    said = f"{outcome.reply.code or ''} {outcome.reply.text}".strip()
    problem = visit.tongue.say("The test message was not accepted: %(answer)s", answer=said)
    return await _show(visit, campaign_id, BadInputError(problem))


@router.get("/campaigns/{campaign_id}/cancel")
async def cancel_page(visit: Editor, campaign_id: int) -> Response:
    """Asks once more, since it cannot be undone."""
    async with visit.context.database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        progress = Progress(await campaigns.progress(session, campaign_id))
        title = await title_of(session, campaign)
    return page(visit, "campaign_cancel.html", campaign=campaign, title=title, progress=progress)


@router.post("/campaigns/{campaign_id}/cancel")
async def cancel(visit: Editor, campaign_id: int) -> Response:
    """Stop for good."""
    async with visit.context.database.write() as session:
        draft = (await campaigns.get_campaign(session, campaign_id)).state is C.DRAFT
        await conduct.cancel(session, campaign_id, visit.context.clock.now())
    return go(f"/campaigns/{campaign_id}", "draft-discarded" if draft else "campaign-cancelled")


async def _show(visit: Visit, campaign_id: int, error: BadInputError | None = None) -> Response:
    async with visit.context.database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        progress = Progress(await campaigns.progress(session, campaign_id))
        version = await templates.get_version(session, campaign.template_version_id)
        template = await templates.template_of(session, version)
        title = await title_of(session, campaign)
        senders = await campaigns.identities_of(session, campaign_id)
        audience = await campaigns.segments_of(session, campaign_id)
        concerned = await contacts.get_contacts(session, campaign.problem_contacts)
        left_out = await campaigns.left_out(session, campaign_id)
        choice = await _choice_of(session, campaign)
        sketch = await _sketch(session, visit, campaign, choice, senders)
        used_up = await _say_used_up(session, visit, campaign)
        in_the_way = await blocked_now(session, campaign)
        gate = await gate_of(session, campaign, visit.tongue)
        silence = await silence_of(session, visit, campaign)
        alarms = await open_incidents(session, visit.tongue, campaign_id=campaign_id)
    return page(
        visit,
        "campaign.html",
        400 if error else 200,
        campaign=campaign,
        title=title,
        progress=progress,
        version=version,
        template=template,
        senders=[(one, sender_line(one, campaign.channel)) for one in senders],
        included=[segment for segment, role in audience if role is AudienceRole.INCLUDE],
        excluded=[segment for segment, role in audience if role is AudienceRole.EXCLUDE],
        concerned=[(one.id, describe(one, campaign.channel)) for one in concerned],
        left_out=left_out,
        used_up=used_up,
        gate=gate,
        silence=silence,
        alarms=alarms,
        trials=campaign.channel in visit.context.transports,
        **_sketched(visit, campaign, sketch),
        **figures_of(campaign, progress, visit.tongue),
        foreseen=campaign.state in FORESEEN and (campaign.state is not C.DRAFT or sketch.audience),
        hours=say_windows(windows_from_rows(campaign.windows), visit.tongue) if campaign.windows else "",
        may=allowed(campaign),
        live=campaign.state in UNDER_WAY,
        parts=PARTS,
        in_the_way=in_the_way,
        looked_at=campaign.state in LOOKED_AT,
        zones=zones_for(visit, campaign.zone),
        choice=read_choice(visit.form, campaign.zone),
        problem=error.problem if error else "",
    )


async def _choice_of(session: AsyncSession, campaign: Campaign) -> Choice:
    """What its form would hold."""
    parts = await conduct.parts_of(session, campaign)
    return Choice(
        name=parts.name,
        version=parts.template_version_id,
        include=parts.include,
        exclude=parts.exclude,
        identities=parts.identity_ids,
        rule=parts.identity_rule,
        basis=parts.basis,
        options=options_of(parts),
        about=about_of(parts),
        campaign=campaign.id,
    )


async def _say_used_up(session: AsyncSession, visit: Visit, campaign: Campaign) -> str:
    """Which days' and hours' shares are used up, and until when; empty where none is."""
    context = visit.context
    told = await tell_used_up(session, campaign, context.outlook.pace, context.clock.now(), context.zone)
    return " ".join(say_borrowed(visit.tongue, sentence) for sentence in told)


def _sketched(visit: Visit, campaign: Campaign, sketch: Sketch) -> dict[str, object]:
    """Whom it reaches, what they read, what the rules of political advertising say of it, and its notice."""
    context, political = visit.context, campaign.nature is Nature.POLITICAL
    return {
        "sketch": sketch,
        "rows": audience_rows(sketch.audience, visit.tongue) if sketch.audience else [],
        "segments_line": segments_line(visit, sketch),
        "advert": advert_line(sketch, visit.tongue),
        "told_to_all": notice_address(context.tokens, context.public_url, campaign.id) if political else "",
    }


async def _sketch(
    session: AsyncSession, visit: Visit, campaign: Campaign, choice: Choice, senders: list[Identity]
) -> Sketch:
    """Before the launch whom it would reach; then the message alone, as somebody it went to reads it."""
    if campaign.launched_at is None:
        return await draw(session, visit, choice)
    delivery = await deliveries.first_of(session, campaign.id)
    sender = delivery.identity_id if delivery else None
    first = next((one for one in senders if sender in {None, one.id}), None)
    number = delivery.contact_id if delivery else None
    readers = await contacts.get_contacts(session, [number] if number is not None else [])
    begun = Sketch(
        campaign.channel,
        people=[(one.id, describe(one, campaign.channel)) for one in readers],
        contact=number,
        sender=sender_line(first, campaign.channel),
        identity=first,
    )
    try:
        return await draw_message(session, visit, choice, begun)
    except TocsinError as error:
        return replace(begun, problem=say_error(visit.tongue, error))


def figures_of(campaign: Campaign, progress: Progress, tongue: Tongue) -> dict[str, object]:
    """What the page says in words of how far the campaign is."""
    return {
        "not_sent_parts": not_sent_parts(progress, tongue),
        "held": progress.counts.get(S.HELD, 0),
        "uncertain": progress.counts.get(S.UNCERTAIN, 0),
        "proof": proof_line(campaign, progress, tongue),
        "ended": campaign.state in ENDED,
    }


def proof_line(campaign: Campaign, progress: Progress, tongue: Tongue) -> str:
    """The messages frozen at the start as the sum of what became of them."""
    parts = [tongue.count(forms, progress.of(states)) for states, forms in STATE_WORDS if progress.of(states)]
    sign = "=" if campaign.frozen == progress.done == progress.total else "≠"
    return f"{tongue.count(MESSAGES, campaign.frozen)} {sign} {' + '.join(parts) or tongue.number(0)}"


def not_sent_parts(progress: Progress, tongue: Tongue) -> str:
    """Of what was not sent, how many for which reason: `(12 expired, 3 suppressed since)`; else empty."""
    parts = [
        tongue.count(forms, progress.counts[state]) for state, forms in NOT_SENT if progress.counts.get(state)
    ]
    return f"({', '.join(parts)})" if parts else ""


def allowed(campaign: Campaign) -> dict[str, bool]:
    """Which buttons the campaign's page shows."""
    state = campaign.state
    return {
        "schedule": campaign_may_become(state, C.SCHEDULED) and state is not C.PAUSED,
        "draft": state is C.SCHEDULED or state is C.BLOCKED,
        "pause": campaign_may_become(state, C.PAUSED),
        "resume": state is C.PAUSED,
        "cancel": campaign_may_become(state, C.CANCELLED) and state is not C.DRAFT,
        "edit": state in conduct.EDITABLE,
        "discard": state is C.DRAFT,
        "prove": state in ENDED,
        "release": state is C.SENDING or state is C.PAUSED,
        "report": campaign.launched_at is not None,
    }
