"""`tocsin identity`: who we send as, and the DNS records that make receivers believe it."""

import re
from typing import Annotated

import typer

from models.errors import BadInputError
from models.identity import Identity, TerritoryKind
from models.states import IdentityState
from service.commands import examples, identity_care, noun, read_mailbox
from service.desk import Desk, work
from service.terminal import print_table, say
from service.wishes import wanted_identity

group = noun("Who sends: From address, SMS sender, DKIM keys.")
SHORT_NUMBER = re.compile(r"[0-9]{3,6}")
ALPHANUMERIC_SENDER = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
KEY_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
NO_HOST = "HOST-OF-TOCSIN"
BLANKS = (NO_HOST, "SPF-OF-YOUR-MAIL-SERVER")
"""What stands in a record where nobody has said what belongs there."""


Territory = Annotated[
    str,
    typer.Option(help="What it speaks for: national, or KIND=VALUE as departement=69.", metavar="KIND=VALUE"),
]
Bounces = Annotated[
    str | None,
    typer.Option(
        help="Domain of the return path; without it, bounces. and the From domain.", metavar="DOMAIN"
    ),
]


@group.command(
    "add",
    epilog=examples(
        "tocsin identity add national --name 'Les Amis' --email contact@news.example.org"
        " --organisation 'Les Amis' --address '1 rue de la Paix, 75002 Paris'",
        "tocsin identity add rhone --name 'Les Amis du Rhône' --email rhone@news.example.org"
        " --organisation 'Les Amis' --address '1 quai Perrache, 69002 Lyon' --territory departement=69",
    ),
)
def add(
    *,
    key: Annotated[str, typer.Argument(help="Short name: small letters, digits, hyphens.", metavar="KEY")],
    name: Annotated[str, typer.Option(help="Name people see as the sender.", metavar="TEXT")],
    organisation: Annotated[str, typer.Option(help="Who is behind it, for the footer.", metavar="TEXT")] = "",
    address: Annotated[str, typer.Option(help="Postal address, for the footer.", metavar="TEXT")] = "",
    email: Annotated[str | None, typer.Option(help="From address of e-mails.", metavar="ADDRESS")] = None,
    reply_to: Annotated[
        str | None, typer.Option(help="Where answers go, if elsewhere.", metavar="ADDRESS")
    ] = None,
    bounces: Bounces = None,
    sms_sender: Annotated[
        str | None, typer.Option(help="SMS sender: a number as +33…, or up to 11 letters.", metavar="SENDER")
    ] = None,
    territory: Territory = "national",
    emails_per_second: Annotated[
        float | None, typer.Option(help="Its own limit, instead of TOCSIN_EMAILS_PER_SECOND.", min=0.001)
    ] = None,
) -> None:
    """Make a sender identity, with an RSA-2048 and an Ed25519 key, and print the DNS records to publish."""
    kind, value = _territory(territory)
    identity = Identity(
        key=_key(key),
        name=name.strip(),
        organisation=organisation.strip() or name.strip(),
        postal_address=address.strip(),
        sms_sender=None if sms_sender is None else _sms_sender(sms_sender),
        territory=kind,
        territory_value=value,
        emails_per_second=emails_per_second,
    )
    if email is None and sms_sender is None:
        raise BadInputError(
            "An identity needs something to send from.", "Give --email, --sms-sender or both."
        )
    if email is not None:
        _give_email(identity, email, reply_to, bounces)
    asked = work(lambda desk: _save(desk, identity))
    say(f"The identity {key} is made.")
    if email is not None:
        _print_records(key)
    if asked:
        say(f"\nWhen they are published: `tocsin identity verify {key}` shows that it is yours.")


def _key(text: str) -> str:
    if not text or len(text) > 60 or set(text) - KEY_SIGNS:
        raise BadInputError(
            f"{text!r} is no short name.", "Use small letters, digits and hyphens, as in rhone-69."
        )
    return text


def _territory(text: str) -> tuple[TerritoryKind, str]:
    """The territory and its value in the form contacts are compared by."""
    from audience.territory import read_territory

    word, _, value = text.partition("=")
    kinds = [kind.value for kind in TerritoryKind]
    if word not in kinds:
        raise BadInputError(f"{word!r} is no kind of territory.", f"The kinds are {', '.join(kinds)}.")
    kind = TerritoryKind(word)
    if (kind is TerritoryKind.NATIONAL) == bool(value.strip()):
        raise BadInputError(
            f"{text!r} is no territory.", "Write national, or KIND=VALUE as in departement=69."
        )
    return kind, read_territory(kind, value)


