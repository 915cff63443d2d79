"""A second opinion on DKIM signatures: Perl's Mail::DKIM, which many receivers run.

The keys are handed over with the message, so that no DNS is asked.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

import benchmarks
from tests.servers import find_program, missing

__all__ = ["DkimOpinion", "PerlDkim", "perl_dkim"]

SCRIPT = Path(benchmarks.__file__).with_name("verify_dkim.pl")
ANSWER_SECONDS = 30


@dataclass(frozen=True)
class DkimOpinion:
    """What Mail::DKIM thinks of one signature; `detail` gives its reason in words."""

    domain: str
    selector: str
    result: str
    detail: str


class PerlDkim:
    """Verifies messages with Mail::DKIM::Verifier."""

    def __init__(self, perl: Path) -> None:
        self._perl = perl

    def verify(self, message: bytes, keys: Mapping[str, str]) -> list[DkimOpinion]:
        """One opinion a signature, from the top of the message to its end; none if it is unsigned.

        `message` is as it goes over the wire, with CRLF. `keys` maps the name of a key record
        (`s1._domainkey.example.org`) to its text (`v=DKIM1; k=rsa; p=…`).
        """
        answer = subprocess.run(
            [str(self._perl), str(SCRIPT), json.dumps(dict(keys))],
            input=message,
            check=True,
            capture_output=True,
            timeout=ANSWER_SECONDS,
        )
        return [DkimOpinion(**signature) for signature in json.loads(answer.stdout)]


@pytest.fixture(scope="session")
def perl_dkim() -> PerlDkim:
    """Mail::DKIM, where it is installed."""
    perl = find_program("perl")
    if (
        perl is None
        or subprocess.run([perl, "-MMail::DKIM", "-e1"], check=False, capture_output=True).returncode
    ):
        missing("Perl's Mail::DKIM", "install it with: apt install libmail-dkim-perl")
    return PerlDkim(perl)
