"""The one secret of an installation: given as a setting, or made once and kept in the data directory."""

import os
import secrets
from pathlib import Path

from models.errors import SettingsError
from models.keyring import Keyring
from service.settings import Settings

FILE_NAME = "secret.key"
RANDOM_BYTES = 48
READABLE_BY_OTHERS = 0o077


def open_keyring(settings: Settings) -> Keyring:
    """The keyring of this installation; makes and keeps a secret when there is none yet."""
    if settings.secret_key is not None:
        return Keyring(settings.secret_key.get_secret_value())
    return Keyring(_read_or_make(key_file(settings)))


def key_file(settings: Settings) -> Path:
    """Where the secret is kept when it is not a setting."""
    return settings.data_dir / FILE_NAME


def make_data_dir(settings: Settings) -> None:
    """The data directory, for this user alone; SettingsError when it cannot be made."""
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"The data directory {settings.data_dir} cannot be made ({error.strerror}).",
            "Set TOCSIN_DATA_DIR to a folder this user may write to.",
        ) from error


def is_readable_by_others(path: Path) -> bool:
    """Whether anybody but its owner may read or write the file."""
    return bool(path.stat().st_mode & READABLE_BY_OTHERS)


def _read_or_make(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return _make(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The secret key {path} cannot be read ({error}).", "Put it back, or set TOCSIN_SECRET_KEY."
        ) from error


def _make(path: Path) -> str:
    """A new secret in a file only its owner may read. Two processes starting at once end up with one."""
    secret = secrets.token_urlsafe(RANDOM_BYTES)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link appears whole or not at all, and never over a secret that is already there.
        os.link(draft, path)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise SettingsError(
            f"The secret key {path} cannot be written ({error.strerror}).",
            "Set TOCSIN_DATA_DIR to a folder this user may write to, or set TOCSIN_SECRET_KEY.",
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return secret
