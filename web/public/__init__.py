"""What the outside may ask without signing in: links in messages, provider hooks, static files, health.

What comes in: signed tokens and signed hooks. What goes out: small pages without cookies. Only
`web.app` may call.
"""

from web import health
from web.public import clicks, files, hooks, leaving, mailboxes, notice, twilio

ROUTERS = (
    files.router,
    health.router,
    leaving.router,
    clicks.router,
    mailboxes.router,
    notice.router,
    twilio.router,
    hooks.router,
)

__all__ = ["ROUTERS"]
