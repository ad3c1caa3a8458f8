"""The calendar of freshness finds the collects of a day, and does not read those of five weeks.

Revision ID: 0030
"""

from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Order the collects of each dataset by the hub's time; its columns never change."""
    op.execute(
        "CREATE INDEX transfer_collected ON ledger.transfer (subject, hub_time)"
        " WHERE direction = 'collect' AND NOT replay"
    )
