"""DNS records on the terminal: what each is for, to be read; then lines of a zone file, to be copied."""

from collections.abc import Sequence

from rich.text import Text

from deliverability.dns_records import DnsRecord
from service.terminal import put, say, screen, set_in


def print_records(records: Sequence[DnsRecord]) -> None:
    """Every record twice: for the eye and for the clipboard."""
    console = screen()
    for record in records:
        console.print(Text.assemble((f"{record.type:4}", "bold"), " ", (record.name, "cyan")), soft_wrap=True)
        # Never broken by us: a value is selected and copied as one.
        put(f"     {record.value}")
        set_in(record.why, 5)
        put("")
    say("As lines of a zone file:\n")
    for record in records:
        put(zone_line(record))


def zone_line(record: DnsRecord) -> str:
    """One line of a zone file; a long text in quoted pieces of 255 characters at most (RFC 1035 3.3)."""
    value = record.value
    if record.type == "TXT":
        value = " ".join(f'"{piece}"' for piece in record.strings)
    elif record.type in {"MX", "CNAME", "PTR"}:
        value = f"{value.rstrip('.')}."
    return f"{record.name}. IN {record.type} {value}"
