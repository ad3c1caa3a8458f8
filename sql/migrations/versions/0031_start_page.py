"""The start page finds tickets that are due and the last days' counts in their indexes alone.

Revision ID: 0031
"""

from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Order waiting tickets of each agency by their deadline; hold a day's counts in its index."""
    op.execute(
        "CREATE INDEX ticket_due ON ledger.ticket (agency, due_on, id)"
        " WHERE status IN ('open', 'acknowledged')"
    )
    op.execute("DROP INDEX ledger.problem_day_day")
    op.execute("CREATE INDEX problem_day_day ON ledger.problem_day (day) INCLUDE (problem, failed)")
