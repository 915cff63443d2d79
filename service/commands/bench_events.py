"""How fast news from outside takes effect on this machine: webhooks, bounces, complaints."""

from typing import Annotated

import typer

from service import loops
from service.terminal import print_table, say


def events(
    *,
    events: Annotated[int, typer.Option(help="Pieces of news in each run.", min=500)] = 10_000,
    runs: Annotated[int, typer.Option(help="Runs of each kind, of which the median is told.", min=1)] = 3,
    database_url: Annotated[
        str,
        typer.Option(
            help="A PostgreSQL server on which a database may be made, and removed again. Without it, a"
            " SQLite file.",
            metavar="URL",
        ),
    ] = "",
    rate: Annotated[float, typer.Option(help="Events a second of the run that is paced.", min=1)] = 500.0,
    connections: Annotated[int, typer.Option(help="Connections of each kind of source.", min=1)] = 20,
) -> None:
    """Measure how fast news from outside takes effect.

    A real service, and a process that is everybody outside: SendGrid posting a hundred events at once, Amazon
    SES one by one, mail servers with bounces by SMTP and by LMTP. From the first post to the last effect in
    the tables; one in ten is told twice, some is forged, and every effect is compared with what was told.
    """
    from benchmarks.event_figures import goals, lines
    from benchmarks.events import EventPlan, bench_events

    plan = EventPlan(events, runs, rate, connections, database_url)
    commits, found = loops.run(bench_events(plan, say))
    head = (
        "",
        "events",
        "a commit",
        "CPU: service + database + client",
        "answer p50 / p99",
        "effect p50 / p99",
    )
    print_table(head, lines(commits, found), empty="")
    print_table(("goal", "measured", "promised", ""), goals(found), empty="")