def _sms_sender(text: str) -> str:
    """A number in E.164, a short number as it is, or a name of up to 11 letters and digits."""
    from audience.addresses import read_phone

    sender = text.strip()
    if ALPHANUMERIC_SENDER.fullmatch(sender) or SHORT_NUMBER.fullmatch(sender):
        return sender
    try:
        return read_phone(sender)
    except BadInputError as error:
        raise BadInputError(
            f"{text!r} is no SMS sender.", "Give a number as +33…, or up to 11 letters and digits."
        ) from error


def _give_email(identity: Identity, email: str, reply_to: str | None, bounces: str | None) -> None:
    from scheduler.ownership import require_own_domain

    identity.from_email = read_mailbox(email)
    require_own_domain(identity.from_email)
    identity.reply_to = None if reply_to is None else read_mailbox(reply_to)
    domain = identity.from_email.rpartition("@")[2]
    identity.dkim_domain = domain
    identity.return_path_domain = (bounces or f"bounces.{domain}").strip().lower()


async def _save(desk: Desk, identity: Identity) -> bool:
    """Keep it; whether its owner is asked for a proof before it sends."""
    from scheduler.ownership import ensure_proofs
    from scheduler.signing_keys import make_keys
    from service.identity_watch import lookout_of
    from store.identities import add_identity

    now = desk.clock.now()
    identity.created_at = now
    asked = bool(identity.from_email and lookout_of(desk.settings).required)
    identity.state = IdentityState.DNS_PENDING if asked else IdentityState.ACTIVE
    keys = await make_keys(desk.keyring, now) if identity.from_email else []
    async with desk.database.write() as session:
        await add_identity(session, identity, keys)
        await ensure_proofs(session, identity, now)
    return asked


@group.command("list", epilog=examples("tocsin identity list"))
def list_() -> None:
    """Show every sender identity."""
    from web.health_words import LEVELS
    from web.words import word_for

    async def read(desk: Desk) -> list[Identity]:
        from store.identities import list_identities

        async with desk.database.read() as session:
            return await list_identities(session)

    print_table(
        ["Identity", "Name", "From", "SMS sender", "Speaks for", "State", "Health"],
        [
            (
                each.key,
                each.name,
                each.from_email,
                each.sms_sender,
                _speaks_for(each),
                word_for(each.state),
                LEVELS[each.health][0] if each.from_email else "",
            )
            for each in work(read)
        ],
        empty="There is no sender identity yet: `tocsin identity add` makes one.",
    )


def _speaks_for(identity: Identity) -> str:
    return f"{identity.territory.value} {identity.territory_value}".strip()


@group.command(
    "dns",
    epilog=examples(
        "tocsin identity dns national",
        "tocsin identity dns national --inbound-host tocsin.example.org --spf include:spf.relay.example",
    ),
)
def dns(
    key: Annotated[str, typer.Argument(help="Short name of the identity.", metavar="KEY")],
    inbound_host: Annotated[
        str,
        typer.Option(help="Host that receives bounces, without it that of the public URL.", metavar="HOST"),
    ] = "",
    spf: Annotated[
        str, typer.Option(help="What your mail relay asks to put into SPF, as include:….", metavar="PART")
    ] = "",
    reports: Annotated[
        str,
        typer.Option(help="Where DMARC reports go, without it dmarc@ the return path.", metavar="ADDRESS"),
    ] = "",
) -> None:
    """Print the DNS records to publish: what each is for, then lines to copy."""
    _print_records(key, inbound_host=inbound_host, spf=spf, reports=reports)


def _print_records(key: str, *, inbound_host: str = "", spf: str = "", reports: str = "") -> None:
    from deliverability.dns_records import DnsRecord, records_to_publish
    from deliverability.health.proofs import proof_record
    from models.health import ProofKind
    from service.dns_view import print_records
    from service.hosts import is_local
    from service.identity_watch import lookout_of
    from store.health import proofs_of
    from store.identities import keys_of

    async def read(desk: Desk) -> list[DnsRecord]:
        async with desk.database.read() as session:
            identity = await wanted_identity(session, key)
            keys = await keys_of(session, identity.id)
            proof = (await proofs_of(session, identity.id)).get(ProofKind.DNS)
        own = desk.settings.hello_name
        asked = ProofKind.DNS in lookout_of(desk.settings).required
        shown = [proof_record(proof.subject, proof.token)] if proof is not None and asked else []
        return shown + records_to_publish(
            identity,
            keys,
            inbound_host=inbound_host or (NO_HOST if is_local(own) else own),
            relay_spf=spf or desk.settings.relay_spf,
            report_address=reports,
        )

    records = work(read)
    if not records:
        say("This identity sends SMS only: there is nothing to publish.")
        return
    if any(blank in record.value for record in records for blank in BLANKS):
        say(
            f"Words in capitals are yours to fill in: `tocsin identity dns {key} --inbound-host HOST"
            " --spf include:…` prints the records with them.\n"
        )
    print_records(records)


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    identity_care.register_in(group)
    app.add_typer(group, name="identity", rich_help_panel="Prepare")
