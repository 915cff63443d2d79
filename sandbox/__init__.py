"""The sandbox: a small outside world on the loopback, to rehearse in.

What it does: receives like the mailbox providers do, with their limits and moods; reads, clicks, bounces,
complains and unsubscribes like people and their machines do; keeps seed mailboxes over IMAP; takes text
messages like Twilio. What comes in: mail over SMTP and text messages over HTTP, from the service under
rehearsal. What goes out: reports, clicks and answers to that service and to nothing else, and a tally of
what really happened. It shares no judgement with the product, so that the two can be held against each
other. Who may call: the demo of `service`, and tests.
"""

from sandbox.contacts import ContactsFile, write_contacts
from sandbox.fates import Fate, fate_of
from sandbox.mailboxes import SeedAccount
from sandbox.tally import WorldTally
from sandbox.world import World, WorldOptions

__all__ = [
    "ContactsFile",
    "Fate",
    "SeedAccount",
    "World",
    "WorldOptions",
    "WorldTally",
    "fate_of",
    "write_contacts",
]
