"""What the front door is given when the house is assembled; it builds none of it itself."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import gettempdir

from models.clock import Clock
from models.keyring import Keyring
from models.states import Channel, Nature
from models.tokens import Tokens
from scheduler.forecast import ForecastOptions
from scheduler.lookout import Lookout
from scheduler.pricing import UNPRICED, Price
from sender import Transport
from store import Database
from web.health import Vitals
from web.hook_desk import HookDesk
from web.lint_desk import LintDesk
from web.replay_desk import ReplayDesk


async def _nobody_to_wake() -> None:
    """Stands in where no conductor runs in this process."""


@dataclass(frozen=True, slots=True)
class WebContext:
    """The parts the pages work with.

    `public_url` is how the outside reaches this service, without a final slash; `https` makes cookies
    Secure. `setup_code` is asked for once, to make the first administrator; the service prints it on
    its terminal. `wake` tells the conductor to look at the ledger now. `twilio_auth_token` empty:
    the Twilio hooks answer 404; so does a provider's hook without `hook_secrets` under its key.
    `transports` carry test messages; a channel without one has none. A click
    sooner than `machine_span` after its message arrived counts as a machine's; zero trusts every moment,
    as a rehearsal at many times the natural speed has to. `zone` (IANA) and `language` are the settings'
    defaults, `nature` what a new campaign is unless somebody says; `outlook` is what forecasts are made with,
    `lookout` how identities are looked at. `vitals`: how this process says how it is. Uploaded files and the
    reports on them are kept under `data_dir`. `api`: whether programs may call, a key `api_per_minute` times
    in each process unless it has a limit of its own; `webhooks_here`: webhooks may lead to this machine.
    `bounce_place` names the mailbox in which bounces gather, `listens` where mail is received, if anywhere.
    """

    database: Database
    clock: Clock
    tokens: Tokens
    keyring: Keyring
    public_url: str
    setup_code: str
    wake: Callable[[], Awaitable[None]] = field(default=_nobody_to_wake)
    twilio_auth_token: str = ""
    hook_secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hooks: HookDesk = field(default_factory=HookDesk)
    replays: ReplayDesk = field(default_factory=ReplayDesk)
    lint: LintDesk = field(default_factory=LintDesk)
    bounce_place: str = ""
    listens: Sequence[str] = ()
    transports: Mapping[Channel, Transport] = field(default_factory=dict)
    machine_span: timedelta = timedelta(seconds=2)
    zone: str = "Europe/Paris"
    language: str = "fr"
    nature: Nature = Nature.UNSAID
    vitals: Vitals = field(default_factory=Vitals)
    lookout: Lookout = field(default_factory=Lookout)
    outlook: ForecastOptions = field(default_factory=ForecastOptions)
    data_dir: Path = field(default_factory=lambda: Path(gettempdir()))
    api: bool = True
    api_per_minute: int = 20_000
    price: Price = UNPRICED
    webhooks_here: bool = False

    @property
    def secure(self) -> bool:
        """Whether people reach the pages over HTTPS."""
        return self.public_url.startswith("https://")
