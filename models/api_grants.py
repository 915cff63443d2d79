"""What keys are given, as people choose it: usual sets of scopes, and networks, read from what was typed."""

import ipaddress
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from models.api import Scope
from models.errors import BadInputError

_S: Final = Scope
_SENDING: Final = (_S.MESSAGES_SEND, _S.MESSAGES_READ, _S.TEMPLATES_READ, _S.IDENTITIES_READ, _S.EVENTS_READ)
GRANTS: Final[Mapping[str, tuple[Scope, ...]]] = MappingProxyType(
    {
        "sending": _SENDING,
        "crm": (
            *_SENDING,
            *(_S.CONTACTS_READ, _S.CONTACTS_WRITE, _S.SEGMENTS_READ, _S.CAMPAIGNS_READ),
            *(_S.SUPPRESSIONS_READ, _S.SUPPRESSIONS_WRITE, _S.INTERACTIONS_READ, _S.INTERACTIONS_WRITE),
            *(_S.WEBHOOKS_READ, _S.WEBHOOKS_WRITE),
        ),
        "reading": tuple(scope for scope in Scope if scope.value.endswith(":read")),
        # Going past checks is nobody's by the way: it is chosen by itself.
        "everything": tuple(scope for scope in Scope if scope is not Scope.CAMPAIGNS_OVERRIDE),
    }
)
"""Usual sets: messages and what becomes of them; what a CRM does; looking only; all but going past rules."""
MOST_NETWORKS: Final = 50


def read_scopes(words: Iterable[str]) -> list[Scope]:
    """The scopes of names such as `messages:send`, and of the sets; BadInputError for none, or another."""
    found: set[Scope] = set()
    for word in words:
        if word in GRANTS:
            found.update(GRANTS[word])
        elif word in set(Scope):
            found.add(Scope(word))
        else:
            known = ", ".join([*GRANTS, *Scope])
            raise BadInputError(f"There is no scope {word!r}.", f"Choose of: {known}.")
    if not found:
        raise BadInputError("A key without a scope opens nothing.", "Choose what it may do.")
    return sorted(found)


def read_networks(text: str) -> list[str]:
    """Addresses and networks between blanks or commas, in CIDR; BadInputError that names the wrong one."""
    found: dict[str, None] = {}
    for word in text.replace(",", " ").split():
        try:
            found[str(ipaddress.ip_network(word, strict=False))] = None
        except ValueError as error:
            advice = "Write addresses such as 203.0.113.7 or 203.0.113.0/24."
            raise BadInputError(f"{word[:60]!r} is no address.", advice) from error
    if len(found) > MOST_NETWORKS:
        raise BadInputError(f"{MOST_NETWORKS} addresses at most.", "Join them into networks.")
    return list(found)
