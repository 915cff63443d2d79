"""A sender identity on the terminal: its state, what to mend, its proofs, its keys, its history."""

from datetime import datetime
from zoneinfo import ZoneInfo

from rich.text import Text

from deliverability.health import FindingLevel, HealthFinding
from models.health import HealthCheck, ProofKind
from models.identity import DkimKey
from models.text import plural
from scheduler.dossier import Dossier, dossier_of
from scheduler.lookout import findings_of
from scheduler.ownership import has_expired
from service.desk import Desk
from service.dns_view import print_records, zone_line
from service.terminal import moment, print_table, put, say, screen, set_in
from service.wishes import wanted_identity
from web.health_words import LEVELS, advised, said
from web.i18n import Tongue
from web.identity_words import PROOFS, STEPS, say_reason
from web.words import word_for

SHOWN_LOOKS = 10
LEVEL_COLOURS = {
    FindingLevel.FINE: "green",
    FindingLevel.ADVICE: "dim",
    FindingLevel.UNKNOWN: "dim",
    FindingLevel.WARNING: "yellow",
    FindingLevel.PROBLEM: "red",
}
ORDER = (
    FindingLevel.PROBLEM,
    FindingLevel.WARNING,
    FindingLevel.UNKNOWN,
    FindingLevel.ADVICE,
    FindingLevel.FINE,
)


def english(zone: str) -> Tongue:
    """The terminal's language, in the installation's time zone."""
    return Tongue("en", ZoneInfo(zone))


async def dossier(desk: Desk, key: str) -> Dossier:
    """What the rows say of the identity of that short name; NotFoundError."""
    async with desk.database.read() as session:
        return await dossier_of(session, await wanted_identity(session, key), desk.clock.now())


async def print_identity(desk: Desk, key: str) -> None:
    """All of it."""
    found = await dossier(desk, key)
    identity, zone = found.identity, desk.settings.zone
    tongue = english(zone)
    say(f"{identity.name} ({identity.key})" + (f", {identity.from_email}" if identity.from_email else ""))
    since = "" if identity.state_since is None else f", since {moment(identity.state_since, zone)}"
    by = f", by {identity.state_by}" if identity.state_by else ""
    say(f"State: {word_for(identity.state)}{since}{by}")
    reason = say_reason(identity.state_reason, identity.state_by, tongue, found.looks)
    if reason:
        set_in(reason)
    looked = "not looked at yet" if identity.health_at is None else moment(identity.health_at, zone)
    say(f"Health: {LEVELS[identity.health][0]} ({looked})\n")
    if identity.from_email:
        _print_proofs(found, zone)
        print_findings(found.findings, tongue)
        _print_keys(found, zone)
    _print_history(found, zone, tongue)


def print_look(look: HealthCheck, zone: str) -> None:
    """What one look found."""
    print_findings(findings_of(look), english(zone))


def print_findings(findings: list[HealthFinding], tongue: Tongue) -> None:
    """What was found, the gravest first, with advice and the record that mends it."""
    console = screen()
    for level in ORDER:
        for each in (each for each in findings if each.level is level):
            line = Text.assemble((f"{LEVELS[level][0]:13}", LEVEL_COLOURS[level]), said(each, tongue))
            console.print(line, soft_wrap=True)
            if level is FindingLevel.FINE:
                continue
            if advice := advised(each, tongue):
                set_in(advice, 13)
            if each.record is not None:
                put(f"             {zone_line(each.record)}")
    if findings:
        put("")


async def print_proofs(desk: Desk, key: str) -> None:
    """What the owner has shown, and what is still asked."""
    _print_proofs(await dossier(desk, key), desk.settings.zone)


def _print_proofs(found: Dossier, zone: str) -> None:
    for kind in ProofKind:
        proof = found.proofs.get(kind)
        state = "not asked yet"
        if proof is not None:
            state = "not shown yet"
            if found.is_shown(kind):
                state = f"shown, {moment(proof.proven_at or found.now, zone)}"
            elif proof.lost_at is not None:
                state = f"gone since {moment(proof.missing_since or proof.lost_at, zone)}"
            elif kind is ProofKind.MAILBOX and proof.problem:
                state = f"the letter did not leave: {proof.problem}"
            elif kind is ProofKind.MAILBOX and proof.mailed_at is not None:
                old = has_expired(proof, found.now)
                state = f"{'link too old, ' if old else ''}letter sent {moment(proof.mailed_at, zone)}"
        say(f"{PROOFS[kind]} — {state}")
        if kind is ProofKind.DNS and found.proof_record is not None and not found.is_shown(kind):
            put(f"    {zone_line(found.proof_record)}")
    put("")


async def print_rotation(desk: Desk, key: str) -> None:
    """Where a change of keys stands, and what is next."""
    found, zone = await dossier(desk, key), desk.settings.zone
    _print_keys(found, zone)
    if found.rotation_records:
        print_records(found.rotation_records)


def _print_keys(found: Dossier, zone: str) -> None:
    rows = [(key.selector, key.algorithm.value, *(_day(at, zone) for at in _life(key))) for key in found.keys]
    print_table(
        ["Selector", "Algorithm", "Made", "Seen", "Signs since", "Until", "Withdrawn"],
        rows,
        empty="There is no signing key.",
    )
    rotation, step = found.rotation, found.step
    if rotation is not None and step is not None:
        title, text = STEPS[step]
        until = "" if rotation.until is None else f" ({moment(rotation.until, zone)})"
        say(f"Change of keys: {title}{until}.")
        set_in(text)
    elif found.keys_old_since is not None:
        say(
            f"These keys sign since {moment(found.keys_old_since, zone)}: change them every six months,"
            f" with `tocsin identity rotate {found.identity.key}`."
        )


def _life(key: DkimKey) -> tuple[datetime | None, ...]:
    return key.created_at, key.verified_at, key.active_at, key.retired_at, key.revoked_at


def _day(at: datetime | None, zone: str) -> str:
    return "" if at is None else f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d}"


def _print_history(found: Dossier, zone: str, tongue: Tongue) -> None:
    put("")
    print_table(
        ["When", "From", "To", "By", "Why"],
        [
            (
                moment(each.at, zone),
                each.origin,
                each.state,
                each.by or "itself",
                say_reason(each.reason, each.by, tongue, found.looks),
            )
            for each in found.changes
        ],
        empty="Its state has not changed yet.",
    )
    looks = found.looks[:SHOWN_LOOKS]
    if looks:
        say(f"\nThe last {plural(len(looks), 'look')}:")
    for look in looks:
        put(f"    {moment(look.checked_at, zone)}  {look.level.value:8}  {look.reason}")
