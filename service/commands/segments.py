"""`tocsin segment`: named rules over people, and how many each clause keeps."""

from pathlib import Path
from typing import Annotated

import typer

from models.errors import BadInputError
from models.segment import Segment
from models.segment_tree import Node, tree_from_json
from models.text import plural
from service.commands import examples, noun, read_text
from service.desk import Desk, work
from service.terminal import print_table, say
from service.wishes import wanted_segment

group = noun("Named rules over people: made, counted, explained.")
Name = Annotated[str, typer.Argument(help="Name of the segment.", metavar="NAME")]


@group.command(
    "add",
    epilog=examples(
        "tocsin segment add lyon 'commune:Lyon'",
        "tocsin segment add members-69 'tag:member and departement:69 except level:elected'",
        "tocsin segment add everybody --file everybody.txt",
    ),
)
def add(
    name: Name,
    rule: Annotated[str | None, typer.Argument(help="The rule, in quotes.", metavar="RULE")] = None,
    file: Annotated[
        Path | None, typer.Option(help="Read the rule from this file instead.", metavar="FILE")
    ] = None,
) -> None:
    """Make a segment, or give one a new rule, and count who belongs.

    The language of rules is described in docs/segments.md.
    """
    if (rule is None) == (file is None):
        raise BadInputError(
            "A segment needs its rule once.", "Give it in quotes after the name, or with --file."
        )
    text = rule if file is None else read_text(file)
    count = work(lambda desk: _save(desk, name, text or ""))
    say(f"{name}: {plural(count, 'person', 'people')} now.")


async def _save(desk: Desk, name: str, text: str) -> int:
    from audience.segments import count, parse_segment, write_segment
    from store.segments import save_segment

    now = desk.clock.now()
    tree = parse_segment(text)
    async with desk.database.write() as session:
        await save_segment(session, name=name, text=write_segment(tree), tree=tree, now=now)
        return await count(session, tree, now)


@group.command("list", epilog=examples("tocsin segment list"))
def list_() -> None:
    """Show every segment with its rule."""

    async def read(desk: Desk) -> list[Segment]:
        from store.segments import list_segments

        async with desk.database.read() as session:
            return await list_segments(session)

    print_table(
        ["Segment", "Rule"],
        [(segment.name, segment.text) for segment in work(read)],
        empty="There is no segment yet: `tocsin segment add` makes one.",
    )


@group.command(
    "count",
    epilog=examples("tocsin segment count lyon", "tocsin segment count --rule 'tag:member and age>=18'"),
)
def count_(
    name: Annotated[str | None, typer.Argument(help="Name of the segment.", metavar="NAME")] = None,
    rule: Annotated[str | None, typer.Option(help="A rule to try, not kept.", metavar="RULE")] = None,
) -> None:
    """Count the people a segment, or a rule not yet kept, matches now."""

    async def read(desk: Desk) -> int:
        from audience.segments import count

        tree = await _tree(desk, name, rule)
        async with desk.database.read() as session:
            return await count(session, tree, desk.clock.now())

    say(str(work(read)))


@group.command(
    "explain",
    epilog=examples("tocsin segment explain lyon", "tocsin segment explain --rule 'tag:member and age>=18'"),
)
def explain_(
    name: Annotated[str | None, typer.Argument(help="Name of the segment.", metavar="NAME")] = None,
    rule: Annotated[str | None, typer.Option(help="A rule to try, not kept.", metavar="RULE")] = None,
) -> None:
    """Show how many people each clause of a segment matches, so that a wrong one is found."""

    async def read(desk: Desk) -> list[tuple[str, str]]:
        from audience.segments import explain

        tree = await _tree(desk, name, rule)
        async with desk.database.read() as session:
            clauses = await explain(session, tree, desk.clock.now())
        return [("  " * clause.depth + clause.text, f"{clause.count:,}") for clause in clauses]

    print_table(["Clause", "#People"], work(read), empty="The rule has no clause.")


async def _tree(desk: Desk, name: str | None, rule: str | None) -> Node:
    """The rule of a kept segment, or the one just typed."""
    from audience.segments import parse_segment

    if (name is None) == (rule is None):
        raise BadInputError("Say which segment.", "Give its name, or a rule with --rule.")
    if rule is not None:
        return parse_segment(rule)
    async with desk.database.read() as session:
        return tree_from_json((await wanted_segment(session, name or "")).tree)


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="segment", rich_help_panel="Prepare")
