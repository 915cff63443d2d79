"""The report of an import: one line for each row or cell that was not taken over, written as it goes.

A table of text with the separator of the file it is about, so that it opens in the same program.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from audience.import_file import SEPARATORS, ImportFileError
from audience.import_rows import Note

__all__ = ["ImportReport"]

HEADER: Final = ("line", "what", "field", "value", "reason")
# A spreadsheet would take a value that begins so for a formula and run it.
_FORMULA: Final = ("=", "@", "\t", "\r")


class ImportReport:
    """The report at `path`; there is no file as long as there is nothing to say."""

    def __init__(self, path: Path, *, separator: str, next_line: int) -> None:
        """Go on with the report of an interrupted run, up to `next_line`; begin anew when that is 0.

        ImportFileError when something else stands at `path`, or nothing can be written there.
        """
        self._path = path
        self._separator = separator
        self._begun = False
        try:
            self._take_over(next_line)
        except OSError as error:
            raise self._unwritable(error) from error

    @property
    def path(self) -> Path | None:
        """Where it is; None as long as there is nothing to say."""
        return self._path if self._begun else None

    def _take_over(self, next_line: int) -> None:
        if not self._path.parent.is_dir():
            raise ImportFileError(f"There is no folder {self._path.parent} for the report.")
        if not self._path.exists():
            return
        with self._path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
            heading = file.readline(200).strip()
            # An earlier report may be about a file with another separator.
            if heading not in {sign.join(HEADER) for sign in (*SEPARATORS, self._separator)}:
                raise ImportFileError(
                    f"{self._path} exists and is no report of an import.", "Say another place with --report."
                )
            reader = csv.reader(file, delimiter=self._separator)
            # What was written after the last commit will be said again.
            kept = [row for row in reader if row and row[0].isdigit() and int(row[0]) < next_line]
        self._path.unlink()
        if kept:
            self._write(kept)

    def add(self, notes: Sequence[Note]) -> None:
        """Write the notes through to the file."""
        if notes:
            self._write(
                [
                    (
                        str(note.line),
                        "rejected" if note.rejected else "note",
                        note.field,
                        f"'{note.value}" if note.value.startswith(_FORMULA) else note.value,
                        note.reason,
                    )
                    for note in notes
                ]
            )

    def _write(self, rows: Sequence[Sequence[str]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self._separator)
        if not self._begun:
            writer.writerow(HEADER)
        writer.writerows(rows)
        try:
            with self._path.open("ab") as file:
                # The mark at the beginning tells spreadsheets that it is UTF-8.
                file.write(text.getvalue().encode("utf-8" if self._begun else "utf-8-sig"))
        except OSError as error:
            raise self._unwritable(error) from error
        self._begun = True

    def _unwritable(self, error: OSError) -> ImportFileError:
        return ImportFileError(
            f"The report {self._path} cannot be written: {error.strerror}.",
            "Say another place with --report.",
        )
