"""Names that carry persons: files and headers, from the folder to ledger, receipts and pages."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator

import pytest

from onecard.errors import SchemaMismatch
from onecard.operations import night_report
from onecard.operations.drift_look import look
from tests.cities import Cities
from tests.faults.pupils import PUPILS, Pupils
from tests.faults.sources import World, world

ID = "11010519491231002X"
EVERYTHING = (
    "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
    " AND table_schema IN ('ledger', 'quarantine', 'audit', 'report', 'staging')"
)


@pytest.fixture(scope="module")
def pupils(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Pupils]:
    with world(tmp_path_factory.mktemp("names"), cities, persons=300) as city:
        yield Pupils(city)


@pytest.fixture(autouse=True)
def fresh(pupils: Pupils) -> None:
    pupils.city.forget(PUPILS)


def kept(city: World) -> str:
    """Everything that the hub's tables hold beside the registry, as one text."""
    found = []
    with city.hub_database() as connection:
        for schema, table in connection.execute(EVERYTHING).fetchall():
            rows = connection.execute(f"SELECT to_jsonb(t)::text FROM {schema}.{table} t".encode())
            found += [row[0] for row in rows.fetchall()]
    return "\n".join(found)


@pytest.mark.case("screen-1", "drift of a CSV without a header shows no value, in JSON neither")
def test_drift_of_a_file_without_a_header(pupils: Pupils) -> None:
    pupils.put(pupils.rows)
    lines = pupils.file.read_bytes().split(b"\r\n")
    pupils.replace(b"\r\n".join(lines[1:]), len(lines) - 3)
    looked = look(pupils.city.hub(), PUPILS)
    told = json.dumps(looked.as_json(), ensure_ascii=False)
    assert looked.fails
    assert "names no column of the contract" in looked.problem
    failed = pupils.city.fails(PUPILS, SchemaMismatch, "names no column of the contract")
    # A short one, such as a year, stands in digests and times by chance.
    values = {v for v in pupils.rows[0].values() if len(v) > 4}
    assert values
    assert not [v for v in values if v in told + failed + kept(pupils.city)]


@pytest.mark.case("screen-1", "a value in the header beside the contract's names is not shown")
@pytest.mark.case("people-19", "drift shows a new Chinese column by its name")
@pytest.mark.parametrize(("more", "says"), [("备用", "备用"), (ID, "(name not shown)")])
def test_drift_of_a_column_more(pupils: Pupils, more: str, says: str) -> None:
    pupils.put([{**row, more: ""} for row in pupils.rows])
    looked = look(pupils.city.hub(), PUPILS)
    assert [c.native for c in looked.changes if c.kind == "new"] == [says]
    told = pupils.city.fails(PUPILS, SchemaMismatch, re.escape(says))
    assert ID not in told + json.dumps(looked.as_json())


@pytest.mark.case("screen-2", "ID number in a file's name: not in ledger, receipt, audit or page")
def test_a_file_named_after_a_person(pupils: Pupils) -> None:
    city = pupils.city
    pupils.put(pupils.rows)
    first, second, *others = pupils.file.read_bytes().split(b"\r\n")
    data = b"\r\n".join([first, second, b"", b"one,cell", *others])
    file = pupils.file.with_name(f"edu_enrolment_{ID}.csv")
    note = file.with_name(f"{file.name}.manifest.json")
    before = {f: f.read_bytes() for f in (pupils.file, pupils.note)}
    for path in before:
        path.unlink()
    try:
        file.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        note.write_text(json.dumps({"rows": len(pupils.rows) + 1, "sha256": digest}))
        counts = city.collect(PUPILS)
        assert (counts.published, counts.quarantined) == (len(pupils.rows), 1)
        assert city.collect(PUPILS).rows_read == 0, "the file is known again"
        waiting = file.with_name(f"edu_enrolment_{ID[:-1]}X2.csv")
        waiting.write_bytes(data)
        city.collect(PUPILS)
        waiting.unlink()
    finally:
        for path in (file, note):
            path.unlink(missing_ok=True)
        for path, content in before.items():
            path.write_bytes(content)
    masked = f"edu_enrolment_[id_number]~{digest[:10]}.csv"
    everything = kept(city)
    assert ID not in everything
    assert ID[:-1] not in everything
    assert everything.count(masked) >= 3, "origin, checkpoint, remarks"
    assert f"{masked}: 1 blank line(s) skipped" in everything
    hub = city.hub()
    page = night_report.write_report(hub).read_text(encoding="utf-8")
    assert ID not in page
