"""The life of a sender identity in words: why it is in its state, what its proofs and its keys wait for.

The terminal takes the same English sentences.
"""

from collections.abc import Mapping
from types import MappingProxyType

from deliverability.dns_records import DnsRecord
from deliverability.health.findings import HealthCode
from models.health import ProofKind
from scheduler.lifecycle import FIRST_SENT, MENDED, PROOF_LOST, SHOWN, WARMED_UP, WARMING_UP
from scheduler.signing_keys import RotationStep
from web.health_words import say_code
from web.i18n import N_, Tongue

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


def say_reason(reason: str, by: str, tongue: Tongue) -> str:
    """Why an identity is in its state: what a person said, or what it came to by itself."""
    if by or not reason:
        return reason
    return " ".join(_say_word(word, tongue) for word in reason.split())


def _say_word(word: str, tongue: Tongue) -> str:
    if word in REASONS:
        return tongue.say(REASONS[word])
    try:
        return say_code(HealthCode(word), {}, tongue)
    except ValueError:
        return word


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
