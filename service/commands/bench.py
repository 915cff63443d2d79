"""How fast this installation is on this machine, beside yardsticks measured at the same time."""

from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks import SendPlan
from benchmarks.plan import Signing
from service import loops
from service.commands import examples, noun
from service.commands.bench_audience import audience
from service.commands.bench_events import events
from service.terminal import print_table, say

if TYPE_CHECKING:
    from benchmarks.figures import Figures

Scribes = Annotated[
    int | None,
    typer.Option(help="Processes that write and sign for each; as Tocsin chooses without it.", min=0),
]
Server = Annotated[
    str,
    typer.Option(
        help="A PostgreSQL server on which a database may be made, and removed again. Without it, a SQLite"
        " file.",
        metavar="URL",
    ),
]


def send(
    *,
    recipients: Annotated[int, typer.Option(help="People written to in each run.", min=100)] = 10_000,
    runs: Annotated[int, typer.Option(help="Runs, of which the median is told.", min=1)] = 5,
    database_url: Server = "",
    processes: Annotated[int, typer.Option(help="Sending processes (PostgreSQL).", min=1)] = 1,
    threads: Annotated[
        int, typer.Option(help="Threads a process that build and sign; 0: as Tocsin chooses.", min=0)
    ] = 0,
    scribes: Scribes = None,
    connections: Annotated[int, typer.Option(help="SMTP connections a process.", min=1)] = 10,
    signing: Annotated[Signing, typer.Option(help="Who signs.")] = Signing.PRODUCT,
    ed25519: Annotated[bool, typer.Option("--ed25519", help="A second signature, Ed25519.")] = False,
    tls: Annotated[bool, typer.Option("--tls", help="TLS to the relay.")] = False,
    rtt: Annotated[float, typer.Option(help="Round trip to the relay, in milliseconds.", min=0)] = 0,
    growth: Annotated[bool, typer.Option("--growth", help="One more run, ten times as large.")] = False,
    nodemailer: Annotated[
        bool, typer.Option("--nodemailer", help="nodemailer beside it (needs node and npm).")
    ] = False,
) -> None:
    """Measure how many e-mails a second leave this machine.

    A temporary database, a 45 kB newsletter, real SMTP to a sink in another process that counts; beside it,
    what this machine signs a second, and the plain way of sending. Nothing leaves the machine, and nothing is
    kept.
    """
    from benchmarks.send import bench_send

    plan = SendPlan(
        run_recipients=recipients,
        runs=runs,
        warm_up=min(recipients, 2_000),
        database_url=database_url,
        processes=processes,
        threads=threads,
        scribes=scribes,
        connections=connections,
        signing=signing,
        ed25519=ed25519,
        tls=tls,
        round_trip_ms=rtt,
        nodemailer=nodemailer,
        growth=growth,
    )
    _show(loops.run(bench_send(plan, say)))


def _show(figures: "Figures") -> None:
    from benchmarks.figures import JUDGED_FROM, goals, lines

    print_table(("", ""), lines(figures), empty="")
    print_table(
        ("goal", "measured", "promised", ""),
        [(goal.name, goal.measured, goal.promised, goal.verdict) for goal in goals(figures)],
        empty="No goal is about this configuration; the figures are told beside.",
    )
    if figures.plan.run_recipients < JUDGED_FROM:
        say(f"The goals are judged from {JUDGED_FROM:,} recipients a run on (`--recipients`).")


def register(app: typer.Typer) -> None:
    """Put these commands on the root."""
    bench = noun("Measure this installation on this machine.")
    bench.command(
        epilog=examples(
            "tocsin bench send",
            "tocsin bench send --database-url postgresql://localhost/postgres --processes 2",
            "tocsin bench send --signing relay --runs 3",
        )
    )(send)
    bench.command(
        epilog=examples(
            "tocsin bench audience",
            "tocsin bench audience --people 100000 --database-url postgresql://localhost/postgres",
            "tocsin bench audience --events 10000000",
        )
    )(audience)
    bench.command(
        epilog=examples(
            "tocsin bench events --database-url postgresql://localhost/postgres",
            "tocsin bench events --events 2000 --runs 1",
        )
    )(events)
    app.add_typer(bench, name="bench", rich_help_panel="Run")
