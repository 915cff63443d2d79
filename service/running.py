"""The service in the foreground: what it says when it starts, until it is told to stop."""

import sys

from models.states import Channel
from service.assembly import Parts, assemble, stop_signals
from service.hosts import name_to_open
from service.logs import set_up_logs
from service.settings import Settings


async def run_service(settings: Settings, *, with_web: bool, with_worker: bool = True) -> None:
    """Run until SIGINT or SIGTERM; see `service.assembly.assemble` for what is refused."""
    set_up_logs(settings.log_level, settings.log_format)
    # Listened for before anything starts, so that an early signal stops the service in order, too.
    with stop_signals() as wanted:
        async with assemble(settings, with_web=with_web, with_worker=with_worker) as parts:
            for line in await greeting(parts, with_worker=with_worker):
                _tell(line)
            await wanted.wait()
            _tell("Stopping: what is on the wire is finished, the rest waits for the next start.")
    _tell("Stopped.")


async def greeting(parts: Parts, *, with_worker: bool = True) -> list[str]:
    """What runs, what does not, and how to get in the first time."""
    settings = parts.settings
    lines = []
    if parts.web_port is not None:
        lines.append(
            f"Tocsin is at http://{name_to_open(settings.bind_host)}:{parts.web_port} (Ctrl-C stops it)."
        )
        if not await _anybody_may_sign_in(parts):
            lines.append(f"Open that page to make the first account; the code is {parts.setup_code}")
    else:
        lines.append("Tocsin is sending, without web pages (Ctrl-C stops it).")
    if not with_worker:
        lines.append("Nothing is sent from here: that is for the workers.")
    if parts.metrics_port is not None:
        lines.append(f"Its figures are on {settings.metrics_host}, port {parts.metrics_port}.")
    if Channel.EMAIL not in parts.transports:
        lines.append("No mail relay is set, so no e-mail leaves: set TOCSIN_SMTP_URL.")
    if parts.inbound_port is not None:
        lines.append(
            f"Bounces and complaints are received on {settings.inbound_host}, port {parts.inbound_port}."
        )
    lines += [
        f"Programs hand over mail on {settings.submission_host}, port {port}."
        for port in parts.submission_ports
    ]
    if settings.inbound_lmtp is not None and parts.web_port is not None:
        lines.append(f"Bounces and complaints are received by LMTP at {settings.inbound_lmtp}.")
    return lines


async def _anybody_may_sign_in(parts: Parts) -> bool:
    from store.users import any_user

    async with parts.database.read() as session:
        return await any_user(session)


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
