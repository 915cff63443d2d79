"""The life of a sender identity in words: why it is in its state, what its proofs and its keys wait for.

The terminal takes the same English sentences.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from deliverability.dns_records import DnsRecord
from deliverability.health import FindingLevel
from models.health import HealthCheck, ProofKind
from scheduler.lifecycle import FIRST_SENT, MENDED, PROOF_LOST, SHOWN, WARMED_UP, WARMING_UP
from scheduler.lookout import findings_of
from scheduler.signing_keys import RotationStep
from web.health_words import said
from web.i18n import N_, Tongue

MOST_SAID = 3
GRAVE = (FindingLevel.PROBLEM, FindingLevel.WARNING)
REASONS: Mapping[str, str] = MappingProxyType(
    {
        SHOWN: N_("Its domain and its address were shown to be its owner’s."),
        FIRST_SENT: N_("It has sent its first campaign."),
        PROOF_LOST: N_("The record that shows whose domain it is has been gone for a day or more."),
        MENDED: N_("What was wrong is mended."),
        WARMING_UP: N_("Mailbox providers are getting to know it."),
        WARMED_UP: N_("Mailbox providers know it now."),
    }
)
PROOFS: Mapping[ProofKind, str] = MappingProxyType(
    {
        ProofKind.DNS: N_("The domain: a record in its DNS"),
        ProofKind.MAILBOX: N_("The address: a link in a letter"),
    }
)
STEPS: Mapping[RotationStep, tuple[str, str]] = MappingProxyType(
    {
        RotationStep.PUBLISH: (
            N_("Publish the records of the new keys"),
            N_("They are looked for every hour. Nothing changes for your mail until they are there."),
        ),
        RotationStep.WAIT: (
            N_("The new records are there"),
            N_("An hour after they were first seen, if they are there still, the new keys sign."),
        ),
        RotationStep.KEEP: (
            N_("The new keys sign; keep the old records"),
            N_("Mail on its way is still checked against them. Leave them in the DNS until then."),
        ),
        RotationStep.REVOKE: (
            N_("Withdraw the old records"),
            N_("Put these in their place, or delete the old ones. Once that is seen, the change is done."),
        ),
    }
)
"""What a change of keys is waiting for, and what comes of it."""


def say_reason(reason: str, by: str, tongue: Tongue, looks: Sequence[HealthCheck] = ()) -> str:
    """Why an identity is in its state: what a person said, or what it came to by itself.

    Of `looks`, the latest first, comes what the sentences of a finding are filled with.
    """
    if by or not reason:
        return reason
    return " ".join(_say_word(word, tongue, looks) for word in reason.split())


def _say_word(word: str, tongue: Tongue, looks: Sequence[HealthCheck]) -> str:
    if word in REASONS:
        return tongue.say(REASONS[word])
    for look in looks:
        for found in findings_of(look):
            if found.code == word:
                return said(found, tongue)
    return word


def say_look(look: HealthCheck, tongue: Tongue) -> str:
    """What a look found to mend, the gravest first, a few of them."""
    found = findings_of(look)
    grave = [each for level in GRAVE for each in found if each.level is level]
    return " ".join(dict.fromkeys(said(each, tongue) for each in grave[:MOST_SAID]))


def text_for_host(records: list[tuple[DnsRecord, tuple[str, ...]]], domain: str, tongue: Tongue) -> str:
    """One text to send to whoever runs the domain's DNS: each record, and what it takes the place of."""
    lines = [tongue.say(N_("Hello,")), ""]
    lines.append(
        tongue.say(
            N_("please publish these records in the DNS of %(domain)s, exactly as they are."), domain=domain
        )
    )
    for record, replaces in records:
        lines += ["", tongue.say(N_("Name: %(name)s"), name=record.name)]
        lines.append(tongue.say(N_("Type: %(type)s"), type=record.type))
        lines.append(tongue.say(N_("Value: %(value)s"), value=record.value))
        lines += [tongue.say(N_("It replaces: %(value)s"), value=value) for value in replaces]
    lines += ["", tongue.say(N_("Thank you."))]
    return "\n".join(lines)
