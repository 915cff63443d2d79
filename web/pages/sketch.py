"""What a campaign would be, while its form is filled in: how many people, and one of them's message.

The page with scripts and the page without show the same sketch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import Contact
from models.errors import TocsinError
from models.identity import Identity
from models.states import Channel, IdentityRule, LegalBasis, Nature
from scheduler.choosing import Advert, choose
from scheduler.content import label_with
from scheduler.preview import (
    AudiencePreview,
    EmailPreview,
    SmsPreview,
    preview_audience,
    preview_message,
    selection_of,
)
from store import audiences, identities, templates
from templates.label import Label
from web.access import Visit
from web.advertising_words import say_audience
from web.borrowed import say_error
from web.forms import Form
from web.i18n import N_, Tongue
from web.pages.campaign_nature import About, read_about
from web.pages.campaign_options import Options, read_options, windows_of
from web.words import word_for

PEOPLE_TO_CHOOSE_FROM = 8
PEOPLE_TO_LOOK_AT = 200
NOBODY_CHOSEN = N_("Choose at least one segment to write to.")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the form of a campaign holds; numbers are those of rows."""

    name: str = ""
    version: int | None = None
    include: Sequence[int] = ()
    exclude: Sequence[int] = ()
    rule: IdentityRule = IdentityRule.ONE
    identities: Sequence[int] = ()
    basis: LegalBasis = LegalBasis.CONSENT
    with_seeds: bool = True
    moment: str = "draft"
    day: str = ""
    time: str = ""
    zone: str = ""
    contact: int | None = None
    options: Options = field(default_factory=Options)
    about: About = field(default_factory=About)
    campaign: int = 0


def read_choice(form: Form, zone: str, nature: Nature = Nature.UNSAID) -> Choice:
    """The fields of the form, or of the query that repeats them; `nature` where it says nothing of it."""
    return Choice(
        name=form.text("name", 200),
        version=form.number("version"),
        include=form.numbers("include"),
        exclude=form.numbers("exclude"),
        rule=form.choice("rule", IdentityRule, IdentityRule.ONE),
        identities=form.numbers("identity"),
        basis=form.choice("basis", LegalBasis, LegalBasis.CONSENT),
        with_seeds=form.ticked("with_seeds"),
        moment=form.text("moment", 10) or "draft",
        day=form.text("day", 10),
        time=form.text("time", 8),
        zone=form.text("zone", 60) or zone,
        contact=form.number("contact"),
        options=read_options(form),
        about=read_about(form, nature),
    )


@dataclass(frozen=True, slots=True)
class Sketch:
    """The audience and one message.

    `preview` is the address of the e-mail's document, empty when there is none; `contact` whose it is.
    `hint` is what is yet to choose: no mistake before somebody went past it.
    """

    channel: Channel = Channel.EMAIL
    audience: AudiencePreview | None = None
    people: Sequence[tuple[int, str]] = ()
    contact: int | None = None
    sender: str = ""
    subject: str = ""
    sms: str = ""
    segments: int = 0
    preview: str = ""
    problem: str = ""
    hint: str = ""
    identity: Identity | None = field(default=None, repr=False)


async def draw(session: AsyncSession, visit: Visit, choice: Choice) -> Sketch:
    """The sketch of a choice, however little of it has been made; what cannot be done is its `problem`."""
    try:
        sketch = await _draw_audience(session, visit, choice)
    except TocsinError as error:
        return Sketch(problem=say_error(visit.tongue, error))
    try:
        return await draw_message(session, visit, choice, sketch)
    except TocsinError as error:
        return replace(sketch, problem=say_error(visit.tongue, error))


async def _draw_audience(session: AsyncSession, visit: Visit, choice: Choice) -> Sketch:
    now = visit.context.clock.now()
    channel = Channel.EMAIL
    if choice.version is not None:
        version = await templates.get_version(session, choice.version)
        channel = (await templates.template_of(session, version)).channel
    identity = await identities.get_identity(session, choice.identities[0]) if choice.identities else None
    sketch = Sketch(channel=channel, identity=identity, sender=sender_line(identity, channel))
    if not choice.include:
        return replace(sketch, hint=visit.tongue.say(NOBODY_CHOSEN))
    advert = _advert(choice, place_is_free=visit.context.outlook.rhythm.place_is_free)
    audience = await preview_audience(
        session,
        include=choice.include,
        exclude=choice.exclude,
        channel=channel,
        basis=choice.basis,
        now=now,
        rhythm=visit.context.outlook.rhythm,
        purpose=choice.options.purpose,
        windows=windows_of(choice.options),
        campaign_id=choice.campaign,
        advert=advert,
    )
    selection = await selection_of(
        session,
        include=choice.include,
        exclude=choice.exclude,
        channel=channel,
        basis=choice.basis,
        now=now,
        advert=advert,
    )
    batch = await audiences.audience_batch(session, selection, now, after_id=0, limit=PEOPLE_TO_LOOK_AT)
    receiving = [contact for contact, reason in batch if reason is None][:PEOPLE_TO_CHOOSE_FROM]
    people = [(contact.id, describe(contact, channel)) for contact in receiving]
    known = [number for number, _ in people]
    chosen = choice.contact if choice.contact in known else next(iter(known), None)
    return replace(sketch, audience=audience, people=people, contact=chosen)


