"""One form makes and schedules a campaign: for whom, what, from whom, when."""

from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import HTMLResponse, JSONResponse, Response

from models.access import Role
from models.campaign import Campaign
from models.errors import BadInputError, ConflictError, NotFoundError, TocsinError
from models.states import Channel, IdentityRule, IdentityState, LatePolicy, LegalBasis, Purpose
from scheduler import NewCampaign, create_campaign
from scheduler.campaigns import EDITABLE, parts_of, schedule, update_campaign
from scheduler.preflight import GoPast, StandsInTheWayError, require_clear
from scheduler.preview import EmailPreview, preview_message
from store import campaigns, identities, segments, templates
from web.access import Editor, Reader, Visit
from web.borrowed import say_borrowed
from web.i18n import N_, Tongue
from web.pages.campaign_nature import about_of
from web.pages.campaign_options import (
    DAY_NAMES,
    LATENESS,
    Options,
    options_of,
    read_moment,
    say_windows,
    wanted_by,
)
from web.pages.sketch import (
    Choice,
    Sketch,
    advert_line,
    audience_rows,
    draw,
    read_choice,
    read_label,
)
from web.protection import MESSAGE_SECURITY_POLICY
from web.view import go, page
from web.votes_view import near_votes
from web.words import word_for

router = APIRouter()

ZONES = (
    "Europe/Paris",
    "Europe/Brussels",
    "Europe/Zurich",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Madrid",
    "Europe/Rome",
    "Europe/Lisbon",
    "Europe/Athens",
    "America/Guadeloupe",
    "America/Martinique",
    "America/Cayenne",
    "America/Miquelon",
    "Indian/Reunion",
    "Indian/Mayotte",
    "Pacific/Noumea",
    "Pacific/Tahiti",
    "Pacific/Wallis",
    "UTC",
)
"""The zones offered: those of the French Republic and of its neighbours."""
STARTS = frozenset({"now", "at"})
"""What of a choice sets a start."""
NO_TEMPLATE = N_("Choose a template.")
PAST = N_("This moment is past: choose a later one, or “Now”.")
NOT_ANY_MORE = N_("This campaign cannot be changed any more.")
BACK_FIRST = N_("A scheduled one can once its schedule is taken away; for any other, make a new one.")


def zones_for(visit: Visit, chosen: str) -> list[str]:
    """The zones offered, the installation's own and the one already chosen among them."""
    wanted = dict.fromkeys((visit.context.zone, *ZONES, chosen))
    return [zone for zone in wanted if zone in known_zones()]


@cache
def known_zones() -> frozenset[str]:
    """Every IANA zone there is; asking takes a tenth of a second."""
    return frozenset(available_timezones())


def local_now(visit: Visit, zone: str) -> datetime:
    """What the wall clock of `zone` shows now; BadInputError for an unknown zone."""
    if zone not in known_zones():
        raise BadInputError(f"There is no time zone {zone!r}.")
    return visit.context.clock.now().astimezone(ZoneInfo(zone)).replace(tzinfo=None)


async def schedule_as_chosen(session: AsyncSession, visit: Visit, campaign: Campaign, choice: Choice) -> str:
    """Schedule for now or for the moment chosen, or leave a draft; the notice to show."""
    now = visit.context.clock.now()
    match choice.moment:
        case "now":
            await schedule(session, campaign.id, local_now(visit, choice.zone), choice.zone, now)
        case "at":
            moment = read_moment(choice.day, choice.time)
            # A slip of the date would write to everybody at once: whoever means that says so.
            if moment < local_now(visit, choice.zone).replace(second=0, microsecond=0):
                raise BadInputError(PAST)
            await schedule(session, campaign.id, moment, choice.zone, now)
        case _:
            return "campaign-created"
    return "campaign-scheduled"


async def schedule_when_clear(
    visit: Visit, campaign_id: int, choice: Choice, past: GoPast | None = None
) -> str:
    """Look at the campaign first, then schedule it as chosen; the notice to show.

    StandsInTheWayError while checks do, unless somebody goes `past` them; other errors as scheduling.
    """
    if choice.moment not in STARTS:
        return "campaign-created"
    database = visit.context.database
    async with database.write() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        starts_at = await would_schedule(session, visit, campaign, choice)
    means = visit.context.lint.means_of(visit.context)
    await require_clear(database, campaign_id, means, past=past, starts_at=starts_at)
    async with database.write() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        return await schedule_as_chosen(session, visit, campaign, choice)


