"""What a listener for programs' mail counts of itself, since its process began."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

OTHER: Final = "protocol"
REASONS: Final = {
    "421": "closed",
    "451": "later",
    "452": "later",
    "454": "encryption",
    "530": "key",
    "535": "key",
    "538": "encryption",
    "550": "sender",
    "552": "size",
    "553": "recipient",
    "554": "content",
}
"""Why something is refused, by the code it is answered with; any other: the program did not keep to SMTP."""


@dataclass(slots=True)
class Ledger:
    """`open_lines` tell how many are connected now; `taken` counts mails, `refused` answers by reason."""

    open_lines: list[Callable[[], int]] = field(default_factory=list)
    taken: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def connections(self) -> int:
        """How many programs are connected, at all ports."""
        return sum(count() for count in self.open_lines)

    @property
    def reasons(self) -> list[str]:
        """Every reason there may be: a figure that is nothing yet is there all the same."""
        return sorted({*REASONS.values(), OTHER})

    def note(self, answer: str) -> None:
        """Count an answer that refuses something; for now or for good."""
        code = answer[:3]
        if code[:1] in {"4", "5"}:
            self.refused[REASONS.get(code, OTHER)] += 1
