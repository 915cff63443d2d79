"""The client is tried on the front door of an empty installation."""

from tests.web.conftest import site

__all__ = ["site"]
