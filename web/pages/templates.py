"""Templates: what is said. Versions are never changed; saving makes the next one."""

import quopri
from collections.abc import Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from models.errors import BadInputError, ConflictError, NotFoundError, TemplateError
from models.identity import Identity
from models.states import Channel, Nature
from models.template import Template, TemplateVersion
from scheduler.content import compile_version
from scheduler.letters import sender_values
from scheduler.preview import EmailPreview, SmsPreview
from store import templates
from templates import CompiledSms
from templates.gallery import Starter, starters
from templates.lint import Finding, Level, lint_email, lint_sms
from web.access import Editor, Reader, Visit
from web.borrowed import say_error
from web.forms import Form
from web.i18n import N_
from web.pages.campaign_form import message_document
from web.view import go, page, render

router = APIRouter()
NO_NAME = N_("A template needs a name.")
EMPTY_ROWS = 2
LEVEL_TONES = {Level.BLOCKER: "bad", Level.WARNING: "warn"}
EXAMPLE = {
    "first_name": "Camille",
    "last_name": "Martin",
    "civility": "Madame",
    "email": "camille.martin@example.org",
    "phone": "+33 6 12 34 56 78",
    "commune": "Marseille",
    "postcode": "13001",
    "departement": "Bouches-du-Rhône",
    "region": "Provence-Alpes-Côte d’Azur",
}
"""The person an unsent template is shown to; what she lacks shows its fallback, else the field's name."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What the form of a template holds."""

    name: str = ""
    channel: Channel = Channel.EMAIL
    subject: str = ""
    preheader: str = ""
    body: str = ""
    fallbacks: dict[str, str] = field(default_factory=dict)
    nature: Nature | None = None

    def version(self) -> TemplateVersion:
        """The same as a version that is not kept."""
        return TemplateVersion(
            template_id=0,
            number=0,
            subject=self.subject,
            preheader=self.preheader,
            body=self.body,
            fallbacks=self.fallbacks,
        )


def read_draft(form: Form) -> Draft:
    """The fields of the form; a fallback without text is none."""
    pairs = form.pairs("fallback_field", "fallback_text")
    return Draft(
        name=form.text("name", 200),
        channel=form.choice("channel", Channel, Channel.EMAIL),
        subject=form.text("subject", 500),
        preheader=form.text("preheader", 500),
        body=form.raw("body"),
        fallbacks={name: text for name, text in pairs.items() if text},
        nature=Nature(form.choice("nature", Nature, Nature.UNSAID)) if form.text("nature", 20) else None,
    )


def draft_of(template: Template, version: TemplateVersion) -> Draft:
    """A version as the beginning of the next."""
    return Draft(
        template.name,
        template.channel,
        version.subject,
        version.preheader,
        version.body,
        dict(version.fallbacks),
        version.nature,
    )


def examine(draft: Draft, language: str) -> list[Finding]:
    """What to look at before this is sent."""
    match draft.channel:
        case Channel.EMAIL:
            return lint_email(
                subject=draft.subject,
                preheader=draft.preheader,
                mjml=draft.body,
                fallbacks=draft.fallbacks,
                language=language,
            )
        case Channel.SMS:
            return lint_sms(body=draft.body, fallbacks=draft.fallbacks)


def show_example(visit: Visit, draft: Draft) -> EmailPreview | SmsPreview:
    """The message as somebody imagined reads it; TemplateError."""
    compiled = compile_version(draft.version(), draft.channel, language=visit.context.language)
    nobody = Identity(key="example", name="…", organisation="…", postal_address="…")
    values = {**EXAMPLE, **sender_values(nobody), "campaign_name": draft.name}
    values |= {name: f"‹{name}›" for name in compiled.missing(values)}
    if isinstance(compiled, CompiledSms):
        message = compiled.render(values)
        return SmsPreview(message.text, message.segments)
    base = visit.context.public_url
    email = compiled.render(values, click_base=f"{base}/c/preview", unsubscribe_url=f"{base}/u/preview")
    return EmailPreview(email.subject, email.html.decode("ascii"), quopri.decodestring(email.text).decode())


@router.get("/templates")
async def list_page(visit: Reader) -> Response:
    """Every template with its newest version."""
    async with visit.context.database.read() as session:
        found = await templates.list_templates(session)
    return page(visit, "templates.html", templates=found)


@router.get("/templates/new")
async def new_page(visit: Editor) -> Response:
    """The starters to choose from, or a form begun with one of them."""
    wanted = visit.query.text("starter", 60)
    for one in starters():
        if one.name == wanted:
            return _form(visit, _from_starter(one), shown=f"/templates/starters/{one.name}")
    if wanted:
        return _form(visit, Draft(channel=visit.query.choice("starter", Channel, Channel.EMAIL)))
    return page(visit, "template_starters.html", starters=starters())


