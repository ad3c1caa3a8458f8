"""Finds a resident whose card can be reported lost, as many consumers as possible knowing it."""

from __future__ import annotations

from collections.abc import Collection

from onecard.app.wiring import Hub
from onecard.store import database

READ = (
    "hrss__card_master",
    "hrss__card_status_event",
    "housing_fund__hf_account",
    "education__edu_enrolment",
    "health__death_notice",
)
"""Tables of the registry that are looked at."""
_THERE = (
    "SELECT count(*) FROM unnest(%s::text[]) AS name"
    " WHERE to_regclass('registry.' || name) IS NOT NULL"
)
_FOUND = """
SELECT c.card_no FROM registry.hrss__card_master c
WHERE c._deleted_at IS NULL AND c.card_status = '1' AND c.card_no <> ALL(%s)
  AND NOT EXISTS (SELECT FROM registry.hrss__card_status_event e WHERE e.card_no = c.card_no)
  AND NOT EXISTS (
    SELECT FROM registry.health__death_notice d WHERE d.person_id18 = c.person_id18)
ORDER BY (c.transit_account_no IS NOT NULL)::int + (c.bank_code = '102')::int
  + EXISTS (SELECT FROM registry.housing_fund__hf_account h
      WHERE h.person_id18 = c.person_id18 AND h.grzhzt IN ('01', '02', '06')
        AND h._deleted_at IS NULL)::int
  + EXISTS (SELECT FROM registry.education__edu_enrolment s
      WHERE s.person_id18 = c.person_id18 AND s.enrol_status = '01'
        AND s._deleted_at IS NULL)::int DESC NULLS LAST, c.card_no
LIMIT 1
"""


def widely_known(hub: Hub, but: Collection[str] = ()) -> str | None:
    """Number of a card in normal use, of somebody who goes by bus, studies, saves, has this bank.

    Where nobody does all of it, of somebody who does most.

    Args:
        hub: whose registry is looked at.
        but: numbers of cards that are not wanted.

    Returns:
        None as long as the hub has not collected what it takes to know.
    """
    with database.connect(hub.address, autocommit=True) as connection:
        there = connection.execute(_THERE, (list(READ),)).fetchone()
        if there != (len(READ),):
            return None
        found = connection.execute(_FOUND, (list(but),)).fetchone()
    return str(found[0]) if found else None
