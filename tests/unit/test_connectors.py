"""The registries of connectors: option models without drivers are those of the connectors."""

from __future__ import annotations

import subprocess
import sys

import pytest

import connectors

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
    assert listed.source_options is own.source_options
    assert listed.sink_options is own.sink_options


@pytest.mark.case("people-6", "after a change lint reads options without importing any driver")
def test_no_driver_is_imported_for_them() -> None:
    done = subprocess.run([sys.executable, "-c", FOUND], capture_output=True, text=True, check=True)
    heavy = {"sqlalchemy", "pyarrow", "numpy", "requests", "asyncssh", "psycopg", "polars"}
    assert not heavy & set(done.stdout.split())
