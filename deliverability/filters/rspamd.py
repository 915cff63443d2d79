"""rspamd, asked over HTTP (`POST /checkv2`), by its normal worker or its controller.

The message is not passed as mail of an authenticated user: rspamd would spare it most of its rules.
"""

import asyncio
import json
import math
from typing import Any

import httpx

from deliverability.filters.scores import (
    LONGEST_SENTENCE,
    LONGEST_WORD,
    MOST_REPLY_OCTETS,
    FilterError,
    SpamScore,
    Symbol,
    in_order,
)

GREYLIST, ADD_HEADER, REJECT = 4.0, 6.0, 15.0
"""Thresholds of `conf/actions.conf` as rspamd comes, for an answer that does not tell its own."""
MOST_SYMBOLS = 200
NOT_RSPAMD = "What answers there is no rspamd"
_ADVICE = "Check TOCSIN_SPAM_FILTER_URL."


class Rspamd:
    """An rspamd at `base_url`; `password` where its controller wants one."""

    def __init__(self, base_url: str, password: str, timeout_seconds: float) -> None:
        self._url = f"{base_url}/checkv2"
        self._password = password
        self._timeout_seconds = timeout_seconds

    async def score(self, message: bytes, *, sender: str, recipient: str) -> SpamScore:
        """See `SpamFilter.score`."""
        headers = {"From": sender, "Rcpt": recipient, "Content-Type": "message/rfc822"}
        if self._password:
            headers["Password"] = self._password
        try:
            async with asyncio.timeout(self._timeout_seconds):
                raw = await self._ask(message, headers)
        except TimeoutError as error:
            raise FilterError("rspamd did not answer in time.", _ADVICE) from error
        except httpx.HTTPError as error:
            raise FilterError("rspamd cannot be reached.", _ADVICE) from error
        return read_answer(raw)

    async def _ask(self, message: bytes, headers: dict[str, str]) -> bytes:
        # trust_env: a proxy of the machine has no business between us and our own filter.
        async with (
            httpx.AsyncClient(timeout=self._timeout_seconds, trust_env=False) as client,
            client.stream("POST", self._url, content=message, headers=headers) as answer,
        ):
            if answer.status_code in {401, 403}:
                raise FilterError("rspamd wants another password.", _ADVICE)
            if answer.status_code != 200:
                raise FilterError(f"{NOT_RSPAMD}, or it is ill: it said {answer.status_code}.", _ADVICE)
            parts: list[bytes] = []
            size = 0
            async for part in answer.aiter_bytes():
                size += len(part)
                if size > MOST_REPLY_OCTETS:
                    raise FilterError(f"{NOT_RSPAMD}: its answer has no end.", _ADVICE)
                parts.append(part)
            return b"".join(parts)


def read_answer(raw: bytes) -> SpamScore:
    """An answer of `/checkv2`; FilterError for anything else."""
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise FilterError(f"{NOT_RSPAMD}.", _ADVICE) from error
    if not isinstance(answer, dict) or _number(answer.get("score")) is None:
        raise FilterError(f"{NOT_RSPAMD}.", _ADVICE)
    # Skipped without a rule: nobody looked. With one it is the mark that all filters agree to refuse.
    if answer.get("is_skipped") is True and not answer.get("symbols"):
        raise FilterError("rspamd skips messages that come from here.", "Look at its own settings.")
    told = answer.get("thresholds")
    thresholds = told if isinstance(told, dict) else {}
    found = answer.get("symbols")
    symbols = found if isinstance(found, dict) else {}
    read = [_symbol(name, one) for name, one in list(symbols.items())[:MOST_SYMBOLS]]
    return SpamScore(
        filter="rspamd",
        score=_number(answer["score"]) or 0.0,
        mark=_number(thresholds.get("add header")) or ADD_HEADER,
        delay=_number(thresholds.get("greylist")) or GREYLIST,
        reject=_number(thresholds.get("reject")) or REJECT,
        symbols=in_order([symbol for symbol in read if symbol.points]),
    )


def _symbol(name: str, raw: Any) -> Symbol:
    told = raw if isinstance(raw, dict) else {}
    meaning = told.get("description")
    points = _number(told.get("score")) or 0.0
    return Symbol(name[:LONGEST_WORD], points, meaning[:LONGEST_SENTENCE] if isinstance(meaning, str) else "")


def _number(raw: Any) -> float | None:
    """A finite number, None for anything else."""
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        return None
    return float(raw)
