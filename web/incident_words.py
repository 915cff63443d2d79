"""Incidents in the words of people who write letters: what happened, what was done, what to do now.

English sources, translated where shown: on the pages, in alert mails; the terminal shows them as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from models.campaign import UNTIL_TOLD
from models.incident import Incident, IncidentDeed, IncidentKind, IncidentLevel
from models.providers import provider_name
from web.borrowed import say_borrowed
from web.i18n import N_, Tongue

KINDS: Mapping[IncidentKind, str] = MappingProxyType(
    {
        IncidentKind.HARD_BOUNCES: N_("Many addresses do not exist"),
        IncidentKind.COMPLAINTS: N_("Many complaints"),
        IncidentKind.DEFERRALS: N_("Many messages put off"),
        IncidentKind.BLOCKED: N_("Sender or message refused"),
        IncidentKind.SPAM_PLACEMENT: N_("Found in the spam folder"),
        IncidentKind.HEALTH: N_("Identity in trouble"),
        IncidentKind.DECLARED: N_("Poor figures at the provider"),
        IncidentKind.CANARY: N_("First slice held"),
        IncidentKind.WEBHOOK: N_("Webhook out of reach"),
    }
)
LEVELS: Mapping[IncidentLevel, str] = MappingProxyType(
    {IncidentLevel.AMBER: N_("To look at"), IncidentLevel.RED: N_("Serious")}
)
DEEDS: Mapping[IncidentDeed, str] = MappingProxyType(
    {
        IncidentDeed.TOLD: N_("Told only"),
        IncidentDeed.SLOWED: N_("Slowed"),
        IncidentDeed.PAUSED: N_("Paused"),
        IncidentDeed.STOPPED: N_("Stopped"),
    }
)
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "hard": N_(
            "%(part)s of %(whole)s messages came back because the address does not exist or is closed"
            " (%(share)s)."
        ),
        "complaints": N_(
            "%(part)s of %(whole)s messages were reported as spam by their readers (%(share)s)."
        ),
        "deferrals": N_("%(part)s of %(whole)s messages were put off by the provider (%(share)s)."),
        "blocks": N_("%(part)s of %(whole)s messages met with an answer that shuts the sender out."),
        "seeds": N_("%(part)s of %(whole)s seed mailboxes found the message in the spam folder."),
        "answers": N_("The provider answered in such a way that sending to it rests."),
        "webhook_failing": N_("Nothing of what it is told has arrived there for an hour or more."),
        "webhook_given_up": N_("Nothing has arrived there for five days: it is told nothing any more."),
        "webhook_gone": N_("The address answered that it is gone (410): it is told nothing any more."),
        "held": N_("The provider takes the messages of the campaign ill."),
    }
)
"""Codes of `Incident.reason`; any other reason is a sentence already."""
ADVICE: Mapping[IncidentKind, str] = MappingProxyType(
    {
        IncidentKind.HARD_BOUNCES: N_(
            "Ask where these addresses come from. Leave out what was imported with them, or not written to"
            " for a year; then let it go on."
        ),
        IncidentKind.COMPLAINTS: N_(
            "Write only to those who agreed lately, put the link to unsubscribe at the top, send less often."
        ),
        IncidentKind.DEFERRALS: N_("Nothing, as a rule: it is tried again by itself, more slowly."),
        IncidentKind.BLOCKED: N_(
            "Read the answers below: they often name a block list, a page to ask at, or what the DNS"
            " lacks. Mend that first; then let it go on."
        ),
        IncidentKind.SPAM_PLACEMENT: N_(
            "Look at the message (links, pictures without text) and at the identity’s DNS; then let it go on,"
            " or send the rest to those who read you most."
        ),
        IncidentKind.HEALTH: N_("See the identity’s page: it names each fault with the record to publish."),
        IncidentKind.DECLARED: N_(
            "See what the provider says, and send less to it until the figures are better."
        ),
        IncidentKind.CANARY: N_(
            "See the campaign’s page: it shows where the seed mailboxes found the message."
        ),
        IncidentKind.WEBHOOK: N_(
            "See the page of the webhooks: its log tells what was answered. Once the address works, what"
            " waits is told by itself; one that was disabled has to be enabled again."
        ),
    }
)
STEPS: Mapping[str, str] = MappingProxyType(
    {
        "opened": N_("It began."),
        "worse": N_("It became worse."),
        "again": N_("What came since was as bad: it was done again."),
        "recovered": N_("It ended by itself."),
        "closed": N_("Closed by %(by)s."),
        "let_go_on": N_("%(by)s let it go on: what had been done was taken back."),
    }
)
FEW = N_("These are few messages: nothing was stopped for them.")
LAST = N_("Counted over the last messages of the campaign.")


@dataclass(frozen=True, slots=True)
class Names:
    """What the identity and the campaign of an incident are called; "" where it is about none."""

    identity: str = ""
    campaign: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """An incident in words of one language."""

    title: str
    where: str
    what: str
    done: str
    advice: str
    steps: tuple[tuple[datetime, str, str], ...]


def tell(incident: Incident, names: Names, tongue: Tongue, *, reason: str = "") -> Told:
    """An incident in the reader's words; `steps`: when, what, and the note somebody left.

    `reason`: what happened, where somebody else knows it in these words.
    """
    return Told(
        title=tongue.say(KINDS[incident.kind]),
        where=where_of(incident, names, tongue),
        what=reason or _what(incident, tongue),
        done=_done(incident, tongue),
        advice=tongue.say(ADVICE[incident.kind]),
        steps=tuple(_step(step, tongue) for step in incident.evidence.get("steps", ())),
    )


def letter_of(incident: Incident, told: Told, tongue: Tongue, *, over: bool) -> tuple[str, list[str]]:
    """The subject and the lines of a mail about an incident that began, or is `over`."""
    title = title_of(told)
    if over:
        by = say_borrowed(tongue, incident.ended_by)
        end = tongue.say("Over, by %(by)s.", by=by) if by else tongue.say("Over: it ended by itself.")
        return tongue.say("Over: %(title)s", title=title), [title, end, told.what]
    examples = incident.evidence.get("examples", ())[:3]
    said = [f"“{said_in(one)}” × {one.get('count', 1)}" for one in examples]
    return title, [title, told.what, told.done, told.advice, *said]


def trial_of(tongue: Tongue) -> tuple[str, list[str]]:
    """The subject and the lines of a mail that only tries the way."""
    return tongue.say("Test of the alerts"), [tongue.say("This is a test: alerts of Tocsin arrive here.")]


def title_of(told: Told) -> str:
    """What and where, in one line."""
    return " · ".join(filter(None, (told.title, told.where)))


def where_of(incident: Incident, names: Names, tongue: Tongue) -> str:
    """Whom it concerns: the identity at the provider, and the campaign."""
    if incident.kind is IncidentKind.WEBHOOK:
        return incident.provider
    provider = say_borrowed(tongue, provider_name(incident.provider)) if incident.provider else ""
    if names.identity and provider:
        sender = tongue.say("%(who)s at %(provider)s", who=names.identity, provider=provider)
    else:
        sender = names.identity or provider
    return " · ".join(filter(None, (sender, names.campaign)))


def _what(incident: Incident, tongue: Tongue) -> str:
    sentence = REASONS.get(incident.reason)
    if sentence is None:
        return say_borrowed(tongue, incident.reason)
    share = min(1.0, incident.part / incident.whole) if incident.whole else None
    told = tongue.say(
        sentence,
        part=tongue.number(incident.part),
        whole=tongue.number(incident.whole),
        share=tongue.percent(share, 2 if share is not None and share < 0.01 else 1),
    )
    more = [told]
    if incident.evidence.get("last"):
        more.append(tongue.say(LAST))
    if incident.evidence.get("few"):
        more.append(tongue.say(FEW))
    return " ".join(more)


def _done(incident: Incident, tongue: Tongue) -> str:
    until = incident.until if incident.until is not None and incident.until < UNTIL_TOLD else None
    moment = tongue.moment(until, "short")
    of_campaign = incident.campaign_id is not None
    match incident.deed:
        case IncidentDeed.TOLD:
            return tongue.say("Nothing was stopped.")
        case IncidentDeed.SLOWED:
            return tongue.say("The pace was halved; it comes back by itself as messages are taken.")
        case IncidentDeed.PAUSED | IncidentDeed.STOPPED if until is not None:
            return tongue.say(
                "Nothing leaves there until %(moment)s; then one message finds out whether mail is taken.",
                moment=moment,
            )
        case IncidentDeed.STOPPED if of_campaign and incident.provider:
            return tongue.say(
                "The rest of the campaign does not leave for this provider until somebody lets it."
            )
        case IncidentDeed.STOPPED if incident.kind is IncidentKind.WEBHOOK:
            return tongue.say("The webhook is disabled.")
        case IncidentDeed.STOPPED:
            return tongue.say("Nothing leaves until it is mended, or somebody lets it.")
        case IncidentDeed.PAUSED:
            return tongue.say("The campaign waits until somebody lets it go on.")


def said_in(example: Mapping[str, Any]) -> str:
    """What was answered, with its code, which many answers repeat in their words."""
    code, text = str(example.get("code") or ""), str(example.get("text", ""))
    return text if not code or text.startswith(code) else f"{code} {text}"


def _step(step: Mapping[str, Any], tongue: Tongue) -> tuple[datetime, str, str]:
    sentence = STEPS.get(str(step.get("what")), str(step.get("what")))
    by = say_borrowed(tongue, str(step.get("by", "")))
    told = tongue.say(sentence, by=by) if "%(" in sentence else tongue.say(sentence)
    deed = step.get("deed")
    if deed in set(IncidentDeed) and deed != IncidentDeed.TOLD.value:
        told = f"{told} {tongue.say(DEEDS[IncidentDeed(deed)])}."
    return datetime.fromisoformat(str(step["at"])), told, str(step.get("note", ""))
