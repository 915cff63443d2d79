"""Rows to begin a test with: each function needs only what the test is about."""

import itertools
from collections.abc import Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.segments import parse_segment
from models.campaign import Campaign
from models.contact import Contact
from models.identity import DkimKey, Identity, TerritoryKind
from models.keyring import Keyring
from models.seed import SeedMailbox
from models.segment import Segment
from models.signing import DkimAlgorithm
from models.states import Channel, ConsentStatus, IdentityRule, IdentityState
from models.suppression import address_hash
from models.template import TemplateVersion
from models.text import fold
from scheduler.campaigns import NewCampaign, create_campaign
from sender.dkim import make_key
from store import identities, segments, templates
from tests.clocks import START

_numbers = itertools.count(1)

SECRET = "a secret for tests, long enough to be one"
KEYRING = Keyring(SECRET)
MJML = """<mjml><mj-body><mj-section><mj-column>
<mj-text>Bonjour {{ first_name }}, rendez-vous à {{ commune|default("la mairie") }}.</mj-text>
<mj-button href="https://exemple.fr/agir">Agir</mj-button>
</mj-column></mj-section></mj-body></mjml>"""


async def a_contact(
    session: AsyncSession,
    *,
    email: str | None = "",
    phone: str | None = None,
    first_name: str | None = "Camille",
    commune: str = "Marseille",
    departement: str = "13",
    region: str = "93",
    email_consent: ConsentStatus = ConsentStatus.GRANTED,
    sms_consent: ConsentStatus = ConsentStatus.GRANTED,
) -> Contact:
    """A person of Marseille who agreed to everything; a new e-mail address unless one is given."""
    address = f"camille.{next(_numbers)}@exemple.fr" if email == "" else email
    contact = Contact(
        email=address,
        email_hash=address_hash(Channel.EMAIL, address) if address else None,
        email_domain=address.rpartition("@")[2] if address else None,
        phone=phone,
        phone_hash=address_hash(Channel.SMS, phone) if phone else None,
        first_name=first_name,
        commune=commune,
        commune_key=fold(commune),
        departement=departement,
        region=region,
        email_consent=email_consent,
        sms_consent=sms_consent,
        created_at=START,
        updated_at=START,
    )
    session.add(contact)
    await session.flush()
    return contact


async def an_identity(
    session: AsyncSession,
    *,
    key: str = "national",
    domain: str = "parti.fr",
    territory: TerritoryKind = TerritoryKind.NATIONAL,
    territory_value: str = "",
    emails_per_second: float | None = 1000,
    sms_sender: str | None = "PARTI",
    state: IdentityState = IdentityState.ACTIVE,
    algorithms: Sequence[DkimAlgorithm] = (DkimAlgorithm.ED25519,),
) -> Identity:
    """An identity that may send, fast, with one signing key."""
    keys = []
    for algorithm in algorithms:
        made = make_key(algorithm)
        keys.append(
            DkimKey(
                identity_id=0,
                selector=f"t-{algorithm.value.split('-')[0]}",
                algorithm=algorithm,
                sealed_private_pem=KEYRING.encrypt(made.private_pem),
                public_base64=made.public_base64,
                created_at=START,
            )
        )
    identity = Identity(
        key=key,
        name="Le Parti",
        from_email=f"{key}@{domain}",
        return_path_domain=f"retour.{domain}",
        dkim_domain=domain,
        sms_sender=sms_sender,
        territory=territory,
        territory_value=territory_value,
        organisation="Le Parti",
        postal_address="1 rue de la Paix, 75002 Paris",
        emails_per_second=emails_per_second,
        sms_per_second=1000,
        state=state,
        created_at=START,
    )
    return await identities.add_identity(session, identity, keys)


async def a_segment(session: AsyncSession, text: str = "everyone", *, name: str = "") -> Segment:
    """A segment of that rule."""
    return await segments.save_segment(
        session, name=name or text, text=text, tree=parse_segment(text), now=START
    )


async def a_template(
    session: AsyncSession,
    *,
    channel: Channel = Channel.EMAIL,
    subject: str = "Bonjour {{ first_name }}",
    body: str = "",
    fallbacks: dict[str, str] | None = None,
    name: str = "",
) -> TemplateVersion:
    """A template that needs a first name."""
    default = MJML if channel is Channel.EMAIL else "Bonjour {{ first_name }}, à samedi. STOP au 36000"
    return await templates.save_version(
        session,
        name=name or f"modele {next(_numbers)}",
        channel=channel,
        subject=subject if channel is Channel.EMAIL else "",
        preheader="",
        body=body or default,
        fallbacks=fallbacks or {},
        now=START,
    )


async def a_campaign(
    session: AsyncSession,
    *,
    version: TemplateVersion | None = None,
    include: Sequence[Segment] = (),
    exclude: Sequence[Segment] = (),
    senders: Sequence[Identity] = (),
    rule: IdentityRule = IdentityRule.ONE,
    with_seeds: bool = True,
) -> Campaign:
    """A draft to everyone from a national identity, unless told otherwise."""
    version = version or await a_template(session)
    include = include or [await a_segment(session)]
    senders = senders or [await an_identity(session)]
    wanted = NewCampaign(
        name=f"Campagne {next(_numbers)}",
        template_version_id=version.id,
        include=[segment.id for segment in include],
        exclude=[segment.id for segment in exclude],
        identity_ids=[identity.id for identity in senders],
        identity_rule=rule,
        with_seeds=with_seeds,
    )
    return await create_campaign(session, wanted, START)


async def a_seed(
    session: AsyncSession, *, address: str = "seed@gmail.com", provider: str = "gmail"
) -> SeedMailbox:
    """A seed mailbox nobody reads."""
    seed = SeedMailbox(
        address=address,
        provider=provider,
        imap_host="127.0.0.1",
        imap_port=1,
        tls=False,
        username=address,
        sealed_password=KEYRING.encrypt("secret"),
    )
    session.add(seed)
    await session.flush()
    return seed
