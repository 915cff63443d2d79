"""A private Dovecot: the mailbox store many have, with its real IMAP and LMTP.

It runs as whoever runs the tests, in a temporary folder; the machine's own, if there is one, is not
touched. One user, whose mails are kept as a Maildir.
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
import trustme
from imapclient import IMAPClient

from tests.servers import STOP_SECONDS, find_program, free_port, missing, start_server, stop_server

__all__ = ["PASSWORD", "USER", "Dovecot", "dovecot"]

USER = "rebonds"
PASSWORD = "ouvre/toi@la"
START_SECONDS = 20

CONFIGURATION = """
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
mail_location = maildir:{folder}/mail
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={owner} gid={group} home={folder}/home
}}
recipient_delimiter = +
lda_original_recipient_header = X-Original-To
service imap-login {{
  chroot =
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap_port}
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
"""


class Dovecot:
    """A running Dovecot: IMAP on `imap_port` and, with TLS, on `imaps_port`; LMTP on `lmtp_port`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca_file = folder / "ca.pem"
        self.imap_port, self.imaps_port, self.lmtp_port = (free_port() for _ in range(3))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """Dovecot's own account of what happened."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, program: Path) -> None:
        """Start the master process; returns when the server greets."""
        self._process = start_server(
            [str(program), "-F", "-c", str(self.folder / "dovecot.conf")], output=self.folder / "output"
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._greets():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"Dovecot did not start:\n{(self.folder / 'output').read_text()}\n{self.log}"
                )
            time.sleep(0.05)

    def stop(self, *, patience_s: float = STOP_SECONDS) -> None:
        """Stop it, after `patience_s` by force; what it keeps stays."""
        if self._process is not None:
            stop_server(self._process, patience_s=patience_s)
            self._process = None

    def sign_in(self) -> IMAPClient:
        """A client of its own, with INBOX open."""
        client = IMAPClient("127.0.0.1", self.imap_port, ssl=False, timeout=10)
        client.login(USER, PASSWORD)
        client.select_folder("INBOX")  # type: ignore[no-untyped-call]
        return client

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.imap_port), timeout=1) as connection:
                return connection.recv(4) == b"* OK"
        except OSError:
            return False


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    """A private Dovecot with one user."""
    program = find_program("dovecot")
    if program is None:
        missing("Dovecot", "install it with: apt install dovecot-imapd dovecot-lmtpd")
    folder = Path(tempfile.mkdtemp(prefix="tocsin-dovecot-"))
    server = Dovecot(folder)
    user = "dovecot" if os.geteuid() == 0 else str(os.geteuid())
    owner, group = ("dovecot", "dovecot") if os.geteuid() == 0 else (user, str(os.getegid()))
    folder.chmod(0o755)
    for name in ("run", "mail", "home"):
        (folder / name).mkdir()
        if os.geteuid() == 0 and name != "run":
            shutil.chown(folder / name, owner, group)
    leaf = (authority := trustme.CA()).issue_cert("localhost", "127.0.0.1")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(folder / "certificate.pem"))
    authority.cert_pem.write_to_path(str(server.ca_file))
    (folder / "dovecot.conf").write_text(
        CONFIGURATION.format(
            folder=folder,
            user=user,
            owner=owner,
            group=group,
            password=PASSWORD,
            imap_port=server.imap_port,
            imaps_port=server.imaps_port,
            lmtp_port=server.lmtp_port,
        )
    )
    try:
        server.start(program)
        yield server
    finally:
        server.stop(patience_s=0)  # to take leave of everybody takes it a second
        shutil.rmtree(folder, ignore_errors=True)
