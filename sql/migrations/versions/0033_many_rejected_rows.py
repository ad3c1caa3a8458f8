"""Which reasons changed is found without a join, so that many rejected rows cost what they are.

A session plans the comparison when it first changes something, by how much that was; as a join, it
met each with each when twenty thousand rows were mended together later.

Revision ID: 0033
"""

from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Compare what was with what is as sets."""
    op.execute("""
CREATE OR REPLACE FUNCTION quarantine.note_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM quarantine.note_reasons(coalesce((SELECT array_agg(c.id ORDER BY c.id) FROM (
        SELECT n.id, n.status IN ('held', 'purged'), n.reasons
            FROM new_rows n WHERE n.agreement IS NULL
        EXCEPT ALL SELECT o.id, o.status IN ('held', 'purged'), o.reasons FROM old_rows o
        ) c), '{}'));
    RETURN NULL;
END $$""")
