"""How each mailbox provider behaves, as data: what it says, what it limits, what it reports.

The wording follows what these providers really answer, since a sender has to understand that wording;
the limits are round figures a little above what a careful sender uses. Nothing here is read from the
product's own table of providers: two tables that agree are evidence, one table is not.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType


class ReportStyle(StrEnum):
    """The handwriting of a provider's delivery reports."""

    PLAIN = "plain"
    EXCHANGE = "exchange"
    GMAIL = "gmail"
    BILINGUAL = "bilingual"


class LimitedAt(StrEnum):
    """When a provider says that mail comes too fast: at MAIL FROM or once the message has come in."""

    MAIL = "mail"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Wording:
    """What the provider says, with `{recipient}`, `{host}`, `{peer}` and `{queue_id}` filled in.

    A reply of several lines has its line ends in the text, each line with its code. Each entry of
    `unknown` is said to some of the addresses.
    """

    banner: str = "220 {host} ESMTP"
    taken: str = "250 2.0.0 Ok: queued as {queue_id}"
    unknown: tuple[str, ...] = ("550 5.1.1 <{recipient}>: Recipient address rejected: User unknown",)
    disabled: str = "550 5.2.1 <{recipient}>: Recipient address rejected: This mailbox is disabled"
    full: str = "452 4.2.2 <{recipient}>: Mailbox full, try again later"
    filtered: str = "554 5.7.1 Message rejected: its content looks like spam"
    greylisted: str = "450 4.7.1 <{recipient}>: Recipient address rejected: Greylisted, try again later"
    too_fast: str = "421 4.7.0 Too much mail from {peer}, try again later"
    too_many_connections: str = "421 4.7.0 {host} Too many connections from {peer}"
    too_many_messages: str = "421 4.7.0 {host} Too many messages in one session"
    bounce_hard: str = "550 5.1.1 <{recipient}>: unknown user"
    bounce_soft: str = "452 4.2.2 <{recipient}>: mailbox over quota"
    relaying_denied: str = "550 5.7.1 <{recipient}>: Relaying denied, no such domain here"


@dataclass(frozen=True, slots=True)
class Manners:
    """One provider. None means: no such limit.

    `rate_per_second` counts messages per domain of the return path, with two seconds' worth of burst.
    Who exceeds it is shut out for `block_seconds` where the world is strict; those and
    `greylist_seconds` are before the world's speed divides them. `reports_complaints` says whether a press
    on the spam button comes back to the sender at all (RFC 5965).
    """

    key: str
    name: str
    domains: tuple[str, ...]
    host: str
    wording: Wording = field(default_factory=Wording)
    rate_per_second: float | None = None
    limited_at: LimitedAt = LimitedAt.MAIL
    connections: int | None = None
    messages_per_connection: int | None = None
    greylisted_share: float = 0.0
    greylist_seconds: float = 60.0
    block_seconds: float = 0.0
    report_style: ReportStyle = ReportStyle.PLAIN
    reports_complaints: bool = False
    to_feedback_address: bool = False
    junk_folder: str = "Junk"


GMAIL = Manners(
    key="gmail",
    name="Gmail",
    domains=("gmail.com", "googlemail.com"),
    host="gmail-smtp-in.l.google.com",
    wording=Wording(
        banner="220 mx.google.com ESMTP {queue_id} - gsmtp",
        taken="250 2.0.0 OK  {queue_id} - gsmtp",
        unknown=(
            (
                "550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
                "550-5.1.1 double-checking the recipient's email address for typos or\n"
                "550-5.1.1 unnecessary spaces. For more information, go to\n"
                "550 5.1.1  https://support.google.com/mail/?p=NoSuchUser {queue_id} - gsmtp"
            ),
        ),
        disabled="550-5.2.1 The email account that you tried to reach is inactive. For more\n"
        "550-5.2.1 information, go to\n"
        "550 5.2.1  https://support.google.com/mail/?p=DisabledUser {queue_id} - gsmtp",
        full="452-4.2.2 The recipient's inbox is out of storage space. Please direct the\n"
        "452-4.2.2 recipient to\n"
        "452 4.2.2  https://support.google.com/mail/?p=OverQuotaTemp {queue_id} - gsmtp",
        filtered="550-5.7.1 [{peer}] Gmail has detected that this message is likely\n"
        "550-5.7.1 unsolicited mail. To reduce the amount of spam sent to Gmail, this\n"
        "550-5.7.1 message has been blocked. For more information, go to\n"
        "550 5.7.1  https://support.google.com/mail/?p=UnsolicitedMessageError {queue_id} - gsmtp",
        too_fast="421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating\n"
        "421-4.7.28 from your IP address [{peer}]. To protect our users from spam, mail\n"
        "421-4.7.28 sent from your IP address has been temporarily rate limited.\n"
        "421 4.7.28  https://support.google.com/mail/?p=UnsolicitedRateLimitError {queue_id} - gsmtp",
        bounce_hard="550 5.1.1 The email account that you tried to reach does not exist.",
        bounce_soft="452 4.2.2 The recipient's inbox is out of storage space.",
    ),
    rate_per_second=50,
    block_seconds=600,
    limited_at=LimitedAt.DATA,
    connections=20,
    messages_per_connection=100,
    report_style=ReportStyle.GMAIL,
    junk_folder="[Gmail]/Spam",
)

