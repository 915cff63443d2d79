"""Everything the checks look at, gathered beforehand: the checks themselves ask nobody and wait for nothing.

What was not looked at, because it does not apply or nobody could be asked, is None; it is never taken for
something that is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage

from deliverability.filters import SpamScore
from deliverability.health import HealthFinding
from models.states import Channel, LegalBasis, Nature, Purpose
from scheduler.advertising import UNBOUND, Advertising
from scheduler.forecast import ColdLane
from templates.label import Label
from templates.sms import Length


@dataclass(frozen=True, slots=True)
class Sender:
    """The identity that would write."""

    key: str
    name: str
    organisation: str
    postal_address: str
    from_email: str = ""
    reply_to: str = ""
    sms_sender: str = ""

    @property
    def from_domain(self) -> str:
        """The domain people see."""
        return self.from_email.rpartition("@")[2].lower()


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the HTML: where it leads at last, what is shown for it, whether it passes our counter."""

    target: str
    shown: str
    tracked: bool = True


@dataclass(frozen=True, slots=True)
class Mail:
    """One e-mail of the campaign as it would leave, to one person: `raw` its octets, `parsed` the same read.

    `html` and `text`: the parts decoded, empty where there is none. `words` and `images`: what the HTML
    shows. `largest`: octets of the HTML for the person with the longest values. `reader`: that person's
    names, and e-mail address.
    """

    raw: bytes
    parsed: EmailMessage
    html: str
    text: str
    links: Sequence[Link]
    words: str
    images: int
    without_alt: int
    largest: int
    unsubscribe_url: str
    reader: Sequence[str] = ()

    @property
    def subject(self) -> str:
        """As people read it."""
        return str(self.parsed["Subject"] or "")


@dataclass(frozen=True, slots=True)
class Text:
    """The text message of the person with the longest values, what it costs, and a cheaper spelling."""

    text: str
    length: Length
    offending: Sequence[str]
    cheaper: Length


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who would get it. `blanks`: how many would see a blank, in which `fields`.

    `not_agreed` and `too_young`, besides, are left out of political advertising chosen by their data.
    `first`: the identity has written to nobody before, and is not on a warm-up plan. `cold`: lanes whose
    warm-up plan takes less than is wanted.
    """

    people: int
    blanks: int = 0
    fields: Sequence[str] = ()
    first: bool = False
    cold: Sequence[ColdLane] = ()
    not_agreed: int = 0
    too_young: int = 0


@dataclass(frozen=True, slots=True)
class VotesAhead:
    """What votes mean for a campaign that starts as planned.

    `silenced`: people in silence then, of whom it leaves out all or some; `receiving`: the others. Of these
    `missed` would not leave before `cut_off`. `votes`: their names, `over`: when the last of them is,
    `begins`: when the next silence does, where that is within two days of the start. By the clock of the
    installation.
    """

    silenced: int = 0
    receiving: int = 0
    missed: int = 0
    cut_off: str = ""
    votes: str = ""
    over: str = ""
    begins: str = ""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the spam filter says, or why it says nothing; neither when none is set."""

    score: SpamScore | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """One campaign, or one template, as one identity would send it.

    `broken`: why the message cannot be made; then there is neither `mail` nor `text`. `unable`: why the
    identity cannot send now. `carried`: whether this installation has a way out for the channel. `health`
    None: the DNS was not asked. `crowd` None: there is no audience, only a template. `label`: of political
    advertising. `nature` None: there is no campaign; `ahead` None: nor would votes bind it.
    """

    channel: Channel
    sender: Sender
    basis: LegalBasis = LegalBasis.CONSENT
    purpose: Purpose = Purpose.CAMPAIGN
    public_url: str = ""
    broken: str = ""
    unable: str = ""
    carried: bool = True
    mail: Mail | None = None
    text: Text | None = None
    health: Sequence[HealthFinding] | None = None
    crowd: Crowd | None = None
    opinion: Opinion = field(default_factory=Opinion)
    advertising: Advertising = UNBOUND
    label: Label | None = None
    nature: Nature | None = None
    ahead: VotesAhead | None = None
