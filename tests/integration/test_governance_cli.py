"""The commands of governance on a real hub: lives, stops, proofs, one person's disclosures."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from demo.rehearsal import Rehearsal
from onecard.cli.app import app
from onecard.cli.commands import COMMANDS
from onecard.stewardship import receipt_check
from onecard.store import database, receipts
from tests import forked

F01 = "f01-hrss-transport-card-status"
F02, F07 = "f02-hrss-medical_insurance-card-status", "f07-hrss-operator-card-status"


def onecard(stage: Rehearsal, *arguments: str, given: str = "") -> tuple[int, str]:
    done = forked.onecard(stage.at(0), *arguments, given=given)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def collected(stage: Rehearsal) -> Rehearsal:
    for dataset in ("hrss/card_master", "hrss/card_status_event"):
        stage.hub(0).collect(dataset).run()
    return stage


def test_suspension_approval_and_stop(collected: Rehearsal) -> None:
    by = ("--by", "official")
    assert onecard(collected, "agreements", "suspend", F02, *by, "--reason", "audit")[0] == 0
    code, said = onecard(collected, "deliver", F02)
    assert (code, "is suspended: nothing leaves" in said) == (1, True)
    assert onecard(collected, "agreements", "approve", F02, *by, "--document", "D1")[0] == 0
    assert onecard(collected, "agreements", "stop", "all", *by, "--reason", "drill")[0] == 0
    code, said = onecard(collected, "deliver", F02)
    assert (code, "are stopped: nothing leaves" in said) == (1, True)
    assert onecard(collected, "agreements", "start", "all", *by, "--reason", "over")[0] == 0
    assert onecard(collected, "deliver", F02)[0] == 0
    code, said = onecard(collected, "agreements", "show", F02, "--json")
    assert [e["event"] for e in json.loads(said)["events"]] == ["approved", "suspended", "approved"]


def test_two_people_approve_by_command(collected: Rehearsal, tmp_path: Path) -> None:
    import shutil

    from schemas.models import catalogue

    shutil.copytree(catalogue.ROOT, tmp_path / "schemas")
    file = tmp_path / "schemas" / "agreements" / f"{F02}.yaml"
    changed = file.read_text(encoding="utf-8").replace("version: 1.2.0", "version: 1.3.0")
    file.write_text(f"{changed}approvers: 2\n", encoding="utf-8")
    collected.environment["ONECARD_SCHEMAS"] = str(tmp_path / "schemas")
    approve = ("agreements", "approve", F02, "--document", "D", "--by")
    code, said = onecard(collected, *approve, "li")
    assert (code, "approved by li, waits for a second person" in said) == (0, True)
    code, said = onecard(collected, *approve, "LI")
    assert (code, "the second is another's" in said) == (1, True)
    code, said = onecard(collected, "deliver", F02)
    assert (code, "needs the approval of a second one: nothing leaves" in said) == (1, True)
    withdraw = ("agreements", "withdraw", F02, "--by", "li", "--reason", "misread")
    assert onecard(collected, *withdraw)[0] == 0
    code, said = onecard(collected, *withdraw)
    assert (code, "no first approval of this text waits" in said) == (1, True)
    assert onecard(collected, *approve, "li")[0] == 0
    listed = json.loads(onecard(collected, "agreements", "list", "--json")[1])
    (line,) = [line for line in listed if line["id"] == F02]
    assert (line["state"], line["approvers"], line["first_approval_by"]) == ("draft", 2, "li")
    assert onecard(collected, *approve, "wang")[0] == 0
    assert onecard(collected, "deliver", F02)[0] == 0
    assert F02 in collected.city.inbox("medical_insurance")


@pytest.mark.parametrize(
    "command",
    [
        ("agreements", "stop", "all", "--by", "official"),
        ("agreements", "suspend", F02, "--by", "official"),
        ("quarantine", "show", "1", "--reveal"),
        ("quarantine", "replay", "1"),
        ("disclosures", "--person"),
        ("incidents", "close", "1", "--by", "official"),
        ("release", "1", "--by", "official"),
    ],
    ids=" ".join,
)
def test_a_reason_that_is_kept_for_good_holds_nobodys_data(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONECARD_DATABASE_URL", "postgresql://127.0.0.1:1/nothing")
    done = CliRunner().invoke(app, [*command, "--reason", "the case of 13812345678"])
    assert (done.exit_code, "13812345678" in done.output) == (1, False)
    assert "the reason holds personal data (mobile)" in " ".join(done.output.split())


def test_a_manifest_and_a_receipt_that_somebody_holds_are_verified(
    collected: Rehearsal, tmp_path: Path
) -> None:
    """As a consumer has got it: the file beside the rows."""
    hub = collected.hub(0)
    transfer = hub.deliver(F01).run().transfer
    assert transfer is not None
    folder = collected.city.home / "transport" / "inbox" / F01
    (manifest,) = folder.glob("*.manifest.json")
    with database.connect(hub.address, autocommit=True) as connection:
        stored = receipts.load(connection, transfer)
    assert stored is not None
    kept = tmp_path / "receipt.json"
    kept.write_text(json.dumps(receipt_check.document(stored)), encoding="utf-8")
    for file, kind in ((manifest, "manifest"), (kept, "receipt")):
        code, said = onecard(collected, "receipts", "verify", str(file), "--json")
        found = json.loads(said)
        assert (code, found["ok"], found["kind"]) == (0, True, kind)
        assert (found["signature"], found["recorded"]) == ("valid", "same")
        assert (found["transfer"], found["inclusion"]) == (transfer, "holds")
    meddled = json.loads(manifest.read_text("utf-8")) | {"rows": 1_000_000}
    kept.write_text(json.dumps(meddled), encoding="utf-8")
    code, said = onecard(collected, "receipts", "verify", str(kept))
    assert (code, "INVALID" in said) == (1, True)
    kept.write_text("{}", encoding="utf-8")
    code, said = onecard(collected, "receipts", "verify", str(kept))
    assert (code, "neither a receipt" in " ".join(said.split())) == (2, True)


@pytest.mark.case("people-2", "diff exits 0 whatever is new, and 1 with --exit-code")
def test_a_changed_text_waits_for_approval_and_says_what_is_new(
    collected: Rehearsal, tmp_path: Path
) -> None:
    import shutil

    from schemas.models import catalogue

    shutil.copytree(catalogue.ROOT, tmp_path / "schemas")
    file = tmp_path / "schemas" / "agreements" / f"{F07}.yaml"
    text = file.read_text(encoding="utf-8")
    more = "  - {name: event_type, treatment: as_is}\nkey: [person_token_ops"
    file.write_text(text.replace("key: [person_token_ops", more), encoding="utf-8")
    collected.environment["ONECARD_SCHEMAS"] = str(tmp_path / "schemas")
    code, said = onecard(collected, "agreements", "diff", F07)
    assert code == 0
    assert onecard(collected, "agreements", "diff", F07, "--exit-code")[0] == 1
    assert onecard(collected, "agreements", "diff", F02, "--exit-code")[0] == 0
    code, changes = onecard(collected, "agreements", "diff", F07, "--json")
    assert (code, json.loads(changes)["agreement"]) == (0, F07)
    assert "新增流出：" in said
    assert "event_type" in said
    code, said = onecard(collected, "deliver", F07)
    assert (code, "must be approved again" in said) == (1, True)
    code, said = onecard(collected, "agreements", "approve", F07, "--by", "x", "--document", "D")
    assert (code, "raise it" in said) == (1, True)
    changed = file.read_text(encoding="utf-8").replace("version: 1.2.0", "version: 1.3.0")
    file.write_text(changed, encoding="utf-8")
    assert onecard(collected, "agreements", "approve", F07, "--by", "x", "--document", "D")[0] == 0
    assert onecard(collected, "deliver", F07)[0] == 0


@pytest.mark.case("people-3", "no notice names the agreement: the gate blocks, nothing leaves")
def test_an_agreement_that_no_notice_names_does_not_leave(
    collected: Rehearsal, tmp_path: Path
) -> None:
    import shutil

    from schemas.models import catalogue

    shutil.copytree(catalogue.ROOT, tmp_path / "schemas")
    file = tmp_path / "schemas" / "registers.yaml"
    before, notices, after = file.read_text(encoding="utf-8").partition("\nnotices:\n")
    listed = after.replace(f"{F02}, ", "", 1)
    assert listed != after
    file.write_text(before + notices + listed, encoding="utf-8")
    collected.environment["ONECARD_SCHEMAS"] = str(tmp_path / "schemas")
    assert onecard(collected, "lint")[0] == 0
    code, said = onecard(collected, "deliver", F02)
    assert (code, f"{F02}: PR-24 告知 blocks" in said) == (1, True), said
    assert "no notice covers this flow: nothing leaves" in said
    assert F02 not in collected.city.inbox("medical_insurance")
    assert onecard(collected, "preview", F02)[0] == 1
    file.write_text(before + notices + after, encoding="utf-8")
    assert onecard(collected, "deliver", F02)[0] == 0


def test_receipts_audit_and_one_persons_disclosures(collected: Rehearsal) -> None:
    assert onecard(collected, "deliver", F02, F07)[0] == 0
    code, said = onecard(collected, "receipts", "list", "--json")
    assert code == 0
    assert {line["signature"] for line in json.loads(said)} == {"valid"}
    transfer = json.loads(said)[0]["transfer"]
    code, said = onecard(collected, "receipts", "show", str(transfer))
    assert (code, "signature valid" in said) == (0, True)
    code, said = onecard(collected, "receipts", "show", str(transfer), "--json")
    shown = json.loads(said)
    assert (code, shown["transfer"], shown["signature"]) == (0, transfer, "valid")
    assert shown["receipt"]["agreement"] in (F02, F07)
    assert onecard(collected, "receipts", "show", "999999")[0] == 2
    assert onecard(collected, "audit", "verify")[0] == 0
    with database.connect(collected.hub(0).address, autocommit=True) as connection:
        row = connection.execute(
            "SELECT person_id18 FROM registry.hrss__card_master JOIN"
            " registry.hrss__card_status_event USING (card_no) ORDER BY 1 LIMIT 1"
        ).fetchone()
    assert row is not None
    person = str(row[0])
    asked = ("disclosures", "--person", "--reason", "request 12", "--json")
    code, said = onecard(collected, *asked, given=person + "\n")
    assert code == 0
    lines = json.loads(said)
    assert {line["agreement"].split()[0] for line in lines} == {F02, F07}
    assert all(line["status"] == "confirmed" and line["purpose"] for line in lines)
    assert person not in said
    code, said = onecard(collected, *asked, given="410199194901010014\n")
    assert (code, json.loads(said)) == (0, [])
    code, said = onecard(collected, *asked, given="12345\n")
    assert (code, "12345" in said) == (1, False)


def test_a_consumer_confirms_that_it_erased_a_delivery(collected: Rehearsal) -> None:
    def overdue() -> int:
        later = collected.hub(400)
        with database.connect(later.address, autocommit=True) as connection:
            return receipts.overdue_erasures(connection, F02, later.settings.now())

    delivery = collected.hub(0).deliver(F02).run()
    with database.connect(collected.hub(0).address, autocommit=True) as connection:
        row = connection.execute(
            "SELECT delivery_id FROM ledger.transfer WHERE id = %s", (delivery.transfer,)
        ).fetchone()
    assert row is not None
    assert overdue() == 1
    erased = ("receipts", "erased", str(row[0]), "--by", "医保局", "--document", "回执1号")
    for moment in ("yesterday", "2026-11-24T02:00:00"):
        code, said = onecard(collected, *erased, "--at", moment)
        assert (code, "--at: write an instant with offset" in said) == (2, True)
        assert "Traceback" not in said
    assert overdue() == 1
    assert onecard(collected, *erased, "--at", "2026-11-24T02:00:00+08:00")[0] == 0
    assert overdue() == 0
    for again in (erased, ("receipts", "erased", "no-such", *erased[3:])):
        code, said = onecard(collected, *again)
        assert (code, "without an erasure receipt" in said) == (2, True)
    code, said = onecard(collected, "audit", "list", "--json")
    assert [e["subject"] for e in json.loads(said) if e["kind"] == "copy.erased"] == [row[0]]


def test_tokens_change_with_the_epoch_and_everything_is_sent_anew(collected: Rehearsal) -> None:
    assert onecard(collected, "deliver", F07)[0] == 0
    before = set(collected.city.inbox("operator")[F07]["person_token_ops"])
    rotated = onecard(collected, "keys", "rotate", "token/operator", "--epoch", "2027")
    assert rotated[0] == 0
    code, said = onecard(collected, "keys", "list", "--json")
    current = {(k["purpose"], k["epoch"]) for k in json.loads(said)["keys"] if k["current"]}
    assert (code, ("token/operator", "2027") in current) == (0, True)
    secrets = re.findall(r'"([0-9a-f]{32,})"', (collected.home / "keys.json").read_text())
    assert len(secrets) > 10
    assert not [secret for secret in secrets if secret in said]
    assert onecard(collected, "deliver", F07)[0] == 0
    after = set(collected.city.inbox("operator")[F07]["person_token_ops"])
    assert len(after) == 2 * len(before)
    assert before < after


def test_incidents_and_rejected_rows_by_command(collected: Rehearsal) -> None:
    with database.connect(collected.hub(0).address, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO ledger.incident (agreement, transfer, rule, delivered_rows)"
            " SELECT %s, max(id), 'PR-03', 7 FROM ledger.transfer",
            (F02,),
        )
    code, said = onecard(collected, "incidents", "list", "--json")
    (line,) = json.loads(said)
    assert (code, line["agreement"], line["rule"]) == (0, F02, "PR-03")
    close = ("incidents", "close", str(line["id"]), "--by", "official", "--reason", "handled")
    assert onecard(collected, *close)[0] == 0
    assert json.loads(onecard(collected, "incidents", "list", "--json")[1]) == []
    code, said = onecard(collected, *close)
    assert (code, "no open incident" in said) == (2, True)
    code, said = onecard(collected, "quarantine", "list", "--json")
    record = str(json.loads(said)[0]["id"])
    code, said = onecard(collected, "quarantine", "replay", record, "--reason", "try")
    assert (code, "fails again" in said) == (1, True)
    code, said = onecard(collected, "quarantine", "release", record, "--reason", "try")
    assert (code, "mend it at its source" in said) == (1, True)
    assert "0 rows purged" in onecard(collected, "quarantine", "purge")[1]


def test_an_unusual_volume_waits_for_a_person(collected: Rehearsal) -> None:
    hub = collected.hub(0)
    with database.connect(hub.address, autocommit=True) as connection:
        for _ in range(3):
            connection.execute(
                "INSERT INTO ledger.transfer (direction, subject, status, policy_version,"
                " sent_rows) VALUES ('deliver', %s, 'confirmed', '1.1.0', 1)",
                (F02,),
            )
    import onecard.deliver.volumes as module

    code, said = onecard(collected, "deliver", F02)
    assert code == 0, said  # few rows are never unusual
    with database.connect(hub.address, autocommit=True) as connection:
        connection.execute("DELETE FROM ledger.delivered")
    kept, module.FEW_ROWS = module.FEW_ROWS, 5
    try:
        from onecard.ports.privacy_gate import VolumeHold

        assert hub.deliver(F02).run().rows > 5  # a batch of events beside a day of them (ADR 0038)
        with database.connect(hub.address, autocommit=True) as connection:
            connection.execute("DELETE FROM ledger.delivered")
            connection.execute("UPDATE ledger.transfer SET sent_rows = 1 WHERE sent_rows > 1")
        with pytest.raises(VolumeHold, match="onecard release"):
            hub.deliver(F02).run()
        code, said = onecard(collected, "status")
        assert "held" in said
        with database.connect(hub.address, autocommit=True) as connection:
            row = connection.execute(
                "SELECT max(id) FROM ledger.transfer WHERE status = 'held'"
            ).fetchone()
        held = str(row[0]) if row else ""
        assert onecard(collected, "release", held, "--by", "x", "--reason", "y")[0] == 0
        assert hub.deliver(F02).run().rows > 5
    finally:
        module.FEW_ROWS = kept


INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d\S*")
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+08:00")
REPORTS = (
    *("status", "agreements list", f"agreements show {F02}", f"agreements diff {F02}"),
    *("agreements page", "incidents list", "quarantine list", "quarantine show {record}"),
    *("challenge list", "challenge show {ticket}", "challenge review", "audit verify"),
    *("audit list", "expectations list hrss/card_master", "keys list", "receipts list"),
    *("receipts show {transfer}", f"preview {F02}", "drift hrss", "doctor", "housekeeping"),
    *("report --agency hrss --lang zh", "reconcile hrss/card_master", f"deliver {F02}"),
    *("lint", "audit export {folder}", "alarms send", "collect hrss/card_master"),
)


def texts(value: object) -> list[str]:
    """All texts of a JSON document."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in texts(part)]
    return [value] if isinstance(value, str) else []