async def would_schedule(
    session: AsyncSession, visit: Visit, campaign: Campaign, choice: Choice
) -> datetime | None:
    """When it would start, and errors as `schedule_as_chosen`.

    Nothing is changed, and `campaign` is not to be used after it.
    """
    attempt = await session.begin_nested()
    try:
        await schedule_as_chosen(session, visit, campaign, choice)
        return (await campaigns.get_campaign(session, campaign.id)).starts_at
    finally:
        await attempt.rollback()


@router.get("/campaigns/new")
async def new_page(visit: Editor) -> Response:
    """The empty form, or one begun by the address's fields."""
    choice = read_choice(visit.query, visit.context.zone, visit.context.nature)
    begun = Choice(
        name=choice.name,
        version=choice.version,
        include=choice.include,
        zone=choice.zone,
        about=choice.about,
    )
    return await _form(visit, begun)


@router.get("/campaigns/count")
async def count_choice(visit: Editor) -> JSONResponse:
    """The sketch of the form's fields, for the script beside the form."""
    choice = read_choice(visit.query, visit.context.zone, visit.context.nature)
    async with visit.context.database.read() as session:
        sketch = await draw(session, visit, choice)
    return JSONResponse(
        {
            "problem": say_borrowed(visit.tongue, sketch.problem),
            "hint": sketch.hint,
            "rows": audience_rows(sketch.audience, visit.tongue) if sketch.audience else [],
            "channel": sketch.channel.value,
            "people": [[str(number), line] for number, line in sketch.people],
            "preview": sketch.preview,
            "values": {
                "sender": sketch.sender or "–",
                "subject": sketch.subject or "–",
                "sms": sketch.sms,
                "segments": segments_line(visit, sketch),
                "advert": advert_line(sketch, visit.tongue),
            },
        }
    )


def segments_line(visit: Visit, sketch: Sketch) -> str:
    """How many text messages this text is paid as."""
    return visit.tongue.say_plural("%(count)s segment", "%(count)s segments", sketch.segments)


@router.get("/campaigns/preview")
async def preview_document(visit: Reader) -> HTMLResponse:
    """The e-mail itself, as one contact would see it: a document of its own, sealed off from the pages."""
    version = visit.query.number("version")
    if version is None:
        raise NotFoundError("There is no such message.")
    async with visit.context.database.read() as session:
        made = await preview_message(
            session,
            version_id=version,
            identity_id=visit.query.number("identity"),
            contact_id=visit.query.number("contact"),
            public_url=visit.context.public_url,
            language=visit.context.language,
            label=read_label(visit.query),
        )
    return message_document(made.html if isinstance(made, EmailPreview) else "")


