"""What the DNS says of a sender identity, and what to publish so that receivers believe it.

What comes in: an identity, its keys, a resolver (`deliverability.resolver.DnsResolver` or a test's own) and
how this installation sends. What goes out: findings as codes and values, each with the exact record that
mends it; the words are the reader's (`web.health_words`). Called by the scheduler (the daily look), the web
(the identity's page) and the service (the doctor, the command line). Nothing here goes out by itself.
"""

from deliverability.health.findings import (
    FindingLevel,
    HealthCode,
    HealthFinding,
    finding_from_json,
    finding_to_json,
    level_of,
)
from deliverability.health.identity_check import check_identity
from deliverability.health.setup import SendingSetup

__all__ = [
    "FindingLevel",
    "HealthCode",
    "HealthFinding",
    "SendingSetup",
    "check_identity",
    "finding_from_json",
    "finding_to_json",
    "level_of",
]
