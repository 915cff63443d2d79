"""A private Postfix: the mail exchanger half the world runs, with its real replies, queue and bounces.

It needs root, as Postfix's master does. Everything lives in a temporary folder; the machine's own
Postfix, if there is one, is not touched.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
import trustme

from tests.servers import find_program, free_port, missing, start_server, stop_server

__all__ = ["Postfix", "StartPostfix", "postfix"]

FLUSH = b"FADI"
"""To the queue manager, as postqueue(1) says it: forget what is dead, look at all that waits."""
START_SECONDS = 30
A_WHILE_AGO = 1_700_000_000

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = {hostname}
mynetworks =
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
local_transport = error:there are no local users
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions =
smtpd_error_sleep_time = 0
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = {mailboxes}
virtual_transport = {delivery}
default_transport = {bounces}
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
smtpd_tls_security_level = may
smtpd_tls_chain_files = {folder}/certificate.pem
smtpd_tls_loglevel = 1
"""

# None is chrooted: the private queue folder holds no copies of the system's files.
# smtpd hangs without proxymap and logs nothing without postlog; TLS needs tlsmgr.
MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
tlsmgr    unix - - n 1000? 1 tlsmgr
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
lmtp      unix - - n - - lmtp
smtp      unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

QUEUE_FOLDERS = [
    *["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop"],
    *["private", "public", "saved", "trace"],
]


class Postfix:
    """A running Postfix, on 127.0.0.1 and `port`, with STARTTLS; `ca_file` vouches for its certificate."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.host = "127.0.0.1"
        self.port = port
        self.ca_file = folder / "ca.pem"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """Postfix's own account of what happened."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, program: Path) -> None:
        """Start Postfix's master process; returns when the server greets."""
        command = [str(program), "-c", str(self.folder / "conf"), "-d"]
        self._process = start_server(command, output=self.folder / "output")
        deadline = time.monotonic() + START_SECONDS
        while not self._greets():
            if self._process.poll() is not None or time.monotonic() > deadline:
                output_text = (self.folder / "output").read_text(errors="replace")
                raise RuntimeError(f"Postfix did not start:\n{output_text}\n{self.log}")
            time.sleep(0.05)

    def flush(self) -> None:
        """Try what is put off at once: a try that meets the end of the one before is put off by minutes."""
        with socket.socket(socket.AF_UNIX) as manager:
            manager.connect(str(self.folder / "spool/public/qmgr"))
            manager.sendall(FLUSH)

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        if self._process is not None:
            stop_server(self._process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as connection:
                return connection.recv(3) == b"220"
        except OSError:
            return False


class StartPostfix:
    """Starts Postfixes for one test: call it once for each."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._started: list[Postfix] = []

    def __call__(
        self,
        *,
        recipients: Iterable[str] | None = None,
        domains: Iterable[str] = ("inbox.test",),
        lmtp_port: int | None = None,
        bounce_port: int | None = None,
        hostname: str = "mx.inbox.test",
        settings: Mapping[str, str] | None = None,
        services: str = "",
    ) -> Postfix:
        """Start one that takes mail for `domains`.

        `recipients` are the addresses it knows: anyone else gets 550 5.1.1 at RCPT; None knows
        everybody. Accepted mail goes over LMTP to `lmtp_port` of the loopback, or nowhere; the bounces
        it writes go over SMTP to `bounce_port`, or nowhere. `settings` are further lines of main.cf,
        `services` of master.cf.
        """
        folder = Path(tempfile.mkdtemp(prefix="tocsin-postfix-"))
        server = Postfix(folder, free_port())
        self._started.append(server)
        values = {
            "folder": str(folder),
            "hostname": hostname,
            "domains": " ".join(domains),
            "mailboxes": "static:everybody" if recipients is None else f"texthash:{folder}/conf/mailboxes",
            "delivery": "discard:" if lmtp_port is None else f"lmtp:inet:127.0.0.1:{lmtp_port}",
            "bounces": "discard:" if bounce_port is None else f"smtp:[127.0.0.1]:{bounce_port}",
        }
        lines = MAIN_CF.format(**values) + "".join(f"{k} = {v}\n" for k, v in (settings or {}).items())
        _furnish(folder, hostname)
        (folder / "conf/main.cf").write_text(lines)
        (folder / "conf/master.cf").write_text(MASTER_CF.format(port=server.port) + services)
        (folder / "conf/mailboxes").write_text("".join(f"{address} here\n" for address in recipients or ()))
        # Postfix waits for two seconds before it believes a file that was only just written.
        for name in ("main.cf", "mailboxes"):
            os.utime(folder / "conf" / name, (A_WHILE_AGO, A_WHILE_AGO))
        server.start(self._program)
        return server

    def remove_all(self) -> None:
        """Stop every one of them."""
        for server in self._started:
            server.remove()


def _furnish(folder: Path, hostname: str) -> None:
    """Make the folders and the certificate, with the owners Postfix insists on.

    `postfix start` would make the queue too, but it takes two seconds and leaves the master to itself.
    """
    folder.chmod(0o755)
    for name in ("conf", "spool", "spool/pid", "data"):
        (folder / name).mkdir()
    for name in QUEUE_FOLDERS:
        (folder / "spool" / name).mkdir(mode=0o700)
        shutil.chown(folder / "spool" / name, "postfix")
    shutil.chown(folder / "data", "postfix")
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    leaf = authority.issue_cert(hostname, "localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
    leaf.private_key_and_cert_chain_pem.write_to_path(str(folder / "certificate.pem"))
    (folder / "certificate.pem").chmod(0o600)


@pytest.fixture
def postfix() -> Iterator[StartPostfix]:
    """Starts private Postfixes; see StartPostfix."""
    program = find_program("master", "/usr/lib/postfix/sbin", "/usr/lib/postfix", "/usr/libexec/postfix")
    if program is None or find_program("postconf") is None:
        missing("Postfix", "install it with: apt install postfix")
    if os.geteuid() != 0:
        missing("Root, which Postfix needs,", "run the tests as root, or leave this part to CI")
    start = StartPostfix(program)
    try:
        yield start
    finally:
        start.remove_all()
