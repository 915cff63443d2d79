"""The plain way, a yardstick: Jinja2, EmailMessage, dkimpy and aiosmtplib, each as its manual shows it.

One message after the other, in one process, without a database: what a careful afternoon's script does.
Run as a module; prints one line of JSON.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

import aiosmtplib
import dkim
from jinja2 import Environment

from benchmarks import newsletter
from benchmarks.ledger import RECIPIENT_DOMAIN, SIGNING_DOMAIN
from models.signing import DkimAlgorithm
from sender.dkim import make_key
from templates import compile_email

WARM_UP = 5
TOKEN = "a" * 24


def finished_html() -> str:
    """The newsletter's finished HTML, its expressions left in."""
    fields = compile_email(
        subject=newsletter.SUBJECT,
        preheader=newsletter.PREHEADER,
        mjml=newsletter.mjml(),
        fallbacks={},
        language="fr",
    ).fields
    compiled = compile_email(
        subject="x", preheader="", mjml=newsletter.mjml(), fallbacks=dict.fromkeys(fields, "x"), language="fr"
    )
    values = {**newsletter.person(1), **dict.fromkeys(("organisation", "postal_address"), "L’Association")}
    message = compiled.render(values, click_base="CLICK", unsubscribe_url="UNSUBSCRIBE")
    html = message.html.decode()
    # One person's values become expressions again: the size, and what is filled in, are the same.
    for name in ("first_name", "commune", "code"):
        written = values[name].encode("ascii", "xmlcharrefreplace").decode()
        html = html.replace(written, f"{{{{ {name} }}}}")
    return html.replace("CLICK", "{{ click }}").replace("UNSUBSCRIBE", "{{ unsubscribe }}")


def _builder() -> Callable[[int], tuple[str, str, bytes]]:
    environment = Environment(autoescape=True)
    html, subject = environment.from_string(finished_html()), Environment().from_string(newsletter.SUBJECT)  # noqa: S701 (a subject is no HTML)
    pem = make_key(DkimAlgorithm.RSA).private_pem.encode()

    def build(number: int) -> tuple[str, str, bytes]:
        unsubscribe = f"https://tocsin.example/u/{TOKEN}"
        values = {
            **newsletter.person(number),
            "click": f"https://tocsin.example/c/{TOKEN}",
            "unsubscribe": unsubscribe,
        }
        sender, recipient = f"b+{number}@retours.{SIGNING_DOMAIN}", f"r{number}@{RECIPIENT_DOMAIN}"
        message = EmailMessage(policy=SMTP)
        message["From"] = f"L’Association <lettre@{SIGNING_DOMAIN}>"
        message["To"] = recipient
        message["Subject"] = subject.render(values)
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{number}@{SIGNING_DOMAIN}>"
        message["List-Unsubscribe"] = f"<{unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message["Feedback-ID"] = "1:1:email:tocsin"
        message.set_content(newsletter.PARAGRAPH * 20)
        message.add_alternative(html.render(values), subtype="html")
        raw = message.as_bytes()
        relaxed = (b"relaxed", b"relaxed")
        signature = dkim.sign(raw, b"rsa", SIGNING_DOMAIN.encode(), pem, canonicalize=relaxed)
        return sender, recipient, signature + raw

    return build


async def _send(port: int, count: int) -> float:
    build = _builder()
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, use_tls=False, start_tls=False) as client:
        begun = 0.0
        for number in range(-WARM_UP, count):
            if number == 0:
                begun = time.perf_counter()
            sender, recipient, raw = build(abs(number))
            await client.sendmail(sender, [recipient], raw)
    return count / (time.perf_counter() - begun)


def main() -> None:
    """Send and tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("count", type=int)
    given = parser.parse_args()
    sys.stdout.write(json.dumps({"rate": asyncio.run(_send(given.port, given.count))}) + "\n")


if __name__ == "__main__":
    main()
