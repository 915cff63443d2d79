"""Lists of `tag=value` as DKIM keys, DMARC, BIMI and TLS reports have them (RFC 6376 section 3.2)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MOST_TAGS = 100
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")


@dataclass(frozen=True, slots=True)
class TagFault:
    """A part of the list that is none: `part` as it stands there."""

    part: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class TagList:
    """Values by tag, names in lower case, in their order; a repeated tag keeps its first value."""

    values: Mapping[str, str]
    faults: tuple[TagFault, ...] = ()

    def get(self, name: str, default: str = "") -> str:
        """The value of a tag."""
        return self.values.get(name, default)


def read_tags(text: str) -> TagList:
    """Read a list leniently: what is no tag, and what comes twice, is among the faults. Never raises."""
    values: dict[str, str] = {}
    faults: list[TagFault] = []
    for part in _parts(text):
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or not _NAME.match(name):
            faults.append(TagFault(part[:80]))
        elif name.lower() in values:
            faults.append(TagFault(part[:80], repeated=True))
        else:
            values[name.lower()] = value.strip()
    return TagList(values, tuple(faults))


def write_tags(values: Mapping[str, str]) -> str:
    """As it is published."""
    return "; ".join(f"{name}={value}" for name, value in values.items())


def _parts(text: str) -> Iterator[str]:
    """What stands between semicolons; the last one may be missing."""
    parts = [part.strip() for part in text.split(";", MOST_TAGS)[:MOST_TAGS]]
    yield from (part for index, part in enumerate(parts) if part or index < len(parts) - 1)
