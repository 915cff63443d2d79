"""Ports: taken before anything else starts, so that a busy one is told at once and in plain words."""

import errno
import os
import socket

from models.errors import ConflictError
from service.hosts import name_to_open

BACKLOG = 512


def take_port(host: str, port: int, *, setting: str) -> socket.socket:
    """A listening socket; ConflictError with the remedy when there cannot be one.

    `port` 0 takes a free one. `setting` is the variable the port comes from.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=False)
    except OSError as error:
        raise _problem(host, port, error, setting=setting) from error


def _problem(host: str, port: int, error: OSError, *, setting: str) -> ConflictError:
    """Why nothing can listen there, and what to do."""
    host_setting = setting.replace("_PORT", "_HOST")
    match error.errno:
        case errno.EADDRINUSE:
            return ConflictError(
                f"Port {port} on {host} is in use by another program.",
                f"Stop that one, or set {setting} to a free port.",
            )
        case errno.EACCES:
            return ConflictError(
                f"This user may not listen on port {port}.",
                f"Set {setting} to one above 1023, behind a reverse proxy.",
            )
        case _:
            # Looking a name up has error numbers of its own.
            unknown = isinstance(error, socket.gaierror)
            why = "no such name" if unknown else os.strerror(error.errno or 0)
            return ConflictError(
                f"{host} is not an address of this machine ({why}).",
                f"Set {host_setting} to one, or 127.0.0.1.",
            )


def is_taken(host: str, port: int) -> bool:
    """Whether some program listens there already."""
    try:
        with socket.create_connection((name_to_open(host), port), timeout=1):
            return True
    except OSError:
        return False
