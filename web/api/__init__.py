"""The API under /v1: what a CRM calls, in JSON, with a key.

What comes in: a key, and JSON that its schema describes. What goes out: JSON, problems by RFC 9457, and the
description of all of it in OpenAPI 3.1. One module a noun; each does what the page of the same noun does, by
the same functions. Only `web.app` may call.
"""

from web.api.application import make_api

__all__ = ["make_api"]
