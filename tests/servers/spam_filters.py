"""A private rspamd and a private SpamAssassin, asked over HTTP and by spamd's protocol; they ask nobody.

Each runs in a folder of its own on a free port, and without the tests of the network: what a message scores
depends on the message alone. The machine's own are not touched.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import as_user, find_program, free_port, missing, start_server, stop_server
from tests.servers.filtering import TLDS

__all__ = ["FILTER_PASSWORD", "rspamd_port", "spamd_port"]

START_SECONDS = 60
FILTER_PASSWORD = "rien que pour les essais"
RSPAMD = {
    "options.inc": """
dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.05s; retransmits = 1; }}
filters = "chartable,regexp";
neighbours {{}}
disable_hyperscan = true;
tempdir = "{folder}/run";
url_tld = "{folder}/local.d/tlds";
control_socket = "{folder}/run/control.sock mode=0600";
local_addrs = [];
""",
    "worker-normal.inc": "enabled = false;\n",
    "worker-proxy.inc": "enabled = false;\n",
    "worker-fuzzy.inc": "enabled = false;\n",
    "worker-controller.inc": """
bind_socket = "127.0.0.1:{port}";
password = "{password}";
secure_ip = [];
count = 1;
""",
    "logging.inc": 'type = "file"; filename = "{folder}/log/rspamd.log"; level = "warning";\n',
}
OFF = (
    *("antivirus", "arc", "asn", "bayes_expiry", "bimi", "dcc", "dkim", "dmarc", "fuzzy_check", "greylist"),
    *("hfilter", "history_redis", "mid", "mx_check", "neural", "once_received", "phishing", "ratelimit"),
    *("rbl", "replies", "reputation", "rspamd_update", "spamtrap", "spf", "surbl", "url_redirector"),
)


@pytest.fixture(scope="session")
def rspamd_port() -> Iterator[int]:
    """The port of rspamd's controller, which wants FILTER_PASSWORD."""
    program = find_program("rspamd")
    if program is None or not Path("/etc/rspamd/rspamd.conf").exists():
        missing("rspamd", "install it with: apt install rspamd")
    user = "_rspamd" if os.geteuid() == 0 else None
    folder, port = _new_folder("rspamd"), free_port()
    for name in ("local.d", "db", "run", "log"):
        (folder / name).mkdir()
    for file, text in RSPAMD.items():
        written = text.format(folder=folder, port=port, password=FILTER_PASSWORD)
        (folder / "local.d" / file).write_text(written)
    (folder / "local.d" / "tlds").write_text(TLDS)
    for module in OFF:
        (folder / "local.d" / f"{module}.conf").write_text("enabled = false;\n")
    places = {"LOCAL_CONFDIR": "", "DBDIR": "/db", "RUNDIR": "/run", "LOGDIR": "/log"}
    command = [
        *(str(program), "-f", "-c", "/etc/rspamd/rspamd.conf", "-p", str(folder / "run/pid")),
        *(f"--var={name}={folder}{below}" for name, below in places.items()),
    ]
    yield from _run(command, folder, port, user)


@pytest.fixture(scope="session")
def spamd_port() -> Iterator[int]:
    """The port of SpamAssassin's spamd."""
    program = find_program("spamd")
    if program is None or not Path("/usr/share/spamassassin").exists():
        missing("SpamAssassin", "install it with: apt install spamd")
    user = "nobody" if os.geteuid() == 0 else None
    folder, port = _new_folder("spamd"), free_port()
    command = [
        *(str(program), f"--listen=127.0.0.1:{port}", "--local", "--nouser-config"),
        *("--max-children=1", f"--helper-home-dir={folder}", "--syslog=stderr"),
        *("--allowed-ips=127.0.0.1", "--cf=use_bayes 0"),
    ]
    yield from _run(command, folder, port, user)


def _new_folder(name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"tocsin-{name}-"))
    folder.chmod(0o755)
    return folder


def _run(command: list[str], folder: Path, port: int, user: str | None) -> Iterator[int]:
    """Start it, wait until it listens, give its port, end it."""
    if user is not None:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, user, "nogroup" if user == "nobody" else user)
    words = as_user(user)
    process = start_server([*words, *command], output=folder / "output")
    try:
        _wait(port, process, folder / "output")
        yield port
    finally:
        stop_server(process)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int, process: "subprocess.Popen[bytes]", output: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as door:
            if door.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"nothing answers on port {port}: {output.read_text(errors='replace')[-2000:]}")