def message_document(html: str) -> HTMLResponse:
    """A message in its sealed document, for a frame of ours."""
    headers = {
        "Content-Security-Policy": MESSAGE_SECURITY_POLICY,
        "X-Frame-Options": "SAMEORIGIN",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(html, headers=headers)


def usual_hours(visit: Visit) -> str:
    """When messages arrive unless a campaign says otherwise, in words."""
    usual, tongue = visit.context.outlook.rhythm.windows, visit.tongue
    return " · ".join(
        tongue.say(
            "%(channel)s: %(hours)s",
            channel=tongue.say(word_for(channel)),
            hours=say_windows(windows, tongue),
        )
        for channel, windows in ((Channel.EMAIL, usual.email), (Channel.SMS, usual.sms))
    )


def lateness_for(options: Options, tongue: Tongue) -> list[tuple[int, str]]:
    """The spans offered, the one already chosen among them, and how they are called."""
    minutes = tongue.say_plural("%(count)s minute", "%(count)s minutes", options.late_minutes)
    offered = {options.late_minutes: minutes} | {span: tongue.say(text) for span, text in LATENESS}
    return sorted(offered.items())


@router.post("/campaigns")
async def create(visit: Editor) -> Response:
    """Make the campaign and, unless it is to stay a draft, schedule it; or only count when that was asked."""
    choice = read_choice(visit.form, visit.context.zone, visit.context.nature)
    if visit.form.ticked("only_count"):
        return await _form(visit, choice)
    if choice.version is None:
        return await _form(visit, choice, BadInputError(NO_TEMPLATE))
    try:
        wanted = _wanted(choice, choice.version)
        async with visit.context.database.write() as session:
            campaign = await create_campaign(
                session, wanted, visit.context.clock.now(), may_exempt=visit.may(Role.ADMIN)
            )
            number = campaign.id
            await would_schedule(session, visit, campaign, choice)
    except (BadInputError, ConflictError, NotFoundError) as error:
        return await _form(visit, choice, error)
    try:
        said = await schedule_when_clear(visit, number, choice)
    except StandsInTheWayError:
        return go(f"/campaigns/{number}", "campaign-in-the-way")
    if said == "campaign-scheduled":
        await visit.context.wake()
    return go(f"/campaigns/{number}", said)


def _wanted(choice: Choice, version: int) -> NewCampaign:
    return NewCampaign(
        name=choice.name,
        template_version_id=version,
        include=choice.include,
        exclude=choice.exclude,
        identity_rule=choice.rule,
        identity_ids=choice.identities,
        basis=choice.basis,
        with_seeds=choice.with_seeds,
        zone=choice.zone,
        **wanted_by(choice.options, choice.zone),
        **choice.about.wanted(),
    )


@router.get("/campaigns/{campaign_id}/edit")
async def edit_page(visit: Editor, campaign_id: int) -> Response:
    """The form of a draft, to change it."""
    async with visit.context.database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        parts = await parts_of(session, campaign)
    if campaign.state not in EDITABLE:
        raise ConflictError(NOT_ANY_MORE, BACK_FIRST)
    choice = Choice(
        name=parts.name,
        version=parts.template_version_id,
        include=parts.include,
        exclude=parts.exclude,
        rule=parts.identity_rule,
        identities=parts.identity_ids,
        basis=parts.basis,
        with_seeds=parts.with_seeds,
        zone=parts.zone,
        options=options_of(parts),
        about=about_of(parts),
    )
    return await _form(visit, choice, editing=campaign)


@router.post("/campaigns/{campaign_id}/edit")
async def edit(visit: Editor, campaign_id: int) -> Response:
    """Change a draft; or only count what it would be."""
    async with visit.context.database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
    choice = read_choice(visit.form, campaign.zone, campaign.nature)
    if visit.form.ticked("only_count"):
        return await _form(visit, choice, editing=campaign)
    if choice.version is None:
        return await _form(visit, choice, BadInputError(NO_TEMPLATE), editing=campaign)
    try:
        wanted = _wanted(choice, choice.version)
        async with visit.context.database.write() as session:
            await update_campaign(
                session, campaign_id, wanted, visit.context.clock.now(), may_exempt=visit.may(Role.ADMIN)
            )
    except (BadInputError, NotFoundError) as error:
        return await _form(visit, choice, error, editing=campaign)
    return go(f"/campaigns/{campaign_id}", "campaign-changed")


async def _form(
    visit: Visit, choice: Choice, error: TocsinError | None = None, *, editing: Campaign | None = None
) -> Response:
    async with visit.context.database.read() as session:
        all_segments = await segments.list_segments(session)
        all_templates = await templates.list_templates(session)
        senders = await identities.list_identities(session)
        sketch = await draw(session, visit, choice)
        near = await near_votes(session, visit.tongue, visit.context.zone, visit.context.clock.now())
    submitted = visit.request.method == "POST"
    tomorrow = local_now(visit, visit.context.zone).date().isoformat()
    return page(
        visit,
        "campaign_form.html",
        400 if error else 200,
        editing=editing,
        choice=choice,
        near=near,
        options=choice.options,
        day_names=DAY_NAMES,
        usual=usual_hours(visit),
        lateness=lateness_for(choice.options, visit.tongue),
        late_policies=list(LatePolicy),
        purposes=list(Purpose) if visit.may(Role.ADMIN) else [],
        sketch=sketch,
        hint="" if submitted else sketch.hint,
        count_problem=sketch.problem or (sketch.hint if submitted else ""),
        rows=audience_rows(sketch.audience, visit.tongue) if sketch.audience else [],
        advert=advert_line(sketch, visit.tongue),
        segments_line=segments_line(visit, sketch),
        segments=all_segments,
        templates=all_templates,
        identities=[
            each
            for each in senders
            if each.state is not IdentityState.RETIRED or each.id in choice.identities
        ],
        rules=list(IdentityRule),
        bases=list(LegalBasis),
        zones=zones_for(visit, choice.zone),
        today=tomorrow,
        problem=error.problem if error else "",
        advice=error.advice if error else "",
    )