OUTLOOK = Manners(
    key="outlook",
    name="Outlook",
    domains=(
        *("outlook.com", "outlook.fr", "hotmail.com", "hotmail.fr", "live.com", "live.fr", "msn.com"),
        *("hotmail.be", "live.be", "outlook.be"),
    ),
    host="outlook-com.olc.protection.outlook.com",
    wording=Wording(
        banner="220 DB8EUR05FT012.mail.protection.outlook.com Microsoft ESMTP MAIL Service ready",
        taken="250 2.6.0 {queue_id}@outlook.example [Hostname=DB8PR02MB5467] Queued mail for delivery",
        unknown=(
            "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). [{host}]",
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        ),
        disabled="550 5.2.1 Mailbox {recipient} disabled, not accepting messages",
        full="452 4.2.2 The email account that you tried to reach is over quota [{recipient}]",
        filtered="550 5.7.1 Message rejected as spam by Content Filtering. [{queue_id}]",
        too_fast="451 4.7.650 The mail server [{peer}] has been temporarily rate limited due to IP "
        "reputation. For e-mail delivery information, see https://postmaster.live.com (S775)",
        bounce_hard="550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        bounce_soft="552 5.2.2 STOREDRV.Deliver; mailbox full",
    ),
    rate_per_second=30,
    report_style=ReportStyle.EXCHANGE,
    reports_complaints=True,
)

YAHOO = Manners(
    key="yahoo",
    name="Yahoo",
    domains=("yahoo.com", "yahoo.fr", "ymail.com", "rocketmail.com", "aol.com", "aol.fr"),
    host="mta7.am0.yahoodns.net",
    wording=Wording(
        banner="220 mtaproxy512.free.mail.ir2.yahoo.com ESMTP ready",
        taken="250 2.0.0 ok dirdel {queue_id}",
        unknown=("552 1 Requested mail action aborted, mailbox not found",),
        disabled="554 30 Sorry, your message to {recipient} cannot be delivered. "
        "This mailbox is disabled (554.30).",
        full="452 4.2.2 Mailbox of {recipient} is over quota, please try again later",
        filtered="554 5.7.9 Message not accepted for policy reasons. "
        "See https://senders.yahooinc.com/error-codes [PH01]",
        too_fast="421 4.7.0 [TSS04] Messages from {peer} temporarily deferred due to unexpected volume or "
        "user complaints - 4.16.55.1; see https://senders.yahooinc.com/error-codes",
        too_many_messages="421 4.7.0 Max message per connection reached, closing transmission channel",
        bounce_hard="554 delivery error: dd This user doesn't have a yahoo.com account ({recipient}) [0]",
    ),
    rate_per_second=25,
    messages_per_connection=20,
    reports_complaints=True,
    to_feedback_address=True,
    junk_folder="Bulk",
)

ICLOUD = Manners(
    key="icloud",
    name="iCloud",
    domains=("icloud.com", "me.com", "mac.com"),
    host="mx01.mail.icloud.com",
    wording=Wording(
        unknown=("550 5.1.1 <{recipient}>: user does not exist",),
        full="452 4.2.2 <{recipient}>: user is over quota",
        filtered="550 5.7.1 [CS01] Message rejected due to local policy. Please visit https://support.apple.com/102322",
        too_fast="421 4.7.1 Messages to {recipient} deferred due to excessive volume. Try again later",
    ),
    rate_per_second=25,
    connections=20,
)

ORANGE = Manners(
    key="orange",
    name="Orange",
    domains=("orange.fr", "wanadoo.fr", "voila.fr"),
    host="smtp-in.orange.fr",
    wording=Wording(
        banner="220 mwinf5c04 ME ESMTP server ready",
        taken="250 2.0.0 {queue_id} mail accepted for delivery",
        unknown=("550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]",),
        disabled="550 5.2.1 Boite du destinataire archivee. Archived recipient. OFR_420 [420]",
        full="452 4.2.2 Boite du destinataire pleine. Recipient overquota. OFR_417 [417]",
        filtered="550 5.7.1 Mail rejete. Mail rejected. OFR_506 [506]",
        too_fast="421 4.7.0 mwinf5c04 ME Service refuse. Veuillez essayer plus tard. "
        "Service refused, please try later. OFR_105 [105]",
        too_many_connections="421 mwinf5c04 ME Trop de connexions, veuillez verifier votre configuration. "
        "Too many connections, slow down. OFR_104 [104]",
        too_many_messages="421 mwinf5c04 ME Trop de messages par session. "
        "Too many messages per session. OFR_109 [109]",
        bounce_hard="550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]",
        bounce_soft="552 5.2.2 Boite du destinataire pleine. Recipient overquota. OFR_417 [417]",
    ),
    rate_per_second=30,
    connections=2,
    messages_per_connection=100,
    report_style=ReportStyle.BILINGUAL,
    reports_complaints=True,
    junk_folder="QUARANTAINE",
)

