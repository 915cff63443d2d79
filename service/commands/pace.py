"""`tocsin pace`: how fast each provider and identity is served, what is slowed, and what answers mean."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from models.pace import LimitScope, Measure
from models.providers import provider_name
from models.text import plural
from service.commands import examples, noun
from service.commands.bounces import tell_unproven
from service.desk import Desk, work
from service.terminal import print_table, say, set_in, words

if TYPE_CHECKING:
    from deliverability.consequences import Consequence

group = noun("How fast messages leave, what is slowed and why, and what answers mean.")
Scope = Annotated[
    LimitScope, typer.Argument(help="What it is about: relay, identity, provider, lane or domain.")
]
Subject = Annotated[
    str, typer.Argument(help="Which: email, 3, orange, 3:orange or example.org:orange.", metavar="SUBJECT")
]
Of = Annotated[Measure, typer.Argument(help="What is counted.", metavar="MEASURE")]
Days = Annotated[int, typer.Option(help="How many days to look back.", metavar="DAYS", min=1)]
SHOWN = 30


class OneScope(TyperCommand):
    """A command about a scope and a subject, which may be written as one word too: `provider:orange`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments, with the first such word taken apart."""
        for place, word in enumerate(args):
            scope, _, subject = word.partition(":")
            if scope in set(LimitScope) and args[place - 1 : place] != ["--note"]:
                apart = [scope, subject] if subject else [word]
                return super().parse_args(ctx, [*args[:place], *apart, *args[place + 1 :]])
        return super().parse_args(ctx, args)


@group.command("list", epilog=examples("tocsin pace list", "tocsin pace list --all"))
def list_pace(
    everything: Annotated[
        bool, typer.Option("--all", help="Show what each provider usually gets, too.")
    ] = False,
) -> None:
    """What is slowed or rests at present and why, and the limits that somebody set."""
    from scheduler import pace_desk
    from service.rhythm import pace_of

    async def look(desk: Desk) -> pace_desk.Overview:
        async with desk.database.read() as session:
            return await pace_desk.overview(
                session, pace=pace_of(desk.settings), now=desk.clock.now(), zone=desk.settings.zone
            )

    seen = work(look)
    if not seen.slowed:
        say("Nothing is slowed: every lane goes at full pace.")
    for scope in seen.slowed:
        say(f"{scope.key}  {scope.told}")
        key = scope.key.replace(":", " ", 1)
        set_in(f"Rule {scope.rule or '—'}. To undo it: tocsin pace reset {key}")
    say("")
    print_table(
        ("scope", "subject", "measure", "#amount", "note"),
        [(row.scope, row.subject, words(row.measure), f"{row.amount:g}", row.note) for row in seen.limits],
        empty="Nobody set a limit: the usual ones hold (`tocsin pace list --all`).",
    )
    if everything:
        print_table(
            ("provider", "name", "#a second", "#connections", "#messages a connection"),
            [
                (one.provider, one.name, f"{one.per_second:g}", one.connections, one.messages_per_connection)
                for one in seen.usual
            ],
            empty="",
        )


@group.command(
    "set",
    cls=OneScope,
    epilog=examples(
        "tocsin pace set provider orange per_second 2",
        "tocsin pace set lane 3:gmail per_day 2000 --note 'new sender'",
        "tocsin pace set relay email per_hour 10000",
    ),
)
def set_pace(
    scope: Scope,
    subject: Subject,
    measure: Of,
    amount: Annotated[float, typer.Argument(help="At most so many.", metavar="AMOUNT")],
    note: Annotated[str, typer.Option(help="Why, for those who read it later.", metavar="TEXT")] = "",
) -> None:
    """Set a limit, over the settings and the usual ones. Running workers see it within ten seconds."""
    from models.pace import PaceLimit
    from scheduler import pace_desk

    async def change(desk: Desk) -> None:
        now = desk.clock.now()
        limit = PaceLimit(
            scope=scope, subject=subject, measure=measure, amount=amount, note=note, changed_at=now
        )
        async with desk.database.write() as session:
            await pace_desk.set_limit(session, limit)

    work(change)
    say(f"{scope} {subject}: at most {amount:g} {words(measure)}.")


@group.command("unset", cls=OneScope, epilog=examples("tocsin pace unset provider orange per_second"))
def unset_pace(scope: Scope, subject: Subject, measure: Of) -> None:
    """Go back to the usual limit."""
    from scheduler import pace_desk

    async def change(desk: Desk) -> None:
        async with desk.database.write() as session:
            await pace_desk.unset_limit(session, scope, subject, measure)

    work(change)
    say(f"{scope} {subject}: {words(measure)} as usual.")


@group.command(
    "reset",
    cls=OneScope,
    epilog=examples("tocsin pace reset provider gmail", "tocsin pace reset lane 3:orange"),
)
def reset_pace(scope: Scope, subject: Subject) -> None:
    """Let what is slowed or rests go at full pace again, at once; an hour's or a day's limit counts anew."""
    from scheduler import pace_desk

    async def change(desk: Desk) -> str:
        async with desk.database.write() as session:
            return await pace_desk.reset_scope(session, scope, subject, desk.clock.now())

    say(f"{work(change)}: at full pace again.")


@group.command("review", epilog=examples("tocsin pace review --days 7"))
def review_answers(days: Days = 30) -> None:
    """Answers of mail servers that no rule knows, the most frequent first: write rules for them."""
    from deliverability.replay import Unread, review

    async def look(desk: Desk) -> list[Unread]:
        async with desk.database.read() as session:
            return await review(session, since=desk.clock.now() - timedelta(days=days))

    forms = work(look)
    print_table(
        ("provider", "code", "#count", "answer"),
        [
            (
                provider_name(one.provider),
                " ".join(filter(None, (str(one.code or ""), one.enhanced))),
                one.count,
                one.text,
            )
            for one in forms[:SHOWN]
        ],
        empty=f"Every answer of the last {plural(days, 'day')} is known to a rule.",
    )
    if len(forms) > SHOWN:
        say(f"… and {plural(len(forms) - SHOWN, 'other form')}.")


@group.command(
    "replay",
    epilog=examples(
        "tocsin pace replay --rules new-rules.toml --days 90",
        "tocsin pace replay --rules new-rules.toml --apply",
    ),
)
def replay_answers(
    rules: Annotated[
        Path | None,
        typer.Option(help="Rules to try; without it, rules.toml of the data directory.", metavar="FILE"),
    ] = None,
    days: Days = 30,
    act: Annotated[
        bool, typer.Option("--apply", help="Carry it out: people are suppressed, or spared.")
    ] = False,
) -> None:
    """What other rules would have made of the answers of the past. Nothing is changed without --apply."""
    from deliverability.replay import Replay, carry_out, replay
    from deliverability.rulebook import OWN_FILE, read_rules, shipped
    from service.pacing import follow_rules

    async def look(desk: Desk) -> Replay:
        follow_rules(desk.settings)
        file = rules or desk.settings.data_dir / OWN_FILE
        book = read_rules(file) if rules is not None or file.exists() else shipped()
        now = desk.clock.now()
        since, routes = now - timedelta(days=days), frozenset(desk.settings.smtp_routes)
        if act:
            return await carry_out(desk.database, book, since=since, now=now, routes=routes)
        async with desk.database.read() as session:
            return await replay(session, book, since=since, routes=routes)

    seen = work(look)
    print_table(
        ("provider", "#count", "read as", "would be", "example"),
        [
            (provider_name(one.provider), one.count, one.before, one.after, one.example[:80])
            for one in seen.changes[:SHOWN]
        ],
        empty=f"{plural(seen.read, 'answer')} read again: each would be read as it was.",
    )
    if seen.changes:
        changed = sum(one.count for one in seen.changes)
        say(
            f"{changed:,} of {plural(seen.read, 'answer')} would be read differently: "
            f"{plural(seen.would_suppress, 'address', 'addresses')} more not written to any more, "
            f"{seen.would_spare:,} fewer."
        )
        tell_unproven(seen.changes)
    if seen.consequences:
        tell_consequences(seen.consequences)


DONE: Mapping[str, str] = MappingProxyType(
    {
        "wait": "the message waits",
        "slow": "half the pace",
        "crawl": "a few a minute, over one connection",
        "one_connection": "one connection",
        "suspend": "nothing leaves",
        "hold_campaign": "the campaign waits for a person",
        "refuse": "the message is given up",
    }
)
CONCERNED: Mapping[str, str] = MappingProxyType(
    {
        "lane": "the identity there",
        "provider": "everybody there",
        "identity": "the identity everywhere",
        "domain": "the signing domain there",
        "relay": "everything, everywhere",
    }
)


def tell_consequences(consequences: "Sequence[Consequence]") -> None:
    """What would have been slowed, rested or held more often, or less often."""
    from deliverability.consequences import WITHOUT_SCOPE
    from deliverability.rulebook import write_span

    say("What would have followed from them, and how often:")
    print_table(
        ("provider", "what follows", "for", "#so far", "#would be", "rules"),
        [
            (
                provider_name(one.provider),
                DONE[one.deed] if one.deed in WITHOUT_SCOPE else f"{DONE[one.deed]}: {CONCERNED[one.scope]}",
                "" if one.span is None else write_span(one.span),
                one.before,
                f"{one.after}{' at most' if one.at_most and one.after else ''}",
                ", ".join(one.rules[:3]),
            )
            for one in consequences[:SHOWN]
        ],
        empty="",
    )
    if len(consequences) > SHOWN:
        say(f"… and {len(consequences) - SHOWN:,} more.")


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="pace", rich_help_panel="Prepare")
