"""A field that a contract has got since is filled in old rows, in parts that stay (ADR 0056)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import inbox
from onecard.collect.run import Collect
from onecard.errors import ConfigError, NotCollected, PolicyError, UsageError
from onecard.ports.source import Reading
from onecard.reconcile.backfill import backfill
from onecard.reconcile.source_rows import SourceRows
from onecard.store import agreement_lives, database, migrate
from tests.cities import Cities
from tests.faults.sources import world
from tests.small_hub import DATASET, TABLE, SmallHub, small_hub

LATE = ("z", "9.00", "2026-11-09T08:00:00+08:00")
"""It moves the watermark beyond the others, which no collect reads again."""
ROWS = [*((f"k{n:02}", f"{n}.00", "2026-10-01T08:00:00+08:00") for n in range(10)), LATE]
NOTE = {
    "name": "note",
    "businessName": "备注",
    "physicalName": "note",
    "logicalType": "string",
    "logicalTypeOptions": {"maxLength": 20},
    "classification": "L3",
    "customProperties": [
        {"property": "semantic", "value": "identifier"},
        {"property": "pii", "value": "PI"},
    ],
}
F14, CONCESSIONS = "f14-transport-transport-concession", "transport/transit_concession"


@pytest.fixture
def small(tmp_path: Path, postgres: str) -> Iterator[SmallHub]:
    names = [f"backfill_{side}_{tmp_path.name[-8:]}".lower() for side in ("hub", "agency")]
    made = [database.create_database(postgres, name) for name in names]
    try:
        migrate.upgrade(made[0])
        with small_hub(tmp_path, *made) as found:
            yield found
    finally:
        for name in names:
            database.drop_database(postgres, name)


@pytest.fixture
def widened(small: SmallHub) -> SmallHub:
    """Rows published by a cursor; then the agency adds a column, which its old rows have too."""
    small.table(cursor=True)
    small.insert(ROWS)
    assert small.collect().counts.published == len(ROWS)
    small.agency("ALTER TABLE small ADD COLUMN note text")
    small.agency("UPDATE small SET note = 'n' || code WHERE code < 'k08'")
    small.table(cursor=True, fields=[NOTE])
    assert small.collect().counts.published == 0, "a collect reads nothing that is old"
    return small


def notes(small: SmallHub) -> dict[str, str | None]:
    found = small.ask(f"SELECT code, note FROM {TABLE} ORDER BY code")
    return {str(code): note for code, note in found}


EXPECTED = {code: f"n{code}" if code < "k08" else None for code, _, _ in ROWS}


@pytest.mark.case(
    "holding-10", "old rows are filled in parts, with hashes and versions of a collect"
)
def test_old_rows_are_filled_in_parts_with_their_history(widened: SmallHub) -> None:
    before = widened.ask(f"SELECT code, _first_version, _row_hash FROM {TABLE} ORDER BY code")
    (watermark,) = widened.ask("SELECT checkpoint::text FROM ledger.dataset")
    done = backfill(widened.hub, DATASET, "note", part_rows=3)
    assert (done.read, done.parts, done.filled, done.lacking) == (11, 3, 8, 3)
    assert notes(widened) == EXPECTED
    assert widened.ask("SELECT checkpoint::text FROM ledger.dataset") == [watermark]
    after = widened.ask(
        f"SELECT code, _first_version, _row_hash, _version FROM {TABLE} ORDER BY code"
    )
    for (code, first, old), (_, still, new, version) in zip(before, after, strict=True):
        assert first == still
        filled = code < "k08"
        assert (old != new, version > first) == (filled, filled), code
    # The hashes are those of a collect: a reading of the whole source finds nothing to change.
    whole = widened.collect(whole=True)
    assert (whole.counts.published, whole.counts.unchanged) == (0, 11)
    again = backfill(widened.hub, DATASET, "note", part_rows=3)
    assert (again.parts, again.filled, again.lacking) == (0, 0, 3)
    receipts = widened.ask("SELECT count(*) FROM ledger.receipt")
    transfers = widened.ask("SELECT count(*) FROM ledger.transfer WHERE status = 'published'")
    assert receipts == transfers
    left = widened.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'staging'")
    assert left == []


def test_what_was_cut_off_is_gone_on_with(
    widened: SmallHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, times = Collect.replay, []

    def ending(self: Collect, *given: object) -> object:
        times.append(1)
        if len(times) == 3:
            raise ConnectionError
        return reached(self, *given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(ConnectionError):
        patch.setattr(Collect, "replay", ending)
        backfill(widened.hub, DATASET, "note", part_rows=2)
    assert sum(v is not None for v in notes(widened).values()) == 4
    seen: list[int] = []
    done = backfill(widened.hub, DATASET, "note", part_rows=3, note=seen.append)
    assert (done.parts, done.filled, seen) == (2, 4, [3, 4])
    assert notes(widened) == EXPECTED


def test_newer_rows_are_left_as_they_are(
    widened: SmallHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that a collect publishes in the meantime is newer than what the backfill has read."""
    filled = SourceRows.fill

    def between(rows: SourceRows, reading: Reading) -> int:
        read = filled(rows, reading)
        widened.agency(
            "UPDATE small SET note = 'newest', updated = '2026-11-11' WHERE code = 'k05'"
        )
        assert widened.collect().counts.published == 1
        return read

    monkeypatch.setattr(SourceRows, "fill", between)
    backfill(widened.hub, DATASET, "note", part_rows=100)
    assert notes(widened) == EXPECTED | {"k05": "newest"}


