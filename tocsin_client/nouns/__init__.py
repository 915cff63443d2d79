"""Every noun of the API, for clients that wait and for those that are awaited.

Written by `python -m tests.web.api_description`; not by hand.
"""

from tocsin_client.nouns.awaited.campaigns import AsyncCampaigns
from tocsin_client.nouns.awaited.contacts import AsyncContacts
from tocsin_client.nouns.awaited.events import AsyncEvents
from tocsin_client.nouns.awaited.identities import AsyncIdentities
from tocsin_client.nouns.awaited.imports import AsyncImports
from tocsin_client.nouns.awaited.interactions import AsyncInteractions
from tocsin_client.nouns.awaited.key import AsyncKey
from tocsin_client.nouns.awaited.messages import AsyncMessages
from tocsin_client.nouns.awaited.segments import AsyncSegments
from tocsin_client.nouns.awaited.suppressions import AsyncSuppressions
from tocsin_client.nouns.awaited.templates import AsyncTemplates
from tocsin_client.nouns.awaited.webhooks import AsyncWebhooks
from tocsin_client.nouns.campaigns import Campaigns
from tocsin_client.nouns.contacts import Contacts
from tocsin_client.nouns.events import Events
from tocsin_client.nouns.identities import Identities
from tocsin_client.nouns.imports import Imports
from tocsin_client.nouns.interactions import Interactions
from tocsin_client.nouns.key import Key
from tocsin_client.nouns.messages import Messages
from tocsin_client.nouns.segments import Segments
from tocsin_client.nouns.suppressions import Suppressions
from tocsin_client.nouns.templates import Templates
from tocsin_client.nouns.webhooks import Webhooks
from tocsin_client.wire import AsyncWire, Wire


class Nouns:
    """Calls by noun, that wait."""

    def __init__(self, wire: Wire) -> None:
        """`wire`: makes them."""
        self.key = Key(wire)
        self.messages = Messages(wire)
        self.events = Events(wire)
        self.campaigns = Campaigns(wire)
        self.segments = Segments(wire)
        self.templates = Templates(wire)
        self.identities = Identities(wire)
        self.imports = Imports(wire)
        self.contacts = Contacts(wire)
        self.webhooks = Webhooks(wire)
        self.interactions = Interactions(wire)
        self.suppressions = Suppressions(wire)


class AsyncNouns:
    """Calls by noun, awaited."""

    def __init__(self, wire: AsyncWire) -> None:
        """`wire`: makes them."""
        self.key = AsyncKey(wire)
        self.messages = AsyncMessages(wire)
        self.events = AsyncEvents(wire)
        self.campaigns = AsyncCampaigns(wire)
        self.segments = AsyncSegments(wire)
        self.templates = AsyncTemplates(wire)
        self.identities = AsyncIdentities(wire)
        self.imports = AsyncImports(wire)
        self.contacts = AsyncContacts(wire)
        self.webhooks = AsyncWebhooks(wire)
        self.interactions = AsyncInteractions(wire)
        self.suppressions = AsyncSuppressions(wire)


__all__ = ["AsyncNouns", "Nouns"]
