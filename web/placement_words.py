"""What a seed mailbox tells of a mail it holds, in words: where it lies, and what the servers thought."""

from dataclasses import dataclass

from models.event import Event
from models.states import EventKind
from web.i18n import N_

LABELS = {
    "folder": N_("Folder"),
    "tab": N_("Tab"),
    "moved_from": N_("Seen before in"),
    "latency_seconds": N_("Seconds on the way"),
    "spf": "SPF",
    "dkim": "DKIM",
    "dmarc": "DMARC",
}
PLACES = {"inbox": N_("Inbox"), "tab": N_("Tab"), "spam": N_("Spam"), "missing": N_("Missing")}
PLACEMENTS = (EventKind.PLACED_INBOX, EventKind.PLACED_TAB, EventKind.PLACED_SPAM)


@dataclass(frozen=True, slots=True)
class Told:
    """One line: `label` and `word` are ours, to be translated; `value` is somebody else's, as it stands."""

    label: str
    value: str = ""
    word: str = ""


def seen_of(event: Event) -> tuple[Told, ...]:
    """What was told, in its order; none of what is no placement.

    The fields that filters wrote come last, under their own names.
    """
    if event.kind not in PLACEMENTS:
        return ()
    told = [
        Told(label, word=PLACES[value]) if name == "moved_from" and value in PLACES else Told(label, value)
        for name, label in LABELS.items()
        if (value := event.details.get(name, ""))
    ]
    return (*told, *(Told(name, value) for name, value in sorted(event.details.items()) if "-" in name))
