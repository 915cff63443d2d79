"""A newsletter, a plain way to hand it over, and what a service's web site saw."""

import smtplib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sandbox import World

WorldMaker = Callable[..., Awaitable[World]]


@dataclass(frozen=True)
class Visit:
    """One HTTP request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


@dataclass
class Website:
    """Stands for the service's public pages; `/c/…` redirects, `statuses` decides otherwise."""

    url: str = ""
    visits: list[Visit] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)

    def paths(self, method: str) -> list[str]:
        return [visit.path for visit in self.visits if visit.method == method]


RETURN_PATH = "b+abcdefgh@bounces.parti.example"


def a_message(
    base: str,
    *,
    message_id: str = "<m1@parti.example>",
    sender: str = "contact@parti.example",
    extra: str = "",
) -> bytes:
    """A newsletter as a decent sender writes it."""
    html = f'<p>Bonjour <a href="{base}/c/tok/0">un</a> <a href="{base}/c/tok/1">deux</a> '
    html += f'<a href="{base}/u/leave">partir</a> <a href="https://www.example.org/">dehors</a></p>'
    lines = [
        f"From: Le parti <{sender}>",
        "To: someone@example.org",
        "Subject: =?utf-8?q?R=C3=A9union?=",
        "Date: Tue, 03 Mar 2026 10:00:00 +0000",
        f"Message-ID: {message_id}",
        f"List-Unsubscribe: <{base}/u/leave>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        *([extra] if extra else []),
        "MIME-Version: 1.0",
        "Content-Type: text/html; charset=us-ascii",
        "",
        html,
        ".a line that begins with a dot",
        "",
    ]
    return "\r\n".join(lines).encode()


def send(
    address: tuple[str, int], recipient: str, content: bytes, *, return_path: str = RETURN_PATH
) -> tuple[int, str]:
    """One message over a connection of its own; the reply that decided, code and text."""
    with smtplib.SMTP(*address, timeout=60) as client:
        client.ehlo("sender.parti.example")
        code, text = client.mail(return_path)
        if code == 250:
            code, text = client.rcpt(recipient)
        if code == 250:
            code, text = client.data(content)
        return code, text.decode()
