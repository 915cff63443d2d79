"""SpamAssassin, asked by spamd's own protocol (SPAMC/1.5): REPORT gives each rule with its points."""

import asyncio
import math
import re

from deliverability.filters.scores import (
    LONGEST_SENTENCE,
    LONGEST_WORD,
    MOST_REPLY_OCTETS,
    FilterError,
    SpamScore,
    Symbol,
    in_order,
)

REQUIRED = 5.0
"""The usual threshold, for an answer that does not tell its own."""
_ADVICE = "Check TOCSIN_SPAM_FILTER_URL."
_NO_SPAMD = "What answers there is no SpamAssassin."
_STATUS = re.compile(rb"SPAMD/[\d.]+ (\d+) (\S+)")
_SPAM = re.compile(
    rb"^Spam: *(?:True|False|Yes|No) *; *(-?[\d.]+) */ *(-?[\d.]+) *\r?$", re.IGNORECASE | re.MULTILINE
)
_RULE = re.compile(r" ?(-?\d+(?:\.\d+)?) +([A-Z][A-Z0-9_]*) *(.*)")
_MORE = re.compile(r" {10,}(\S.*)")


class SpamAssassin:
    """A spamd at `host` and `port`."""

    def __init__(self, host: str, port: int, timeout_seconds: float) -> None:
        self._host, self._port, self._timeout_seconds = host, port, timeout_seconds

    async def score(self, message: bytes, *, sender: str, recipient: str) -> SpamScore:  # noqa: ARG002
        """See `SpamFilter.score`; spamd reads who writes to whom in the message itself."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                raw = await self._ask(message)
        except TimeoutError as error:
            raise FilterError("SpamAssassin did not answer in time.", _ADVICE) from error
        except OSError as error:
            raise FilterError("SpamAssassin cannot be reached.", _ADVICE) from error
        return read_answer(raw)

    async def _ask(self, message: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(b"REPORT SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(message))
            writer.write(message)
            await writer.drain()
            writer.write_eof()
            raw = await reader.read(MOST_REPLY_OCTETS)
            while len(raw) < MOST_REPLY_OCTETS and (more := await reader.read(MOST_REPLY_OCTETS - len(raw))):
                raw += more
            return raw
        finally:
            writer.close()


def read_answer(raw: bytes) -> SpamScore:
    """The answer to a REPORT; FilterError for anything else."""
    head, _, report = raw.partition(b"\r\n\r\n")
    status = _STATUS.match(head)
    if status is None:
        raise FilterError(_NO_SPAMD, _ADVICE)
    if status[1] != b"0":
        raise FilterError(f"SpamAssassin answered {status[2][:40].decode('ascii', 'replace')}.", _ADVICE)
    found = _SPAM.search(head)
    score, required = (_number(found[1]), _number(found[2])) if found else (None, None)
    if score is None:
        raise FilterError(_NO_SPAMD, _ADVICE)
    return SpamScore(
        filter="SpamAssassin",
        score=score,
        mark=required or REQUIRED,
        delay=None,
        reject=None,
        symbols=in_order([symbol for symbol in _read_report(report) if symbol.points]),
    )


def _read_report(report: bytes) -> list[Symbol]:
    """The table at the end of the report: points, name, meaning, which may go on in the next line."""
    _, _, table = report.decode("utf-8", "replace").rpartition("---- ----")
    symbols: list[Symbol] = []
    for line in table.splitlines():
        if rule := _RULE.match(line):
            meaning = rule[3].strip()[:LONGEST_SENTENCE]
            symbols.append(Symbol(rule[2][:LONGEST_WORD], _number(rule[1].encode()) or 0.0, meaning))
        elif symbols and (more := _MORE.match(line)):
            last = symbols[-1]
            whole = f"{last.meaning} {more[1].strip()}"[:LONGEST_SENTENCE]
            symbols[-1] = Symbol(last.name, last.points, whole)
    return symbols


def _number(raw: bytes) -> float | None:
    try:
        number = float(raw)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
