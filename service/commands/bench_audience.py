"""How long a large audience takes on this machine: brought in, counted, frozen."""

from typing import Annotated

import typer

from service import loops
from service.terminal import print_table, say


def audience(
    *,
    people: Annotated[
        int, typer.Option(help="People in the file; a tenth of them comes first, beside it.", min=1000)
    ] = 1_000_000,
    database_url: Annotated[
        str,
        typer.Option(
            help="A PostgreSQL server on which databases may be made, and removed again. Without it, SQLite"
            " alone is measured.",
            metavar="URL",
        ),
    ] = "",
    events: Annotated[
        int,
        typer.Option(
            help="Also how long pages take with so many events behind them; ten million take minutes.",
            min=0,
        ),
    ] = 0,
) -> None:
    """Measure how long a large audience takes.

    A made-up file of people with tags, territory and consents is imported, a segment counted, a preview
    asked for, and a campaign to everybody frozen: with suppressions, consents, frequency caps, sending hours
    and a sender for each territory. On SQLite and on PostgreSQL; nothing is kept.
    """
    from benchmarks.audience import bench_audience, goals, lines
    from benchmarks.report import PROMISED_MS, bench_pages_on

    found = loops.run(bench_audience(people, database_url, say))
    print_table(
        ("database", "people", "step", "time", "pace", "processor", "memory", "growth", ""),
        lines(found),
        empty="",
    )
    print_table(
        ("goal", "measured", "promised", ""), goals(found), empty="The goals are for a million people."
    )
    if events:
        addresses = ["", database_url] if database_url else [""]
        rows = loops.run(bench_pages_on(addresses, events, say))
        print_table(("database", "page", "time", f"below {PROMISED_MS} ms"), rows, empty="")
