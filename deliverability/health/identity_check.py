"""The whole look at one identity, part by part, within limits of time and number of questions."""

import asyncio
from collections.abc import Sequence

from deliverability.dns_records import domain_of, report_address_of
from deliverability.exchangers import AsksTheDns
from deliverability.health.alignment import NO_KEY, Message, simulate
from deliverability.health.bimi import check_bimi
from deliverability.health.dkim import DkimLook, check_key
from deliverability.health.dmarc import DmarcLook, check_dmarc
from deliverability.health.findings import FindingLevel, HealthCode, HealthFinding, Part
from deliverability.health.host import check_host
from deliverability.health.incoming_security import check_mta_sts, check_tls_reports
from deliverability.health.inquiry import Inquiry, plain_name
from deliverability.health.mail_exchange import check_from_domain, check_return_path
from deliverability.health.setup import FetchText, Limits, SendingSetup
from deliverability.health.spf import SpfLook, Standing, check_spf
from deliverability.resolver import CannotAskError
from models.identity import DkimKey, Identity
from models.signing import DkimAlgorithm

USUAL_LIMITS = Limits()
NOT_KNOWN = SendingSetup()
_ORDER = {part: index for index, part in enumerate(Part)}


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
    Without an answer to any question: one finding that says so.
    """
    if identity.from_email is None:
        return [HealthFinding(HealthCode.GENERAL_SMS_ONLY, FindingLevel.FINE)]
    inquiry = Inquiry(resolver, limits)
    try:
        findings = await _Look(identity, identity.from_email, keys, inquiry, setup=setup, fetch=fetch).whole()
    finally:
        await inquiry.close()
    if not inquiry.answered:
        return [HealthFinding(HealthCode.GENERAL_DNS_SILENT, FindingLevel.UNKNOWN)]
    if inquiry.cut_short:
        values = {"questions": str(limits.questions), "seconds": f"{limits.time.total_seconds():g}"}
        findings.append(HealthFinding(HealthCode.GENERAL_CUT_SHORT, FindingLevel.UNKNOWN, values))
    return sorted(findings, key=lambda finding: _ORDER[finding.part])


class _Look:
    """One identity's parts, which ask at the same time and share their answers."""

    def __init__(
        self,
        identity: Identity,
        from_email: str,
        keys: Sequence[DkimKey],
        inquiry: Inquiry,
        *,
        setup: SendingSetup,
        fetch: FetchText | None,
    ) -> None:
        self._from_domain = plain_name(domain_of(from_email))
        self._domain = plain_name(identity.dkim_domain or self._from_domain)
        self._return_path = plain_name(identity.return_path_domain or self._domain)
        self._reports = setup.report_address or report_address_of(identity)
        self._keys = keys
        self._setup = setup
        self._fetch = fetch
        self._inquiry = inquiry

    async def whole(self) -> list[HealthFinding]:
        """Every part. Zones are asked for first: they say how a name is written into a form."""
        names = (self._from_domain, self._domain, self._return_path)
        zones = dict(zip(names, await asyncio.gather(*map(self._zone, names)), strict=True))
        parts = await asyncio.gather(
            check_return_path(self._return_path, self._setup.inbound_host, self._inquiry),
            check_from_domain(self._from_domain, self._inquiry),
            check_host(self._setup, self._inquiry),
            self._authentication(zones),
            self._courtesies(zones[self._from_domain]),
        )
        return [finding for part in parts for finding in part]

    async def _authentication(self, zones: dict[str, str]) -> list[HealthFinding]:
        keys = asyncio.gather(
            *(check_key(key, self._domain, self._inquiry, zone=zones[self._domain]) for key in self._keys)
        )
        spf = check_spf(
            self._return_path,
            self._setup,
            self._inquiry,
            zone=zones[self._return_path],
            is_ours_alone=self._return_path != self._from_domain,
        )
        looks, spf_look, dmarc = await asyncio.gather(keys, spf, self._dmarc(zones[self._from_domain]))
        findings = [*self._own_keys(), *(each for look in looks for each in look.findings)]
        findings += [*spf_look.findings, *dmarc.findings]
        if dmarc.walk is not None:
            message = Message(
                self._from_domain, self._domain, self._return_path, _dkim(looks), _spf(spf_look)
            )
            zone = zones[self._from_domain]
            findings.append(await simulate(message, dmarc.walk, self._inquiry, zone=zone))
        return findings

    async def _dmarc(self, zone: str) -> DmarcLook:
        try:
            exists = (await self._inquiry.ask(self._from_domain, "MX")).exists
        except CannotAskError:
            exists = True
        return await check_dmarc(self._from_domain, self._reports, self._inquiry, zone=zone, exists=exists)

    async def _courtesies(self, zone: str) -> list[HealthFinding]:
        """What no provider asks for."""
        dmarc = await self._dmarc(zone)
        organisation = dmarc.walk.organisation if dmarc.walk else self._from_domain
        found = await asyncio.gather(
            check_mta_sts(self._from_domain, self._fetch, self._inquiry, zone=zone),
            check_tls_reports(self._from_domain, self._reports, self._inquiry, zone=zone),
            check_bimi(self._from_domain, organisation, dmarc.policy, self._inquiry, zone=zone),
        )
        return list(found)

    def _own_keys(self) -> list[HealthFinding]:
        """What can be said of the keys without asking anybody."""
        values = {"name": self._domain}
        if not self._keys:
            return [HealthFinding(HealthCode.DKIM_NO_KEY, FindingLevel.PROBLEM, values)]
        if all(key.algorithm is not DkimAlgorithm.RSA for key in self._keys):
            return [HealthFinding(HealthCode.DKIM_NO_RSA, FindingLevel.PROBLEM, values)]
        return []

    async def _zone(self, name: str) -> str:
        try:
            return await self._inquiry.zone_of(name)
        except CannotAskError:
            return ""


def _dkim(looks: Sequence[DkimLook]) -> str:
    """What a receiver finds of our signatures: one that verifies is enough."""
    if not looks:
        return NO_KEY
    results = {look.verifies for look in looks}
    if True in results:
        return Standing.PASS.value
    return (Standing.UNKNOWN if None in results else Standing.BROKEN).value


def _spf(look: SpfLook) -> str:
    return look.standing.value
