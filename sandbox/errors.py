"""What the sandbox cannot go on with. It has a family of its own: it shares no code with the product."""


class SandboxError(Exception):
    """The rehearsal world was set up or used in a way it does not allow."""


class NotStartedError(SandboxError, RuntimeError):
    """The world has no addresses yet: `await world.start()` first."""


class OutsideLoopbackError(SandboxError, ValueError):
    """Somebody in the sandbox was about to talk to another machine. Nothing leaves the loopback."""

    def __init__(self, url: str) -> None:
        """`url` is what was refused, as text."""
        super().__init__(f"{url} is not the service on the loopback: the sandbox goes nowhere else.")
        self.url = url
