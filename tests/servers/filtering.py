"""A whole mailbox provider on the loopback: Postfix takes mail, rspamd judges it, Dovecot files it.

Mail comes in by SMTP; what rspamd refuses is refused there, what it marks is filed in Junk by Sieve, the
rest in INBOX, and all of it is read over IMAP with TLS. rspamd asks the tests' own DNS server and no other.
Each runs in a temporary folder on free ports; the machine's own are not touched.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.servers import as_user, find_program, free_port, missing, start_server, stop_server
from tests.servers.dns import DnsServer, dns_server
from tests.servers.postfix import Postfix, StartPostfix

__all__ = ["MailProvider", "mail_provider"]

PASSWORD = "ouvre-toi"
START_SECONDS = 60

RSPAMD = {
    "options.inc": """
dns {{ nameserver = ["127.0.0.1:{dns_port}"]; timeout = 0.5s; retransmits = 2; }}
filters = "chartable,dkim,regexp";
neighbours {{}}
disable_hyperscan = true;
tempdir = "{folder}/run";
url_tld = "{folder}/local.d/tlds";
control_socket = "{folder}/run/control.sock mode=0600";
local_addrs = [];
""",
    "worker-normal.inc": "enabled = false;\n",
    "worker-controller.inc": "enabled = false;\n",
    "worker-fuzzy.inc": "enabled = false;\n",
    "worker-proxy.inc": """
bind_socket = "127.0.0.1:{milter_port}";
milter = yes;
timeout = 20s;
count = 1;
upstream "local" {{ default = yes; self_scan = yes; }}
""",
    "spf.conf": "check_local = true;\n",
    "dkim.conf": "check_local = true;\n",
    "dmarc.conf": "check_local = true;\n",
    "milter_headers.conf": """
use = ["x-spamd-result", "authentication-results", "spam-header"];
skip_local = false;
skip_authenticated = false;
routines {{ authentication-results {{ remove = 0; }} }}
""",
    "actions.conf": "reject = 30; add_header = 6; greylist = null; subject = null; rewrite_subject = null;\n",
    "logging.inc": 'type = "file"; filename = "{folder}/log/rspamd.log"; level = "info";\n',
}
"""What is said otherwise than in the package's own configuration, which decides all the rest."""
TLDS = "".join(f"{name}\n" for name in ("com", "org", "net", "fr", "eu", "io", "info", "test", "example"))
"""To read all the endings of names there are takes it six seconds at each start."""
OFF = (
    *("antivirus", "arc", "asn", "bayes_expiry", "bimi", "clickhouse", "dcc", "elastic", "fuzzy_check"),
    *("greylist", "history_redis", "mx_check", "neural", "phishing", "ratelimit", "rbl", "replies"),
    *("reputation", "spamtrap", "surbl", "url_redirector", "rspamd_update"),
)
"""Modules that would ask others, or remember."""

DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = imap lmtp
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
first_valid_uid = 1
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{folder}/certificate.pem
ssl_key = <{folder}/certificate.pem
mail_location = maildir:~/Maildir
postmaster_address = postmaster@{domain}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  mailbox Junk {{
    auto = subscribe
    special_use = \\Junk
  }}
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {imaps_port}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
protocol lmtp {{
  mail_plugins = sieve
}}
plugin {{
  sieve_before = {folder}/spam.sieve
}}
"""
SIEVE = """require ["fileinto"];
if header :contains "X-Spam" "Yes" { fileinto "Junk"; stop; }
"""


@dataclass
class MailProvider:
    """A provider for one domain: takes mail at `postfix`, is read at `imap_port`; `names` is its DNS.

    Every address of the domain is a mailbox, with one password. `ca_file` vouches for both.
    """

    domain: str
    names: DnsServer
    postfix: Postfix
    imap_port: int
    ca_file: Path
    password: str
    folder: Path

    @property
    def log(self) -> str:
        """What the three wrote, for a test that fails."""
        files = [
            self.folder / "rspamd/log/rspamd.log",
            self.folder / "dovecot/log",
            self.postfix.folder / "log",
        ]
        return "\n".join(file.read_text(errors="replace") for file in files if file.exists())


def _programs() -> tuple[Path, Path]:
    rspamd, dovecot = find_program("rspamd"), find_program("dovecot")
    if rspamd is None or not Path("/etc/rspamd/rspamd.conf").exists():
        missing("rspamd", "install it with: apt install rspamd")
    if dovecot is None or not list(Path("/usr/lib").glob("**/dovecot/modules/lib90_sieve_plugin.so")):
        missing(
            "Dovecot with Sieve", "install it with: apt install dovecot-imapd dovecot-lmtpd dovecot-sieve"
        )
    return rspamd, dovecot


def _new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tocsin-provider-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture
async def mail_provider(postfix: StartPostfix) -> AsyncIterator[MailProvider]:
    """A provider for inbox.test, which is not told from the real ones by anything but its size."""
    rspamd, dovecot = _programs()
    folder = _new_folder()
    try:
        async with dns_server() as names, _rspamd(rspamd, folder / "rspamd", names.port) as milter_port:
            store = folder / "dovecot"
            async with _dovecot(dovecot, store, "inbox.test") as (imaps_port, lmtp_port):
                front = postfix(
                    lmtp_port=lmtp_port,
                    settings={
                        "smtpd_milters": f"inet:127.0.0.1:{milter_port}",
                        "milter_default_action": "tempfail",
                        "milter_protocol": "6",
                    },
                )
                both = folder / "ca.pem"
                both.write_bytes(front.ca_file.read_bytes() + (store / "ca.pem").read_bytes())
                yield MailProvider("inbox.test", names, front, imaps_port, both, PASSWORD, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _rspamd(program: Path, folder: Path, dns_port: int) -> AsyncIterator[int]:
    """The filter as a milter; its port."""
    user = "_rspamd" if os.geteuid() == 0 else None
    for name in ("local.d", "db", "run", "log"):
        (folder / name).mkdir(parents=True)
    port = free_port()
    for file, text in RSPAMD.items():
        (folder / "local.d" / file).write_text(
            text.format(folder=folder, dns_port=dns_port, milter_port=port)
        )
    (folder / "local.d" / "tlds").write_text(TLDS)
    for module in OFF:
        (folder / "local.d" / f"{module}.conf").write_text("enabled = false;\n")
    _give(folder, user)
    variables = {"LOCAL_CONFDIR": "", "DBDIR": "/db", "RUNDIR": "/run", "LOGDIR": "/log"}
    command = [
        *as_user(user),
        *(str(program), "-f", "-c", "/etc/rspamd/rspamd.conf", "-p", str(folder / "run/pid")),
        *(f"--var={name}={folder}{below}" for name, below in variables.items()),
    ]
    process = start_server(command, output=folder / "output")
    try:
        await _listens(port, process, [folder / "output", folder / "log/rspamd.log"])
        yield port
    finally:
        await asyncio.to_thread(stop_server, process)


@asynccontextmanager
async def _dovecot(program: Path, folder: Path, domain: str) -> AsyncIterator[tuple[int, int]]:
    """Dovecot with Sieve; its ports for IMAP with TLS and for LMTP."""
    is_root = os.geteuid() == 0
    user, group = ("dovecot", "dovecot") if is_root else (str(os.geteuid()), str(os.getegid()))
    for name in ("run", "mail"):
        (folder / name).mkdir(parents=True)
    _give(folder / "mail", user if is_root else None)
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(folder / "certificate.pem"))
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    (folder / "spam.sieve").write_text(SIEVE)
    if compiler := find_program("sievec"):
        compiled = await asyncio.create_subprocess_exec(compiler, folder / "spam.sieve")
        assert await compiled.wait() == 0
    imaps_port, lmtp_port = free_port(), free_port()
    (folder / "dovecot.conf").write_text(
        DOVECOT.format(
            folder=folder,
            user=user,
            group=group,
            domain=domain,
            password=PASSWORD,
            imaps_port=imaps_port,
            lmtp_port=lmtp_port,
        )
    )
    command = [str(program), "-F", "-c", str(folder / "dovecot.conf")]
    process = start_server(command, output=folder / "output")
    try:
        for port in (imaps_port, lmtp_port):
            await _listens(port, process, [folder / "output", folder / "log"])
        yield imaps_port, lmtp_port
    finally:
        await asyncio.to_thread(stop_server, process)


def _give(folder: Path, user: str | None) -> None:
    if user is not None:
        for path in [folder, *folder.rglob("*")]:
            shutil.chown(path, user)


async def _listens(port: int, process: subprocess.Popen[bytes], logs: Iterable[Path]) -> None:
    """Return once somebody answers at the port."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                told = [file.read_text(errors="replace") for file in logs if file.exists()]
                raise RuntimeError("A server did not start:\n" + "\n".join(told)) from None
        await asyncio.sleep(0.05)