LAPOSTE = Manners(
    key="laposte",
    name="La Poste",
    domains=("laposte.net",),
    host="smtpz4.laposte.net",
    wording=Wording(
        banner="220 mlpnf0109 ESMTP server ready",
        unknown=(
            "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. LPN007_416 [416]",
        ),
        disabled="550 5.2.1 Boite du destinataire bloquee. Blocked recipient. LPN007_426 [426]",
        full="452 4.2.2 Boite du destinataire pleine. Recipient overquota. LPN007_417 [417]",
        filtered="550 5.5.0 Service refuse. Service refused. LPN007_510 [510]",
        too_fast="421 4.7.0 Service refuse. Veuillez essayer plus tard. "
        "Service refused, please try later. LPN007_105 [105]",
        too_many_connections="421 Trop de connexions, veuillez verifier votre configuration. "
        "Too many connections, slow down. LPN007_104 [104]",
        too_many_messages="421 Trop de messages par session. Too many messages per session.",
        bounce_hard="550 5.1.1 Adresse d au moins un destinataire invalide. "
        "Invalid recipient. LPN007_416 [416]",
        bounce_soft="552 5.2.2 Boite du destinataire pleine. Recipient overquota. LPN007_417 [417]",
    ),
    rate_per_second=25,
    connections=2,
    messages_per_connection=100,
    report_style=ReportStyle.BILINGUAL,
    reports_complaints=True,
    junk_folder="QUARANTAINE",
)

SFR = Manners(
    key="sfr",
    name="SFR",
    domains=(
        *("sfr.fr", "neuf.fr", "cegetel.net", "club-internet.fr", "numericable.fr", "noos.fr"),
        "9online.fr",
    ),
    host="smtp-in.sfr.fr",
    wording=Wording(
        greylisted="450 4.7.1 <{recipient}>: Recipient address rejected: Greylisted, please retry later",
        too_fast="450 4.7.1 SFR_IN_105 Too many messages from {peer}, try again later",
    ),
    rate_per_second=25,
    block_seconds=7200,
    connections=2,
    greylisted_share=0.18,
    reports_complaints=True,
    junk_folder="Indésirables",
)

FREE = Manners(
    key="free",
    name="Free",
    domains=("free.fr", "aliceadsl.fr", "libertysurf.fr"),
    host="mx1.free.fr",
    wording=Wording(
        unknown=("550 5.1.1 <{recipient}>: User unknown in relay recipient table",),
        filtered="550 spam detected",
        greylisted="451 4.7.1 <{recipient}>: Greylisted for a moment, please try again",
        too_fast="421 4.7.0 too many errors or messages from {peer}, please slow down",
    ),
    rate_per_second=30,
    connections=4,
    greylisted_share=0.08,
)

GMX = Manners(
    key="gmx",
    name="GMX",
    domains=("gmx.fr", "gmx.de", "gmx.net", "gmx.com", "web.de"),
    host="mx00.emig.gmx.net",
    wording=Wording(unknown=("550 Requested action not taken: mailbox unavailable",)),
    connections=4,
    messages_per_connection=20,
    junk_folder="Spamverdacht",
)

OTHER = Manners(key="other", name="Other", domains=(), host="mx.other.example")
BBOX = replace(OTHER, key="bbox", name="Bouygues", domains=("bbox.fr",), host="mx.bbox.fr", connections=2)
# Companies' own domains behind Microsoft 365: nobody in the sandbox has one, but a sender may ask the way.
MICROSOFT365 = replace(
    OUTLOOK, key="microsoft365", name="Microsoft 365", domains=(), reports_complaints=False
)

EVERYBODY: tuple[Manners, ...] = (
    *(GMAIL, OUTLOOK, YAHOO, ICLOUD, ORANGE, LAPOSTE, SFR, FREE, GMX, BBOX, MICROSOFT365, OTHER),
)
"""Every provider of the sandbox; the last one takes what no other one does."""

_BY_DOMAIN = MappingProxyType({domain: one for one in EVERYBODY for domain in one.domains})


def manners_of(domain: str) -> Manners:
    """The provider of a domain in lower case; OTHER when it is nobody's."""
    return _BY_DOMAIN.get(domain, OTHER)
