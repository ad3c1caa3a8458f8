from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.core.fake_hub import FakeHub


@pytest.fixture
def hub(hub_database: str, tmp_path: Path) -> FakeHub:
    """A hub on a database of its own, before its first transfer."""
    return FakeHub.at(hub_database, tmp_path)
