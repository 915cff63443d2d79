"""How well providers' webhooks are read: a folder of recorded calls with the event each must give.

    python -m benchmarks.hooks FOLDER

FOLDER holds `expected.jsonl` (file, esp, events) and `auth_cases.jsonl` (file, esp, settings, accepted), each
naming recorded calls beside it. The samples are not part of Tocsin; without the folder there is nothing to
measure. Calls recorded long ago are read as of the moment they were signed where that is told, and what is
merely too old counts as proven.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deliverability.signals.hooks import PROVIDERS, ForgedError, HookRequest, StaleError
from models.clock import SystemClock
from models.keyring import Keyring
from models.tokens import Tokens
from models.values import Signal

TOKENS = Tokens(Keyring("no message of ours is in these samples"))
OUR_WORDS: Mapping[str, frozenset[str]] = {
    "queued": frozenset({"relayed"}),
    "sent": frozenset({"relayed"}),
    "rejected": frozenset({"bounced"}),
    "failed": frozenset({"bounced"}),
    "subscribed": frozenset({"resubscribed"}),
}
"""Words of theirs for which ours is another."""


def main() -> int:
    """Print the figures; 2 without a folder."""
    folder = Path(sys.argv[1]) if len(sys.argv) == 2 else None
    if folder is None or not (folder / "expected.jsonl").is_file():
        sys.stderr.write("The folder of recorded calls (expected.jsonl) is not there.\n")
        return 2
    _measure_reading(folder)
    _measure_proofs(folder)
    return 0


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        yield json.loads(line)


def _request(recorded: Mapping[str, Any]) -> HookRequest:
    headers = {name.lower(): value for name, value in recorded["headers"].items()}
    headers.setdefault("content-type", recorded.get("content_type", ""))
    path = recorded["path"]
    url = path if "://" in path else f"http://testserver{path}"
    return HookRequest(url, headers, recorded["body"].encode())


def _measure_reading(folder: Path) -> None:
    now, right, seen, missed = SystemClock().now(), Counter[str](), Counter[str](), list[str]()
    for row in _rows(folder / "expected.jsonl"):
        provider = PROVIDERS.get(row["esp"])
        if provider is None:
            continue
        request = _request(json.loads((folder / row["file"]).read_text(encoding="utf-8")))
        signals = provider.read(request, TOKENS, now)
        problems = list(_differences(row["events"], signals))
        seen[provider.key] += 1
        right[provider.key] += not problems
        missed += [f"{row['file']}: {problem}" for problem in problems]
    print(f"calls read as expected: {right.total()} of {seen.total()}")  # noqa: T201 - what it is for
    _print(f"  {key}: {right[key]} of {seen[key]}" for key in sorted(seen))
    _print(f"  missed {line}" for line in missed)


def _differences(expected: list[dict[str, Any]], signals: list[Signal]) -> Iterator[str]:
    if len(expected) != len(signals):
        yield f"{len(signals)} events, not {len(expected)}"
        return
    for event, signal in zip(expected, signals, strict=True):
        kind = event["event_type"]
        if signal.kind.value not in OUR_WORDS.get(kind, frozenset({kind})):
            yield f"{signal.kind.value}, not {kind}"
        if (event.get("recipient") or "").lower() != (signal.recipient or ""):
            yield f"{signal.recipient}, not {event.get('recipient')}"
        if event.get("timestamp"):
            off = abs(signal.at - datetime.fromisoformat(event["timestamp"]))
            if off > timedelta(seconds=1):
                yield f"{off} off {event['timestamp']}"


def _measure_proofs(folder: Path) -> None:
    right, seen, missed = 0, 0, list[str]()
    for row in _rows(folder / "auth_cases.jsonl"):
        provider = PROVIDERS.get(row["esp"])
        if provider is None:
            continue
        recorded = json.loads((folder / row["file"]).read_text(encoding="utf-8"))
        accepted = _is_accepted(row["esp"], _request(recorded), list(_secrets(row.get("settings", {}))))
        seen += 1
        right += accepted == row["accepted"]
        if accepted != row["accepted"]:
            missed.append(f"  {row['file']}: {'accepted' if accepted else 'refused'}")
    print(f"proofs judged as expected: {right} of {seen}")  # noqa: T201
    _print(missed)


def _secrets(settings: Mapping[str, Any]) -> Iterator[str]:
    """Every value of the recorded settings that can prove a call."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _secrets(value)
        elif "SECRET" in name or ("KEY" in name and "API_KEY" not in name):
            for one in value if isinstance(value, list) else [value]:
                yield "".join(str(one).split())


def _is_accepted(key: str, request: HookRequest, secrets: list[str]) -> bool:
    provider = PROVIDERS[key]
    moment = request.headers.get("svix-timestamp", "")
    now = datetime.fromtimestamp(int(moment), UTC) if moment.isdigit() else SystemClock().now()
    try:
        if provider.needs is not None:
            provider.needs(request, secrets)
        provider.verify(request, secrets, now)
    except StaleError:
        return True
    except ForgedError:
        return False
    return True


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
