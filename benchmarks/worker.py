"""A sending process where `tocsin worker` will not do: on SQLite, or with another number of threads.

An installation on SQLite has no worker beside its service, which sends by itself with the same parts. Run as
a module, with the settings in its environment, as an installation has them.
"""

import argparse
import sys
from dataclasses import replace

from scheduler import ConductorOptions
from service import loops
from service.assembly import assemble, stop_wanted
from service.desk import read_settings
from service.logs import set_up_logs
from service.secret_key import make_data_dir


async def _send(threads: int) -> None:
    settings = read_settings()
    make_data_dir(settings)
    set_up_logs(settings.log_level)

    def tune(options: ConductorOptions) -> ConductorOptions:
        return replace(options, dispatch=replace(options.dispatch, threads=threads)) if threads else options

    async with assemble(settings, with_web=False, tune=tune):
        sys.stdout.write("Sending.\n")
        sys.stdout.flush()
        await stop_wanted()


def main() -> None:
    """Send until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=0, help="that build and sign; 0: as Tocsin chooses")
    loops.run(_send(parser.parse_args().threads))


if __name__ == "__main__":
    main()
