"""The sink of the benchmarks, with a hand on the senders: it can end one at a chosen moment of its dialogue.

`XKILL point nth pid` sends SIGKILL to that process the nth time a message gets as far as `point`: `mail`,
`data`, `body`, `dot` (counted and not answered), `answered`. `XDROP point nth` drops every connection there.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from benchmarks.sink import OK, Line, Sink, run


class DeadlySink(Sink):
    """Takes everything; kills on request."""

    _point = ""
    _left = 0
    _number = 0

    def command(self, verb: bytes, argument: bytes, _line: Line) -> bytes | None:
        """XKILL and XDROP."""
        if verb not in {b"XKIL", b"XDRO"}:
            return None
        self._point, left, *victims = argument.decode().split()
        self._left, self._number = int(left), int(victims[0]) if victims else 0
        return OK

    def reached(self, point: str, _line: Line) -> None:
        """Count down."""
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                self._point = ""
                if not self._number:
                    self._drop_all()
                with suppress(ProcessLookupError):
                    os.kill(self._number, signal.SIGKILL)

    def _drop_all(self) -> None:
        for line in list(self._lines):
            self.close(line)
        raise ConnectionAbortedError


if __name__ == "__main__":
    run(DeadlySink(Path(sys.argv[1]), keep_every=0))
