"""Commands about the hub's own database: upgrade."""

from __future__ import annotations

from onecard.base.settings import Settings
from onecard.cli import output
from onecard.store import database, migrate


def upgrade() -> None:
    """Bring the hub's database to this version's revision."""
    with output.errors_as_exit_codes():
        revision = migrate.upgrade(database.url(Settings.load()))
        output.say(f"database at revision {revision}")