async def draw_message(session: AsyncSession, visit: Visit, choice: Choice, sketch: Sketch) -> Sketch:
    """The sketch with the message as its first person reads it; TemplateError when it cannot be rendered."""
    if choice.version is None:
        return sketch
    label = await _label(session, visit, choice, sketch)
    made = await preview_message(
        session,
        version_id=choice.version,
        identity_id=sketch.identity.id if sketch.identity else None,
        contact_id=sketch.contact,
        public_url=visit.context.public_url,
        language=visit.context.language,
        campaign_name=choice.name,
        label=label,
    )
    match made:
        case EmailPreview(subject=subject):
            wanted = {"version": choice.version, "identity": sketch.identity and sketch.identity.id}
            query = {**wanted, "contact": sketch.contact, **_label_fields(label)}
            address = urlencode({name: value for name, value in query.items() if value})
            return replace(sketch, subject=subject, preview=f"/campaigns/preview?{address}")
        case SmsPreview(text=text, segments=segments):
            return replace(sketch, sms=text, segments=segments)


def _advert(choice: Choice, *, place_is_free: bool = False) -> Advert:
    return Advert(
        nature=choice.about.nature,
        rule=choice.rule,
        identity_ids=choice.identities,
        version_id=choice.version,
        place_is_free=place_is_free,
    )


async def _label(session: AsyncSession, visit: Visit, choice: Choice, sketch: Sketch) -> Label | None:
    """What the message would end with, should it be political advertising (`scheduler.content.label_of`)."""
    chosen = await choose(
        session,
        include=choice.include,
        exclude=choice.exclude,
        channel=sketch.channel,
        basis=choice.basis,
        now=visit.context.clock.now(),
        advert=_advert(choice),
    )
    return label_with(chosen.advertising, sponsor=choice.about.sponsor, vote=choice.about.vote)


def _label_fields(label: Label | None) -> dict[str, str]:
    """The label in the address of the message's document."""
    if label is None:
        return {}
    return {"label": "1", "sponsor": label.sponsor, "vote": label.vote, "targeted": "1" * label.targeted}


def read_label(query: Form) -> Label | None:
    """The label that such an address tells."""
    if not query.ticked("label"):
        return None
    return Label(query.text("sponsor", 300), query.text("vote", 200), query.ticked("targeted"))


def describe(contact: Contact, channel: Channel) -> str:
    """A person as one line: name and address."""
    name = " ".join(part for part in (contact.first_name, contact.last_name) if part)
    address = (contact.email if channel is Channel.EMAIL else contact.phone) or ""
    return f"{name} · {address}" if name else address


def sender_line(identity: Identity | None, channel: Channel) -> str:
    """Who the recipient sees."""
    if identity is None:
        return ""
    if channel is Channel.SMS:
        return identity.sms_sender or ""
    return f"{identity.name} <{identity.from_email}>"


def advert_line(sketch: Sketch, tongue: Tongue) -> str:
    """What the rules of political advertising say of the choice, or why nobody is left; "" when nothing."""
    return say_audience(tongue, sketch.audience) if sketch.audience else ""


def audience_rows(audience: AudiencePreview, tongue: Tongue) -> list[tuple[str, str, str]]:
    """The count as rows: label, number, kind. What remains, and of it those whose hours are yet to come."""
    rows = [(tongue.say("Targeted"), tongue.number(audience.targeted), "")]
    rows += [
        (f"− {tongue.say(word_for(reason))}", tongue.number(count), "less")
        for reason, count in sorted(audience.left_out.items(), key=lambda pair: -pair[1])
    ]
    rows.append((tongue.say("Will receive it"), tongue.number(audience.deliveries), "will"))
    if audience.outside_hours:
        rows.append(
            (tongue.say("of whom later, in their hours"), tongue.number(audience.outside_hours), "of")
        )
    return rows
