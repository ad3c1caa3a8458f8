"""Rows of one key in files: the order that the contract states decides, night after night."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from onecard.model.row_order import OLDER, TIE
from tests.office import Office, csv_folder, put, remove


@pytest.fixture
def office(hub_database: str, tmp_path: Path) -> Office:
    """CSV files without a sequence, in the order of their names."""
    source, connection = csv_folder(tmp_path)
    return Office(hub_database, tmp_path, source, connection, custom={"order": "file_name"})


@pytest.fixture
def dated(office: Office) -> Office:
    """CSV files without a sequence, in the order of their manifests' times."""
    office.source["options"]["manifest"] = {"time": "time"}
    office.custom = {"order": "manifest_time"}
    return office


@pytest.mark.case("order-1", "the last row by file name is compared with the registry")
@pytest.mark.parametrize("custom", [{"order": "file_name"}, {}], ids=["stated", "assumed"])
def test_a_row_that_equals_the_registry_and_is_the_last(
    office: Office, custom: dict[str, Any]
) -> None:
    office.custom = custom
    put(office.home, "01.csv", "K1,A", "K2,x")
    office.night()
    version = office.version
    put(office.home, "02.csv", "K1,B")
    put(office.home, "03.csv", "K1,A")
    assert office.counts() == {"rows_read": 2, "unchanged": 1, "deduplicated": 1}
    assert office.published == {"K1": "A", "K2": "x"}
    assert office.version == version


@pytest.mark.case("order-1", "the changed row wins when it is the last")
def test_a_row_that_equals_the_registry_and_is_not_the_last(office: Office) -> None:
    put(office.home, "01.csv", "K1,A")
    office.night()
    put(office.home, "02.csv", "K1,A", "K1,A", "K1,C")
    put(office.home, "03.csv", "K1,A", "K1,B")
    assert office.counts() == {"rows_read": 5, "published": 1, "deduplicated": 4}
    assert office.published == {"K1": "B"}


@pytest.mark.case("order-1", "the same files together, apart or in other chunks end alike")
def test_nights_together_and_apart_end_alike(office: Office) -> None:
    put(office.home, "01.csv", "K1,A", "K2,x", "K1,B")
    first = office.night()
    assert office.findings(first) == {}, "the order is stated: nothing is doubtful"
    put(office.home, "02.csv", "K2,y", "K1,A")
    office.night()
    apart = office.published
    again = office.counts(whole=True)
    assert office.published == apart == {"K1": "A", "K2": "y"}
    assert again == {"rows_read": 5, "unchanged": 2, "deduplicated": 3}


@pytest.mark.case("order-2", "without a stated order repeats are a finding with a count")
def test_repeats_without_a_stated_order_are_a_finding(office: Office) -> None:
    office.custom = {}
    put(office.home, "01.csv", "K1,A", "K1,B", "K2,x", "K2,x")
    done = office.night()
    assert office.published == {"K1": "B", "K2": "x"}
    assert done.counts.deduplicated == 2
    assert office.findings(done) == {TIE: 1}
    assert "1 row(s) repeat the key" in office.message(done)


@pytest.mark.case("order-4", "an old file issued again under a new name keeps the newer value")
def test_an_old_file_that_is_issued_again(dated: Office) -> None:
    put(dated.home, "a.csv", "K1,A", "K2,x", time="2026-11-01T08:00:00+08:00")
    dated.night()
    put(dated.home, "b.csv", "K1,B", time="2026-11-02T08:00:00+08:00")
    dated.night()
    put(dated.home, "c.csv", "K1,A", "K3,z", time="2026-11-01T08:00:00+08:00")
    assert dated.counts() == {"rows_read": 3, "published": 1, "unchanged": 1, "deduplicated": 1}
    assert dated.published == {"K1": "B", "K2": "x", "K3": "z"}
    put(dated.home, "d.csv", "K1,D", time="2026-11-03T00:00:00Z")
    dated.night()
    assert dated.published["K1"] == "D"


@pytest.mark.case("order-4", "a late file neither replaces what files that are gone have set")
@pytest.mark.parametrize("whole", [False, True])
def test_an_old_file_when_the_newer_one_is_gone(dated: Office, whole: bool) -> None:
    put(dated.home, "a.csv", "K1,A", "K2,x", time="2026-11-01T08:00:00")
    dated.night()
    put(dated.home, "b.csv", "K1,B", "K2,x", time="2026-11-03T08:00:00")
    dated.night()
    remove(dated.home, "b.csv")
    put(dated.home, "c.csv", "K1,C", "K2,y", "K3,z", time="2026-11-02T08:00:00")
    done = dated.night(whole=whole)
    assert dated.published == {"K1": "B", "K2": "x", "K3": "z"}
    assert dated.findings(done)[OLDER] == 2
    assert "older than what is published, by the order of the files" in dated.message(done)
    assert dated.reconcile().outcome == "agreed"
    assert dated.published == {"K1": "B", "K2": "x", "K3": "z"}
    dated.night(whole=True)
    assert dated.published == {"K1": "B", "K2": "x", "K3": "z"}


@pytest.mark.case("order-4", "a file replaced under its old name does not go over newer ones")
def test_an_old_file_that_is_replaced(office: Office) -> None:
    for number, value in ((1, "A"), (2, "B"), (3, "C")):
        put(office.home, f"0{number}.csv", f"K{number},{value}", f"K9,{value}")
        office.night()
    put(office.home, "02.csv", "K2,b", "K9,b")
    office.night()
    assert office.published == {"K1": "A", "K2": "b", "K3": "C", "K9": "C"}


@pytest.mark.case("order-4", "a manifest without its time is refused by name")
def test_a_manifest_without_a_time_is_refused(dated: Office) -> None:
    put(dated.home, "a.csv", "K1,A", time="yesterday")
    put(dated.home, "b.csv", "K2,B", time="2026-11-03")
    done = dated.night()
    assert dated.published == {"K2": "B"}
    assert "refused a.csv: manifest.time" in dated.message(done)


@pytest.mark.case("order-3", "files with a sequence: a lower one never overwrites")
def test_a_sequence_goes_before_the_order_of_files(office: Office) -> None:
    office.fields, office.custom = ("k", "v", "seq"), {"sequence": "seq", "order": "file_name"}
    put(office.home, "01.csv", "K1,A,5", "K2,x,5", head="k,v,seq")
    office.night()
    put(office.home, "02.csv", "K1,B,4", "K2,y,5", "K1,C,3", head="k,v,seq")
    done = office.night()
    assert office.published == {"K1": "A", "K2": "y"}
    assert (done.counts.published, done.counts.deduplicated) == (1, 2)
    assert office.findings(done) == {OLDER: 1}