@router.get("/templates/starters/{name}")
async def starter_document(visit: Editor, name: str) -> HTMLResponse:
    """A starter as somebody imagined reads it; for a frame."""
    found = next((one for one in starters() if one.name == name), None)
    if found is None:
        raise NotFoundError("There is no such starter.")
    return _document(visit, show_example(visit, _from_starter(found)))


def _from_starter(one: Starter) -> Draft:
    return Draft("", one.channel, one.subject, one.preheader, one.body, dict(one.fallbacks))


@router.post("/templates/preview")
async def preview(visit: Editor) -> HTMLResponse:
    """The form's message as somebody imagined reads it; for the frame beside the form."""
    try:
        made = show_example(visit, read_draft(visit.form))
    except TemplateError as error:
        text = render("template_problem.html", visit.tongue, problem=error.problem, advice=error.advice)
        return message_document(text)
    return _document(visit, made)


def _document(visit: Visit, made: EmailPreview | SmsPreview) -> HTMLResponse:
    if isinstance(made, EmailPreview):
        return message_document(made.html)
    count = visit.tongue.say_plural("%(count)s segment", "%(count)s segments", made.segments)
    return message_document(render("template_sms.html", visit.tongue, text=made.text, count=count))


@router.post("/templates")
async def save(visit: Editor) -> Response:
    """Save the next version; what cannot be compiled is not saved."""
    draft = read_draft(visit.form)
    if not draft.name:
        return _form(visit, draft, BadInputError(NO_NAME))
    try:
        show_example(visit, draft)
        async with visit.context.database.write() as session:
            version = await templates.save_version(
                session,
                name=draft.name,
                channel=draft.channel,
                subject=draft.subject,
                preheader=draft.preheader,
                body=draft.body,
                fallbacks=draft.fallbacks,
                nature=draft.nature,
                now=visit.context.clock.now(),
            )
    except (TemplateError, ConflictError) as error:
        return _form(visit, draft, error)
    return go(f"/templates/{version.template_id}", "template-saved")


@router.get("/templates/versions/{version_id}")
async def version_document(visit: Reader, version_id: int) -> HTMLResponse:
    """A version's e-mail as somebody imagined reads it; for a frame."""
    async with visit.context.database.read() as session:
        version = await templates.get_version(session, version_id)
        template = await templates.template_of(session, version)
    return _document(visit, show_example(visit, draft_of(template, version)))


@router.get("/templates/{template_id}")
async def one_page(visit: Reader, template_id: int) -> Response:
    """One template: a version (`?version=`, the newest otherwise), what to look at, and all its versions."""
    template, versions = await _read(visit, template_id)
    wanted = visit.query.number("version")
    version = next((one for one in versions if one.id == wanted), versions[0])
    draft = draft_of(template, version)
    try:
        made, problem = show_example(visit, draft), ""
    except TemplateError as error:
        made, problem = None, say_error(visit.tongue, error)
    return page(
        visit,
        "template.html",
        template=template,
        version=version,
        versions=versions,
        findings=examine(draft, visit.context.language),
        tones_by_level=LEVEL_TONES,
        email=made if isinstance(made, EmailPreview) else None,
        sms=made if isinstance(made, SmsPreview) else None,
        problem=problem,
    )


@router.get("/templates/{template_id}/edit")
async def edit_page(visit: Editor, template_id: int) -> Response:
    """A form begun with the newest version."""
    template, versions = await _read(visit, template_id)
    shown = f"/templates/versions/{versions[0].id}"
    return _form(visit, draft_of(template, versions[0]), fixed=True, shown=shown)


async def _read(visit: Visit, template_id: int) -> tuple[Template, Sequence[TemplateVersion]]:
    async with visit.context.database.read() as session:
        versions = await templates.versions_of(session, template_id)
        if not versions:
            raise NotFoundError(f"There is no template number {template_id}.")
        return await templates.template_of(session, versions[0]), versions


def _form(
    visit: Visit,
    draft: Draft,
    error: BadInputError | ConflictError | None = None,
    *,
    fixed: bool = False,
    shown: str = "",
) -> Response:
    return page(
        visit,
        "template_form.html",
        400 if error else 200,
        draft=draft,
        fixed=fixed or visit.form.ticked("fixed"),
        shown=shown,
        rows=[*draft.fallbacks.items(), *[("", "")] * EMPTY_ROWS],
        problem=error.problem if error else "",
        advice=error.advice if error else "",
    )