def test_a_value_that_breaks_a_rule_fills_nothing(widened: SmallHub) -> None:
    widened.agency("UPDATE small SET note = repeat('x', 30) WHERE code = 'k01'")
    done = backfill(widened.hub, DATASET, "note", part_rows=100)
    assert (done.filled, done.lacking) == (7, 4)
    assert notes(widened) == EXPECTED | {"k01": None}


def test_what_cannot_be_filled_is_said(small: SmallHub) -> None:
    small.table(fields=[NOTE])
    with pytest.raises(NotCollected, match="nothing is published yet"):
        backfill(small.hub, DATASET, "note", part_rows=1)
    small.agency("ALTER TABLE small ADD COLUMN note text")
    small.insert(ROWS)
    small.collect()
    with pytest.raises(UsageError, match="unknown field of hrss/small 'nte'; did you mean note"):
        backfill(small.hub, DATASET, "nte", part_rows=1)
    with pytest.raises(ConfigError, match="amount is required"):
        backfill(small.hub, DATASET, "amount", part_rows=1)


def test_the_command(widened: SmallHub) -> None:
    told = ("collect", DATASET, "--backfill", "note", "--part-rows", "5")
    code, says = widened.onecard(*told, "--whole")
    assert (code, "leave --whole" in says) == (2, True)
    code, says = widened.onecard(*told, "--json")
    assert code == 0, says
    found = json.loads(says[says.index("{") :])
    assert (found["filled"], found["parts"], found["lacking"]) == (8, 2, 3)
    code, says = widened.onecard(*told)
    assert (code, "filled in 0 rows" in says) == (0, True)


@pytest.mark.case("holding-10", "an approved text that names it brings it, and none before")
def test_consumers_get_it_under_an_approved_text_only(tmp_path: Path, cities: Cities) -> None:
    with world(tmp_path, cities, persons=300) as city:
        for dataset in (
            *("health/death_notice", "hrss/card_master", "hrss/consent_record"),
            CONCESSIONS,
        ):
            city.collect(dataset)
        table = f"registry.{city.hub().catalogue.contract(CONCESSIONS).table}"
        file = city.schemas / "agreements" / f"{F14}.yaml"
        text = file.read_text(encoding="utf-8")
        line = "  - {name: valid_to, treatment: as_is}\n"
        before = text.replace(line, "").replace("version: 1.3.0", "version: 1.3.1")
        file.write_text(before, encoding="utf-8")

        def approve() -> None:
            with database.connect(city.hub().address, autocommit=True) as connection:
                agreement = city.hub().catalogue.agreement(F14)
                agreement_lives.approve(connection, agreement, "演练", "批复3号")

        with database.connect(city.hub().address, autocommit=True) as connection:
            # As a widened registry is: published before the contract had the field.
            changed = connection.execute(
                f"UPDATE {table} SET valid_to = NULL, _row_hash = 1 WHERE valid_to IS NOT NULL".encode()
            )
            wanted = changed.rowcount
        approve()
        rows = city.hub().deliver(F14).run().rows
        assert rows > 0
        done = backfill(city.hub(), CONCESSIONS, "valid_to", part_rows=10_000)
        assert (done.filled, done.lacking) == (wanted, 0)
        assert city.hub().deliver(F14).run().rows == 0, "nothing that the consumer may have changed"
        file.write_text(text.replace("version: 1.3.0", "version: 1.3.2"), encoding="utf-8")
        with pytest.raises(PolicyError, match="approve"):
            city.hub().deliver(F14).run()
        approve()
        assert city.hub().deliver(F14).run().rows == rows
        folder = city.stage.city.home / "transport" / "inbox"
        first, last = inbox.file_sendings(folder, F14)[F14]
        assert "valid_to" not in first.rows.columns
        assert last.rows["valid_to"].null_count() == 0
