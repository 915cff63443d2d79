"""`tocsin alerts`: whether those who are to be told of incidents can be told."""

import typer

from models.values import Accepted, Outcome, Uncertain
from service.commands import examples, noun
from service.desk import Desk, work
from service.terminal import say, set_in

group = noun("Who is told of incidents, by mail and webhook, and whether that works.")


@group.command("test", epilog=examples("tocsin alerts test"))
def test() -> None:
    """Tell every place something now, and say how each answered; the exit status is 1 if one was not told."""

    async def tell(desk: Desk) -> list[tuple[str, Outcome]]:
        from models.incident import AlertWay
        from service.alerting import AlertPost
        from service.transports import make_transports

        transports = make_transports(desk.settings)
        post = AlertPost(
            desk.settings, desk.database, desk.clock, transports=transports, keyring=desk.keyring
        )
        try:
            told = []
            for place in post.desk().places:
                whom = place.target if place.way is AlertWay.MAIL else place.target.split("/")[2]
                told.append((f"{place.way}: {whom}", await post.test(place)))
        finally:
            for transport in transports.values():
                await transport.close()
        return told

    answers = work(tell)
    if not answers:
        say("Nobody is to be told: set TOCSIN_ALERT_EMAILS or TOCSIN_ALERT_WEBHOOKS.")
    failed = False
    for whom, outcome in answers:
        told = isinstance(outcome, Accepted | Uncertain)
        failed |= not told
        say(f"{whom} {'was told' if told else 'was not told'}.")
        reply = outcome.reply
        if words := " ".join(filter(None, (str(reply.code or ""), reply.enhanced, reply.text))):
            set_in(words)
    if failed:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="alerts", rich_help_panel="Campaigns")
