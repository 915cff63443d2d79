"""What the outside may ask without signing in: links in messages, provider hooks, static files, health.

What comes in: signed tokens and signed hooks. What goes out: small pages without cookies. Only
`web.app` may call.
"""

from web.public import files

ROUTERS = (files.router,)

__all__ = ["ROUTERS"]
