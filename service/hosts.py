"""Host names as people and sockets mean them: this machine, all of its addresses, the outside."""

from ipaddress import ip_address

ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, never bound to here


def is_local(host: str) -> bool:
    """Whether a host is this machine, as seen from itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def name_to_open(host: str) -> str:
    """What to type on this machine to reach what listens on `host`."""
    return "localhost" if host in ANY_ADDRESS or is_local(host) else host
