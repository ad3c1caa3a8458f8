"""The registries of connectors: option models without drivers are those of the connectors."""

from __future__ import annotations

import subprocess
import sys

import pytest

import connectors
from connectors.common.breaker import COOL_S, FAILURES, Breaker

FOUND = """
import sys
import connectors
for kind in connectors.KINDS:
    connectors.options(kind)
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("kind", sorted(connectors.KINDS))
def test_the_models_are_the_connectors_own(kind: str) -> None:
    own, listed = connectors.connector(kind), connectors.options(kind)
    assert listed.in_order == getattr(own, "in_order", False)
    assert listed.source_options is own.source_options
    assert listed.sink_options is own.sink_options


@pytest.mark.case("people-6", "after a change lint reads options without importing any driver")
def test_no_driver_is_imported_for_them() -> None:
    done = subprocess.run([sys.executable, "-c", FOUND], capture_output=True, text=True, check=True)
    heavy = {"sqlalchemy", "pyarrow", "numpy", "requests", "asyncssh", "psycopg", "polars"}
    assert not heavy & set(done.stdout.split())


def test_who_only_asks_about_a_breaker_does_not_take_the_call_that_may_try() -> None:
    found = Breaker()
    assert found.left() == 0
    for _ in range(FAILURES):
        found.note(failed=True)
    assert 0 < found.left() <= COOL_S
    found.until = 0.0  # the time is over
    assert (found.left(), found.left()) == (0, 0)
    assert found.closed_for() == 0  # one may try
    assert found.left() > 0  # the others wait for how it ends
