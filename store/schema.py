"""The form of the tables: brought to this version's by Alembic.

Imported only where tables are changed: Alembic takes nine megabytes, and a process that sends never
migrates.
"""

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import URL

from store.revisions import MIGRATIONS


def upgrade(url: URL) -> None:
    """Bring the tables at `url` to the newest revision. Blocks."""
    command.upgrade(configuration(url), "head")


def configuration(url: URL) -> Config:
    """What Alembic's commands want to know."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    return config
