"""What got worse is found by the days of two weeks, and not by looking at each problem.

Revision ID: 0024
"""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Order the days of problems by day as well."""
    op.execute("CREATE INDEX problem_day_day ON ledger.problem_day (day)")
