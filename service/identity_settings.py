"""The settings about sender identities: what their owners must show, and how their mail reaches providers."""

from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from models.health import ProofKind

ON, OFF = "on", "off"


def _proofs(value: str) -> str:
    words = {word.strip().lower() for word in value.split(",")}
    if words != {OFF} and not words <= {kind.value for kind in ProofKind}:
        raise ValueError("is not what can be asked for; write dns,mailbox or dns or mailbox or off")
    return ",".join(sorted(words))


def _addresses(value: str) -> str:
    for part in filter(None, (part.strip() for part in value.split(","))):
        try:
            ip_address(part)
        except ValueError:
            raise ValueError("is not a list of IP addresses; write 192.0.2.1, 2001:db8::1") from None
    return value


def _blocklists(value: str) -> str:
    words = {word.strip().lower() for word in value.split(",")}
    if words not in ({OFF}, {ON}):
        from deliverability.health.blocklists import blocklists

        if not words <= set(blocklists()):
            raise ValueError(f"is not what can be asked; write off, on, or some of {', '.join(blocklists())}")
    return ",".join(sorted(words))


class IdentitySettings(BaseModel):
    """What this installation asks of its identities, and knows of the way their mail takes."""

    identity_proofs: Annotated[str, AfterValidator(_proofs)] = Field(
        default="dns,mailbox",
        description="What the owner of a new sender identity must show before it sends: dns (a TXT record of"
        " its domain), mailbox (a link mailed to its address), both, or off. Identities that send already"
        " are not asked.",
    )
    identity_suspend: bool = Field(
        default=True,
        description="Whether an identity whose mail providers would refuse (no signing key in the DNS, DMARC"
        " that fails) is suspended by itself after two looks, until it is mended. false only warns: for a"
        " relay that signs in your name with keys of its own.",
    )
    sending_ips: Annotated[str, AfterValidator(_addresses)] = Field(
        default="",
        description="Addresses from which providers receive your mail, separated by commas, when the mail"
        " server that hands it to them is your own: their names, SPF and block lists are then looked at."
        " Without it, a provider's relay is taken to do that.",
    )
    relay_spf: str = Field(
        default="",
        description="What your mail relay asks to put into SPF, as include:spf.relay.example; for the records"
        " to publish. Without it, a blank to fill in.",
    )
    blocklists: Annotated[str, AfterValidator(_blocklists)] = Field(
        default=OFF,
        description="Public block lists that are asked about your addresses and domains: off, on for all that"
        " Tocsin knows, or their zones separated by commas, as zen.spamhaus.org,bl.spamcop.net. They have"
        " terms of use, and most answer no public name server: set TOCSIN_DNS_SERVERS to one of your own.",
    )

    @property
    def blocklist_zones(self) -> tuple[str, ...]:
        """The zones `blocklists` names."""
        if self.blocklists == OFF:
            return ()
        from deliverability.health.blocklists import blocklists

        return tuple(blocklists()) if self.blocklists == ON else tuple(self.blocklists.split(","))

    @property
    def required_proofs(self) -> frozenset[ProofKind]:
        """What `identity_proofs` asks for."""
        if self.identity_proofs == OFF:
            return frozenset()
        return frozenset(ProofKind(word) for word in self.identity_proofs.split(","))


IDENTITY_FIELDS = frozenset(IdentitySettings.model_fields)
