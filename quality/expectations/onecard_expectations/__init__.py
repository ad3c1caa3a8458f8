"""Custom expectations of the resident One-Card's datasets, for Great Expectations 1.x.

Needs great_expectations, pandas and SQLAlchemy, and nothing of the hub. Importing it registers:

- `ExpectColumnValuesToParse`: text is a date, instant, integer or decimal.
- `ExpectColumnValuesToBeIdNumber`: GB 11643-1999, one aspect at a time.
- `ExpectColumnValuesToBeSocialCreditCode`: GB 32100-2015.
- `ExpectColumnValuesToBeBankAccount`: ISO/IEC 7812-1 (Luhn).
- `ExpectColumnValuesToHaveNoControls`: no control character in text that is otherwise right.
- `ExpectColumnValuesToHaveNoBlanksAround`: no blank at an end of text that is otherwise right.
- `ExpectRowsToFollowRule`: a rule over several fields, on rows whose fields are each right.
- `ExpectNewestToBeRecent`: the newest instant of a column is not older than a duration.

All work on pandas frames of strings and on PostgreSQL tables of text. `python -m
onecard_expectations` runs a suite and names failing rows by their number, never by a value.
"""

import os
import warnings

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # GX's own, of the modules that it imports
    import great_expectations  # noqa: F401

from .custom import (
    ExpectColumnValuesToBeBankAccount,
    ExpectColumnValuesToBeIdNumber,
    ExpectColumnValuesToBeSocialCreditCode,
    ExpectColumnValuesToHaveNoBlanksAround,
    ExpectColumnValuesToHaveNoControls,
    ExpectColumnValuesToParse,
    ExpectRowsToFollowRule,
)
from .newest import ExpectNewestToBeRecent
from .running import NO_VALUES, outcomes

__all__ = [
    "NO_VALUES",
    "ExpectColumnValuesToBeBankAccount",
    "ExpectColumnValuesToBeIdNumber",
    "ExpectColumnValuesToBeSocialCreditCode",
    "ExpectColumnValuesToHaveNoBlanksAround",
    "ExpectColumnValuesToHaveNoControls",
    "ExpectColumnValuesToParse",
    "ExpectNewestToBeRecent",
    "ExpectRowsToFollowRule",
    "outcomes",
]
