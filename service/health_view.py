"""What a look at an identity found, in the terminal's English: the sentences of the pages."""

from datetime import UTC

from deliverability.health import HealthFinding
from web.health_words import advised, said
from web.i18n import SOURCE_LANGUAGE, Tongue

ENGLISH = Tongue(SOURCE_LANGUAGE, UTC)


def sentence(finding: HealthFinding) -> str:
    """What was found."""
    return said(finding, ENGLISH)


def advice(finding: HealthFinding, key: str) -> str:
    """What to do about it, "" for nothing; `key` is the identity's, for the command that prints records."""
    told = advised(finding, ENGLISH)
    if finding.record is None:
        return told
    place = f"`tocsin identity check {key}` prints it: {finding.record.type} {finding.record.name}."
    return f"{told} {place}"
