"""Starters: messages to begin from, complete and ready to be changed.

Each is two files of one name in `starters/`: the body (MJML for e-mail, text for SMS), and a TOML file with
what goes around it. They hold no pictures and fetch nothing, so they look the same everywhere.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from models.states import Channel

_ORDER = ("invitation", "newsletter", "appeal", "survey", "sms-reminder", "sms-vote")


@dataclass(frozen=True, slots=True)
class Starter:
    """A message to begin from; `description` is one line in English, the message itself is French."""

    name: str
    channel: Channel
    subject: str
    preheader: str
    body: str
    fallbacks: Mapping[str, str]
    description: str


def starters() -> list[Starter]:
    """All starters, e-mails first."""
    return [_read(name) for name in _ORDER]


def _read(name: str) -> Starter:
    folder = files("templates") / "starters"
    about = tomllib.loads((folder / f"{name}.toml").read_text("utf-8"))
    channel = Channel(about["channel"])
    suffix = "mjml" if channel is Channel.EMAIL else "txt"
    return Starter(
        name=name,
        channel=channel,
        subject=about.get("subject", ""),
        preheader=about.get("preheader", ""),
        body=(folder / f"{name}.{suffix}").read_text("utf-8").rstrip("\n"),
        fallbacks=about.get("fallbacks", {}),
        description=about["description"],
    )
