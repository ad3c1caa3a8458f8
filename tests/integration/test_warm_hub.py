"""One hub that runs transfer after transfer: what it makes once, and what it asks for each time."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.crypto import keys

DATASET = "hrss/card_status_event"
DAY = date(2026, 11, 24)


@pytest.fixture
def hub(tmp_path: Path, hub_database: str) -> Hub:
    file = tmp_path / "keys.json"
    keys.create(file, ["transport"], "2026", DAY)
    settings = Settings(home=tmp_path, keys_file=file, database_url=hub_database)
    return Hub(settings, EnvironmentConnections({}))


def test_a_gate_is_compiled_once_for_each_contract(hub: Hub) -> None:
    gate = hub.tools(DATASET).gate
    assert hub.tools(DATASET).gate is gate
    assert hub.tools("hrss/card_master").gate is not gate
    changed = hub.catalogue.contract(DATASET).model_copy(update={"version": "9.0.0"})
    hub.catalogue.contracts[DATASET] = changed  # type: ignore[index]
    assert hub.tools(DATASET).gate is not gate


def test_the_next_transfer_signs_with_the_key_that_is_current_then(hub: Hub) -> None:
    assert hub.tools(DATASET).signer.epoch == "2026"
    keys.rotate(hub.settings.keys_file, keys.SIGNING, "2027", timedelta(days=1), DAY)
    assert hub.tools(DATASET).signer.epoch == "2027"


def test_token_keys_of_several_consumers_are_read_at_once(hub: Hub) -> None:
    found = hub.keys.tokens(["transport", "bank"])
    assert found == {"transport": hub.keys.token("transport")}
    keys.rotate(hub.settings.keys_file, "token/transport", "2027", timedelta(days=1), DAY)
    assert hub.keys.tokens(["transport"])["transport"].epoch == "2027"
