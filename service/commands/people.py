"""`tocsin import`: people out of a spreadsheet, with a line of explanation for each that stays out."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.errors import BadInputError
from models.states import Channel, ConsentStatus
from models.text import plural
from service.commands import examples, read_pairs
from service.desk import Desk, work
from service.terminal import progress_bar, say

if TYPE_CHECKING:
    from audience.import_columns import Column
    from audience.imports import ImportResult
    from store.imports import Checkpoint


class Update(StrEnum):
    """What the file does to people who are known already."""

    OVERWRITE = "overwrite"
    FILL = "fill"
    KEEP = "keep"


File = Annotated[
    Path, typer.Argument(help="A CSV file: a heading, then one person a line.", metavar="PEOPLE.CSV")
]
Mapped = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help="Which field a column is, where its heading does not tell; several times if need be.",
        metavar="COLUMN=FIELD",
    ),
]
Source = Annotated[
    str, typer.Option(help="Where these people gave their data, kept with each consent.", metavar="TEXT")
]
Consent = Annotated[
    list[str] | None,
    typer.Option(
        help="What all of them agreed to, where the file does not say: email, sms, or email=withdrawn.",
        metavar="CHANNEL",
    ),
]
Known = Annotated[
    Update, typer.Option(help="People known already: overwrite, fill what is empty, or keep as they are.")
]
Encoding = Annotated[str | None, typer.Option(help="Of the file; found out if not given.", metavar="NAME")]
Separator = Annotated[
    str | None, typer.Option(help="Between columns; found out if not given.", metavar="SIGN")
]
Region = Annotated[
    str, typer.Option(help="Country of telephone numbers without a country code.", metavar="CODE")
]
Report = Annotated[
    Path | None,
    typer.Option(help="Where to write why rows were rejected; beside the file if not given.", metavar="FILE"),
]
KnownOnly = Annotated[bool, typer.Option("--known-only", help="Leave out columns that are no known field.")]

CONSENTING = frozenset({"email_consent", "sms_consent"})


def import_(
    *,
    file: File,
    mapping: Mapped = None,
    source: Source = "",
    consent: Consent = None,
    update: Known = Update.OVERWRITE,
    encoding: Encoding = None,
    separator: Separator = None,
    region: Region = "FR",
    report: Report = None,
    known_only: KnownOnly = False,
) -> None:
    """Read people from a CSV file.

    Rows that cannot be used are listed in a report beside the file, each with the reason; the others are
    imported. The same file imported twice changes nothing; an import that was interrupted goes on where
    it was. The fields are described in docs/import.md.
    """
    consents = _consents(consent or [])
    mapped = read_pairs(mapping or [], "--map")
    so_far = Counter[str]()

    async def bring_in(desk: Desk) -> "ImportResult":
        from audience.imports import ImportOptions, UpdatePolicy, import_contacts

        options = ImportOptions(
            mapping=mapped,
            source=source,
            separator=separator,
            encoding=encoding,
            report_path=report,
            update=UpdatePolicy(update.value),
            consents=consents,
            keep_unknown=not known_only,
            region=region,
        )
        with progress_bar() as bar:
            task = bar.add_task(file.name, total=None)

            def on_progress(done: int, size: int, counts: "Checkpoint") -> None:
                so_far["rows"] = counts.rows_read
                people = plural(counts.rows_read, "row")
                bar.update(task, completed=done, total=size, description=f"{file.name}: {people}")

            return await import_contacts(desk.database, file, options, desk.clock, on_progress)

    with _telling_when_stopped(file, so_far):
        result = work(bring_in)
    _print_result(file, result, consents)


@contextmanager
def _telling_when_stopped(file: Path, so_far: Mapping[str, int]) -> Iterator[None]:
    """What is in already, and how to go on, for whoever types Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        rows = so_far["rows"]
        told = f" {plural(rows, 'row')} of {file.name} are in." if rows else ""
        say(f"Stopped.{told} Import the file again to go on where it was.")
        raise


def _consents(words: Iterable[str]) -> dict[Channel, ConsentStatus]:
    """`email` or `email=withdrawn` as the consent of everybody in the file."""
    consents: dict[Channel, ConsentStatus] = {}
    for word in words:
        channel, _, status = word.partition("=")
        try:
            consents[Channel(channel)] = ConsentStatus(status or ConsentStatus.GRANTED)
        except ValueError as error:
            raise BadInputError(
                f"--consent {word!r} is not understood.", "Write email, sms, or email=withdrawn."
            ) from error
    return consents


def _print_result(file: Path, result: "ImportResult", consents: Mapping[Channel, ConsentStatus]) -> None:
    if result.resumed_at:
        say(f"Went on from line {result.resumed_at:,}, where an import of this file was interrupted.")
    from audience.exports import recognise

    export = recognise([column.header for column in result.columns])
    known = f" It is an export of {export.name}." if export is not None else ""
    say(f"{file.name}: {plural(result.rows_read, 'row')} read.{known} {_columns(result.columns)}")
    say(
        f"{result.rows_created:,} created, {result.rows_updated:,} updated,"
        f" {result.rows_unchanged:,} unchanged, {result.rows_rejected:,} rejected."
    )
    if result.rows_noted:
        say(f"{plural(result.rows_noted, 'row')} came in with something missing or doubtful.")
    if result.addresses_suppressed:
        addresses = plural(result.addresses_suppressed, "address is", "addresses are")
        say(f"{addresses} suppressed and will not be written to.")
    if result.report_path is not None:
        say(f"The report says which and why: {result.report_path}")
    if not consents and not any(column.field in CONSENTING for column in result.columns):
        say(
            "The file does not say who agreed to be written to, so those who are new get nothing yet. If they"
            " did agree, import it again with --consent email, or sms."
        )


def _columns(columns: Iterable["Column"]) -> str:
    """Which column was read as what, in one sentence each for fields, attributes and the rest."""
    fields, attributes, ignored = [], [], []
    for column in columns:
        if column.field == "ignore":
            ignored.append(column.header)
        elif column.field.startswith("attr."):
            attributes.append(column.header)
        else:
            fields.append(f"{column.header} as {column.field}")
    sentences = [f"Columns: {', '.join(fields)}."]
    if attributes:
        sentences.append(f"Kept as attributes: {', '.join(attributes)}.")
    if ignored:
        sentences.append(f"Left out: {', '.join(filter(None, ignored)) or 'columns without a heading'}.")
    return " ".join(sentences)


def register(app: typer.Typer) -> None:
    """Put the command on the root."""
    app.command(
        "import",
        rich_help_panel="Prepare",
        epilog=examples(
            "tocsin import people.csv",
            "tocsin import people.csv --source 'form on our site' --consent email",
            "tocsin import people.csv --map 'Courriel perso=email' --map 'Notes=ignore'",
        ),
    )(import_)
