"""PostgreSQL's own programs for its backups: pg_dump, pg_restore and psql, told where by their environment.

Never by their arguments: those can be read by everybody on the machine, and there is a password in it.
"""

import asyncio
import os
import shutil
from pathlib import Path

from sqlalchemy.engine import URL

from models.errors import StoreError

ENGINE_SCHEMA = "engine"
PLACES = "/usr/lib/postgresql"
IN_QUERY = {
    "host": "PGHOST",
    "port": "PGPORT",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "service": "PGSERVICE",
}


async def dump(url: URL, target: Path) -> None:
    """Write a consistent copy; StoreError with what pg_dump said. The jobs of the engine are left out."""
    await _run(
        url,
        "pg_dump",
        *("--format=custom", "--compress=0", "--no-owner", "--no-privileges"),
        *(f"--exclude-table-data={ENGINE_SCHEMA}.*", f"--file={target}"),
    )


async def restore(url: URL, copy: Path, *, before: str, after: str) -> None:
    """Put a copy in the place of what is there, between two scripts, in one transaction, or not at all."""
    folder = copy.parent
    scripts = [folder / name for name in ("before.sql", "copy.sql", "after.sql")]
    scripts[0].write_text(before, encoding="utf-8")
    scripts[2].write_text(f"SET search_path = public;\n{after}", encoding="utf-8")
    await _run(
        url,
        "pg_restore",
        *("--clean", "--if-exists", "--no-owner", "--no-privileges", f"--file={scripts[1]}", str(copy)),
    )
    await _run(
        url,
        "psql",
        *("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null"),
        *(f"--file={script}" for script in scripts),
    )


def environment(url: URL) -> dict[str, str]:
    """Where the database is and how to sign in, as libpq reads it."""
    parts = {
        "PGHOST": url.host,
        "PGPORT": None if url.port is None else str(url.port),
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
        **{IN_QUERY[name]: str(value) for name, value in url.query.items() if name in IN_QUERY},
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    return {**kept, "PGCONNECT_TIMEOUT": "5", **{name: value for name, value in parts.items() if value}}


def find(program: str) -> str:
    """Where one of PostgreSQL's programs is; StoreError when it is not installed."""
    found = shutil.which(program)
    if found is None:
        newest = sorted(Path(PLACES).glob(f"*/bin/{program}"), key=lambda path: path.parts[-3])
        found = str(newest[-1]) if newest else None
    if found is None:
        raise StoreError(
            f"{program} is not installed here.", "Install PostgreSQL's client programs: postgresql-client."
        )
    return found


async def _run(url: URL, program: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        find(program),
        *arguments,
        env=environment(url),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await process.communicate()
    if process.returncode:
        lines = [line for line in told.decode(errors="replace").splitlines() if "NOTICE" not in line]
        raise StoreError(f"{program} failed: {lines[-1] if lines else 'it did not say why'}.")
