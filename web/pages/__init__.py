"""The pages of the organisation's people, one module a noun.

What comes in: a visit by somebody whose role reaches the page. What goes out: a page, or the way to
another one after a form. Only `web.app` may call.
"""

from web.pages import accounts, sign_in

ROUTERS = (sign_in.router, accounts.router)

__all__ = ["ROUTERS"]
