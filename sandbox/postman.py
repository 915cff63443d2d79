"""Carries what the sandbox mails to the service: reports, complaints, automatic answers."""

import aiosmtplib

from sandbox.errands import Errands
from sandbox.notices import Notice
from sandbox.witness import Witness

# The service may be restarting, which rehearsals do on purpose.
ATTEMPTS = 6
RETRY_SECONDS = 0.5
TIMEOUT_SECONDS = 20.0


class Postman:
    """Delivers to the service's inbound mail server from the null path, a few times if need be."""

    def __init__(self, errands: Errands, witness: Witness) -> None:
        """`inbound` is where to go; None delivers nothing and counts a failure."""
        self.inbound: tuple[str, int] | None = None
        self._errands = errands
        self._witness = witness

    async def deliver(self, notice: Notice) -> bool:
        """Whether the service has taken it."""
        for attempt in range(1, ATTEMPTS + 1):
            if await self._try(notice):
                self._witness.notices["sent"] += 1
                return True
            # Real time, whatever the world's speed: it is the service that needs it.
            await self._errands.pause(RETRY_SECONDS * attempt * self._errands.speed)
        self._witness.notices["failed"] += 1
        return False

    async def _try(self, notice: Notice) -> bool:
        if self.inbound is None:
            return False
        host, port = self.inbound
        client = aiosmtplib.SMTP(hostname=host, port=port, timeout=TIMEOUT_SECONDS, start_tls=False)
        try:
            async with client:
                await client.sendmail("", [notice.recipient], notice.content, mail_options=["BODY=8BITMIME"])
        except (aiosmtplib.SMTPException, OSError):
            return False
        return True
