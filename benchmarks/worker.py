"""A sending process on SQLite: what `tocsin worker` is on PostgreSQL.

An installation on SQLite has no worker beside its service, which sends by itself with the same parts. Run as
a module, with the settings in its environment, as an installation has them.
"""

from service import loops
from service.desk import read_settings
from service.running import run_service
from service.secret_key import make_data_dir


def main() -> None:
    """Send until SIGTERM."""
    settings = read_settings()
    make_data_dir(settings)
    loops.run(run_service(settings, with_web=False))


if __name__ == "__main__":
    main()
