"""`tocsin template`: what is said, in numbered versions that never change."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, assert_never

import typer

from models.errors import BadInputError, NotFoundError
from models.states import Channel, Nature
from models.template import Template, TemplateVersion
from service.commands import examples, noun, read_pairs, read_text
from service.desk import Desk, work
from service.terminal import print_table, put, say
from service.wishes import wanted_version

group = noun("What is said: e-mails (MJML) and SMS, in versions.")


@dataclass(frozen=True, slots=True)
class Draft:
    """What is about to become a version."""

    channel: Channel
    subject: str
    preheader: str
    body: str
    fallbacks: Mapping[str, str]
    nature: Nature | None = None


@group.command(
    "add",
    epilog=examples(
        "tocsin template add hello --starter newsletter",
        "tocsin template add hello --file hello.mjml --subject 'A meeting in {{ commune }}'"
        " --fallback 'commune=your town'",
        "tocsin template add reminder --sms --file reminder.txt",
    ),
)
def add(
    *,
    name: Annotated[str, typer.Argument(help="Name of the template.", metavar="NAME")],
    file: Annotated[
        Path | None, typer.Option(help="The body: MJML for e-mail, plain text for SMS.", metavar="FILE")
    ] = None,
    starter: Annotated[
        str | None, typer.Option(help="Begin from one of `tocsin template starters`.", metavar="STARTER")
    ] = None,
    sms: Annotated[bool, typer.Option("--sms", help="A text message instead of an e-mail.")] = False,
    subject: Annotated[
        str | None, typer.Option(help="Subject line; may hold {{ fields }}.", metavar="TEXT")
    ] = None,
    preheader: Annotated[
        str | None, typer.Option(help="The line mailboxes show after the subject.", metavar="TEXT")
    ] = None,
    fallback: Annotated[
        list[str] | None,
        typer.Option(
            help="What stands for an empty field; may be given several times.", metavar="FIELD=TEXT"
        ),
    ] = None,
    nature: Annotated[
        Nature | None,
        typer.Option(
            help="What it is to the law when a program sends it in a campaign: political, civic or unsaid."
            " Unless told, as the version before, or TOCSIN_NATURE."
        ),
    ] = None,
) -> None:
    """Make a template, or the next version of one, after checking that it compiles.

    A next version keeps the subject, the preheader and the fallbacks that are not given anew. What else
    was noticed about the content is shown, and keeps nothing from being saved.
    """
    draft = _draft(file, starter, sms=sms)
    if file is not None:
        draft = work(lambda desk: _with_what_was(desk, name, draft))
    draft = replace(
        draft,
        subject=draft.subject if subject is None else subject,
        preheader=draft.preheader if preheader is None else preheader,
        fallbacks={**draft.fallbacks, **read_pairs(fallback or [], "--fallback")},
        nature=nature,
    )
    for warning in _check(draft):
        say(warning)
    version = work(lambda desk: _save(desk, name, draft))
    say(f"{name}: version {version.number} is kept.")


def _draft(file: Path | None, starter: str | None, *, sms: bool) -> Draft:
    """The body and what came with it, from a file or a starter."""
    from templates import starters

    if (file is None) == (starter is None):
        raise BadInputError("A template needs a body.", "Give it with --file, or begin from a --starter.")
    if file is not None:
        channel = Channel.SMS if sms else Channel.EMAIL
        return Draft(channel, subject="", preheader="", body=read_text(file), fallbacks={})
    for known in starters():
        if known.name == starter:
            return Draft(known.channel, known.subject, known.preheader, known.body, known.fallbacks)
    raise NotFoundError(
        f"There is no starter {starter!r}.", "`tocsin template starters` shows those there are."
    )


async def _with_what_was(desk: Desk, name: str, draft: Draft) -> Draft:
    """A new body, with what stands around it in the version before; a template of another kind is not it."""
    from store.templates import latest_version, template_of

    async with desk.database.read() as session:
        before = await latest_version(session, name)
        if before is None or (await template_of(session, before)).channel is not draft.channel:
            return draft
    return replace(
        draft, subject=before.subject, preheader=before.preheader, fallbacks=dict(before.fallbacks)
    )


def _check(draft: Draft) -> list[str]:
    """What was noticed about the content; TemplateError when it does not compile."""
    from templates import compile_email, compile_sms, lint_email, lint_sms
    from templates.lint import Level

    match draft.channel:
        case Channel.EMAIL:
            if not draft.subject.strip():
                raise BadInputError("An e-mail needs a subject.", "Give it with --subject.")
            compile_email(
                subject=draft.subject, preheader=draft.preheader, mjml=draft.body, fallbacks=draft.fallbacks
            )
            findings = lint_email(
                subject=draft.subject, preheader=draft.preheader, mjml=draft.body, fallbacks=draft.fallbacks
            )
        case Channel.SMS:
            compile_sms(body=draft.body, fallbacks=draft.fallbacks)
            findings = lint_sms(body=draft.body, fallbacks=draft.fallbacks)
        case _:
            assert_never(draft.channel)
    return [f"{'✗' if finding.level is Level.BLOCKER else '!'} {finding}" for finding in findings]


async def _save(desk: Desk, name: str, draft: Draft) -> TemplateVersion:
    from store.templates import save_version

    async with desk.database.write() as session:
        return await save_version(
            session,
            name=name,
            channel=draft.channel,
            subject=draft.subject,
            preheader=draft.preheader,
            body=draft.body,
            fallbacks=draft.fallbacks,
            nature=draft.nature,
            now=desk.clock.now(),
        )


@group.command("list", epilog=examples("tocsin template list"))
def list_() -> None:
    """Show every template with its newest version."""

    async def read(desk: Desk) -> list[tuple[Template, TemplateVersion]]:
        from store.templates import list_templates

        async with desk.database.read() as session:
            return await list_templates(session)

    print_table(
        ["Template", "Channel", "#Version", "Subject"],
        [(each.name, each.channel.value, version.number, version.subject) for each, version in work(read)],
        empty="There is no template yet: `tocsin template starters` shows where to begin.",
    )


@group.command(
    "show", epilog=examples("tocsin template show hello", "tocsin template show hello > hello.mjml")
)
def show(name: Annotated[str, typer.Argument(help="Name of the template.", metavar="NAME")]) -> None:
    """Print the body of a template's newest version, as it was written."""

    async def read(desk: Desk) -> TemplateVersion:
        async with desk.database.read() as session:
            return await wanted_version(session, name)

    put(work(read).body)


@group.command("starters", epilog=examples("tocsin template starters"))
def starters_() -> None:
    """Show the templates that come with Tocsin."""
    from templates import starters

    print_table(
        ["Starter", "Channel", "What it is for"],
        [(starter.name, starter.channel.value, starter.description) for starter in starters()],
        empty="No starter came with this installation.",
    )


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="template", rich_help_panel="Prepare")