@pytest.mark.case(
    "people-16", "every report as one JSON document, its times in one form, nobody's data"
)
def test_every_report_has_json_and_one_form_of_time(collected: Rehearsal, tmp_path: Path) -> None:
    assert onecard(collected, "deliver", F02)[0] == 0
    ask = ("challenge", "open", "--dataset", "hrss/card_master", "--for", "bank", "--json")
    said = onecard(collected, *ask, "--statement", "wrong", "--rule", "id_number.checksum")[1]
    ids = {"ticket": json.loads(said)["id"], "folder": tmp_path / "log"}
    ids["record"] = json.loads(onecard(collected, "quarantine", "list", "--json")[1])[0]["id"]
    lines = json.loads(onecard(collected, "receipts", "list", "--json")[1])
    ids["transfer"] = lines[0]["transfer"]
    collected.environment["ONECARD_ALARMS"] = str(tmp_path / "alarms.yaml")
    (tmp_path / "alarms.yaml").write_text("channels: []\n")
    moments = 0
    for report in REPORTS:
        words = report.format(**ids).split()
        done = forked.onecard(collected.at(0), *words, "--json")
        assert done.returncode in (0, 1, 3), (report, done.stderr)
        if report == "alarms send" and done.returncode == 1:
            continue  # no channel is configured here: its own tests send
        document = json.loads(done.stdout)
        if report.startswith("quarantine show"):
            del document["values"]  # as the source wrote them
        for text in texts(document):
            if INSTANT.fullmatch(text):
                assert ISO.fullmatch(text), (report, text)
                moments += 1
        assert not re.search(r"410199(?:19|20)[0-9]{9}[0-9X]", done.stdout), report
    assert moments > 20


