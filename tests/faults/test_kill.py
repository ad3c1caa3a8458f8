"""F1: a collect stopped by SIGKILL at any moment and run again ends in the same tables."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from demo.stage import Stage
from onecard.hub import database, ledger

DATASETS = ("hrss/card_master", "hrss/subsidy_payment")
DIGEST = (
    "SELECT count(*), md5(string_agg(md5(row_to_json(d)::text), '' ORDER BY md5(row_to_json(d)::text)))"
    " FROM (SELECT * FROM registry.{table}) t,"
    " LATERAL (SELECT (to_jsonb(t) - '_transfer_id' - '_version' - '_first_version') AS j) d"
)
COLLECT = "import sys; from onecard.wiring import Hub; h = Hub()\nfor d in sys.argv[1:]: h.collect(d).run()"


def digests(stage: Stage) -> dict[str, tuple[object, ...]]:
    """Count and digest of each registry table and of the quarantine."""
    found: dict[str, tuple[object, ...]] = {}
    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        for dataset in DATASETS:
            statement = DIGEST.format(table=dataset.replace("/", "__"))
            found[dataset] = tuple(connection.execute(statement.encode()).fetchone() or ())
        found["quarantine"] = tuple(
            connection.execute(
                "SELECT count(*), md5(string_agg(reasons::text, '' ORDER BY reasons::text))"
                " FROM quarantine.record"
            ).fetchone()
            or ()
        )
        found["staging"] = tuple(
            connection.execute(
                "SELECT count(*) FROM pg_tables WHERE schemaname = 'staging'"
            ).fetchone()
            or ()
        )
    return found


def collect(stage: Stage, kill_after: float | None = None) -> int:
    """Run the collects in a process; SIGKILL it after so many seconds."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", COLLECT, *DATASETS],
        env=stage.at(0),
        stderr=subprocess.PIPE,
    )
    if kill_after is not None:
        time.sleep(kill_after)
        process.send_signal(signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert kill_after is not None or process.returncode == 0, errors.decode()[-500:]
    return process.returncode


@pytest.mark.fault("F01", "killed at 16 moments, each rerun ends in the same tables")
@pytest.mark.slow
def test_killed_at_any_moment_the_rerun_ends_the_same(stage: Stage) -> None:
    started = time.monotonic()
    collect(stage)
    whole = time.monotonic() - started
    wanted = digests(stage)
    killed = 0
    for step in range(16):
        with database.connect(stage.hub(0).address, autocommit=True) as connection:
            for dataset in DATASETS:
                connection.execute(f"DROP TABLE registry.{dataset.replace('/', '__')}".encode())
            connection.execute("TRUNCATE quarantine.record")
            connection.execute("DELETE FROM ledger.dataset")
        killed += collect(stage, kill_after=whole * (0.1 + 0.05 * step)) == -signal.SIGKILL
        collect(stage)
        assert digests(stage) == wanted, f"after a kill at step {step}"
    assert killed >= 8


@pytest.mark.fault("F04", "the fencing token makes the older writer fail")
def test_an_older_transfer_cannot_publish_after_a_newer_one_claimed(stage: Stage) -> None:
    from onecard.errors import SupersededError

    old = stage.hub(0).collect("hrss/card_status_event")
    transfer = old.stage()
    stage.hub(0).collect("hrss/card_status_event").run()
    with pytest.raises(SupersededError, match="overtaken"):
        old.publish(transfer)
    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        done = {t.id: t.status for t in ledger.transfers(connection)}
    assert done[transfer] == "failed"


@pytest.mark.fault("F03", "the retry returns the first result")
def test_a_lost_acknowledgement_makes_the_retry_a_no_op(stage: Stage) -> None:
    collect_ = stage.hub(0).collect("hrss/card_status_event")
    transfer = collect_.stage()
    collect_.audit(transfer)
    first = collect_.publish(transfer)
    assert collect_.publish(transfer) == first


@pytest.mark.fault("F03", "sent again under its id; the inbox is unchanged")
def test_an_unconfirmed_delivery_is_sent_again_under_the_same_id(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onecard.delivery_record import Recorded

    agreement = "f02-hrss-medical_insurance-card-status"
    for dataset in ("hrss/card_status_event", "hrss/card_master"):
        stage.hub(0).collect(dataset).run()

    def lost(*_: object, **__: object) -> None:
        msg = "killed before the confirmation"
        raise KeyboardInterrupt(msg)

    with monkeypatch.context() as patch:
        patch.setattr(Recorded, "confirmed", lost)
        with pytest.raises(KeyboardInterrupt):
            stage.hub(0).deliver(agreement).run()
    before = stage.city.inbox("medical_insurance")[agreement]
    again = stage.hub(0).deliver(agreement).run()
    assert again.already == again.parts > 0
    assert stage.city.inbox("medical_insurance")[agreement].equals(before)
    assert stage.hub(0).deliver(agreement).run().transfer is None
