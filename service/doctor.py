"""The doctor: everything a campaign depends on, looked at one by one, with what to do about it.

Checks are independent, so that one thing broken does not hide the next, and none waits longer than five
seconds: the doctor is called when something is wrong already.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from models.errors import TocsinError
from service.secret_key import is_readable_by_others, key_file
from service.settings import ENV_FILE, Settings

PATIENCE_S = 5.0
LOW_DISK = 512 * 1024 * 1024


class Level(StrEnum):
    """How much a finding matters: BLOCKING keeps campaigns from leaving."""

    FINE = "fine"
    WARNING = "warning"
    BLOCKING = "blocking"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `subject` groups findings, `what` is a sentence, `advice` what to do."""

    level: Level
    subject: str
    what: str
    advice: str = ""
