"""The record by which somebody shows that a domain is theirs, and what the DNS says of it.

Beside the domain and not at it (`_send-verify.`): the domain's own texts are crowded, and one who may only
add names below it can still do so. An answer that did not come is never taken for a record that is gone.
"""

import asyncio
import secrets
from enum import StrEnum

from deliverability.dns_records import DnsRecord
from deliverability.exchangers import AsksTheDns
from deliverability.resolver import CannotAskError

PROOF_LABEL = "_send-verify"
PROOF_WORD = "tocsin-verify="
TOKEN_BYTES = 20
PATIENCE_SECONDS = 15.0


class Seen(StrEnum):
    """What was seen of a proof: THERE, certainly not there (GONE), or nobody could say (UNKNOWN)."""

    THERE = "there"
    GONE = "gone"
    UNKNOWN = "unknown"


def draw_token() -> str:
    """What a new record is to hold."""
    return secrets.token_hex(TOKEN_BYTES)


def proof_record(domain: str, token: str) -> DnsRecord:
    """The record to publish."""
    return DnsRecord(
        f"{PROOF_LABEL}.{domain}",
        "TXT",
        f"{PROOF_WORD}{token}",
        "Shows that the domain is yours: it is looked for every day.",
    )


async def look_for_proof(resolver: AsksTheDns, domain: str, token: str) -> Seen:
    """Whether the domain shows the token; others beside it do no harm."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await resolver.ask(f"{PROOF_LABEL}.{domain}", "TXT")
    except (CannotAskError, TimeoutError):
        return Seen.UNKNOWN
    wanted = f"{PROOF_WORD}{token}".encode()
    shown = [text.strip().strip('"').encode() for text in answer.values]
    return Seen.THERE if any(secrets.compare_digest(text, wanted) for text in shown) else Seen.GONE