ACTING = {
    *("db upgrade", "agreements approve", "agreements suspend", "agreements stop"),
    *("agreements start", "incidents close", "quarantine release", "quarantine replay"),
    *("quarantine purge", "challenge acknowledge", "challenge answer", "challenge close"),
    *("keys init", "keys add", "keys rotate", "receipts erased", "up", "live", "serve"),
    *("agreements delay", "agreements withdraw", "misuse lift", "init agency", "ingest"),
    *("keys accept", "keys pair"),
}
"""They do something and say so in a line; what came of it stands in a report."""


@pytest.mark.case("people-16", "a command without --json is one of those that act")
def test_every_command_that_reports_takes_json() -> None:
    from inspect import signature

    without = set()
    for command in COMMANDS:
        module, _, function = command.target.partition(":")
        if "json" not in signature(getattr(import_module(module), function)).parameters:
            without.add(command.words)
    assert without <= ACTING


@pytest.mark.case("people-13", "ids and names that are not there: exit 2, in every command")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("quarantine list hrss/card_mastr", "did you mean hrss/card_master"),
        ("quarantine list nope", "unknown dataset 'nope'"),
        ("quarantine list --dataset hrss/card_mastr", "did you mean hrss/card_master"),
        ("quarantine list --rule id_number.chksum", "did you mean id_number.checksum"),
        ("quarantine list --transfer 999999", "no transfer 999999"),
        ("quarantine list --since yesterday", "--since: write an instant with offset"),
        ("quarantine replay --rule id_nmber.checksum --reason x", "did you mean id_number.checks"),
        ("nightly --only hrs", "did you mean hrss"),
        ("quarantine show 999999", "no quarantined row 999999"),
        ("quarantine hand-back hrs", "did you mean hrss"),
        ("release 999999 --by x --reason x", "no transfer '999999'"),
        ("release hrss/cards --by x --reason x", "no transfer 'hrss/cards'"),
        ("receipts show 999999", "transfer 999999 has no receipt"),
        ("challenge show 999999", "no ticket 999999"),
        ("challenge list --agency hrs", "did you mean hrss"),
        ("challenge list --status opened", "did you mean open"),
        ("challenge acknowledge 999999", "no ticket 999999"),
        ("incidents close 999999 --by x --reason x", "no open incident 999999"),
        ("agreements show f02", f"did you mean {F02}"),
        ("agreements stop bnak --by x --reason x", "did you mean bank"),
        ("keys rotate token/bnak --epoch 2027", "did you mean token/bank"),
        ("keys add bnak --epoch 2027", "did you mean bank"),
        ("reconcile hrss/card_mastr", "did you mean hrss/card_master"),
        ("reconcile hrss/card_master --since yesterday", "--since: write an instant with offset"),
        ("status --jsn", "No such option"),
        ("statsu", "No such command 'statsu'"),
    ],
)
def test_names_that_are_not_there(stage: Rehearsal, words: str, says: str) -> None:
    code, said = onecard(stage, *words.split())
    assert (code, says in " ".join(said.split())) == (2, True), said
    assert "Traceback" not in said
