"""The front door: pages for the organisation's people, public links for everybody, hooks for providers.

What comes in: HTTP requests, and a `WebContext` with the parts to work with. What goes out: a FastAPI
application whose pages are made on the server and work without scripts. Public links carry a signed
token and need no cookie; everything else needs a sign-in, and each form a token of its own. Only the
service may call.
"""

from web.app import create_app
from web.context import WebContext
from web.health import Vitals, create_health_app
from web.passwords import hash_password

__all__ = ["Vitals", "WebContext", "create_app", "create_health_app", "hash_password"]
