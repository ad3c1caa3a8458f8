"""F45, F49, F51: consumers of the live lane that are dead, silent, stopped or suspended in a burst.

What goes wrong with one costs the others nothing, and it has all of it in order afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from connectors.common.breaker import COOL_S, FAILURES
from onecard.store import agreement_lives, database
from tests.cities import Cities
from tests.faults.lane_process import LaneProcess, none_left
from tests.faults.lane_town import AGREEMENTS, FOLDER, HTTP, TABLE, TOKENS, LaneTown, settled
from tests.faults.proxy import TcpProxy, tcp_proxy
from tests.sampling import how_often, sampled
from tests.waiting import until

OTHERS = (FOLDER, TABLE, TOKENS)
INSURANCE = "AIRFLOW_CONN_MEDICAL_INSURANCE_API"
HOUR_S = 3600
TRIES = how_often(2, int(HOUR_S / COOL_S))
"""So often a dead consumer is tried again, once each time its breaker lets one call pass."""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[LaneTown]:
    home = tmp_path_factory.mktemp("lane-consumers")
    with cities.start(home / "stage", persons=300, seed=5) as stage, settled(stage, home) as found:
        yield found


@pytest.fixture
def insurance(town: LaneTown) -> Iterator[TcpProxy]:
    """Between the hub and the system of one consumer."""
    known = json.loads(town.stage.environment[INSURANCE])
    with tcp_proxy("127.0.0.1", int(known["port"])) as found:
        town.more[INSURANCE] = json.dumps({**known, "host": "127.0.0.1", "port": found.port})
        yield found
    del town.more[INSURANCE]


def ends_well(town: LaneTown, *running: LaneProcess) -> None:
    for process in running:
        process.end()
    town.sound()
    town.no_lease_left()
    town.night_finds_nothing()


@pytest.mark.fault(
    "F45", "dead for an hour: 5 calls fail, then one each five minutes; it catches up"
)
@pytest.mark.timeout(900 + 30 * TRIES)
def test_a_consumer_is_dead_for_an_hour(town: LaneTown, insurance: TcpProxy) -> None:
    lane = town.lane()
    with none_left(lane):
        town.report()
        town.arrived()
        before = {name: town.failures(name) for name in AGREEMENTS}
        insurance.drop()
        with town.load():
            until(lambda: town.failures(HTTP) == before[HTTP] + FAILURES, "the breaker opens")
        for tried in range(TRIES):
            calls = insurance.opened
            town.report()
            town.arrived(*OTHERS)
            assert insurance.opened == calls, "it is left alone"
            lane.later(int(COOL_S) + 1)
            failed = before[HTTP] + FAILURES + tried + 1
            until(lambda n=failed: town.failures(HTTP) == n, "one try more")
        assert {name: town.failures(name) for name in OTHERS} == {n: before[n] for n in OTHERS}
        insurance.flow()
        town.report()
        town.arrived(*OTHERS)
        lane.later(int(COOL_S) + 1)
        town.arrived()
        ends_well(town, lane)


@pytest.mark.fault("F45", "a consumer that hangs delays no other, and has all when it answers")
def test_a_consumer_hangs(town: LaneTown, insurance: TcpProxy) -> None:
    lane = town.lane()
    with none_left(lane):
        town.report()
        town.arrived()
        insurance.hold()
        for _ in range(3):
            town.report()
            town.arrived(*OTHERS)
        assert town.missing(HTTP)
        insurance.flow()
        town.arrived()
        ends_well(town, lane)


@pytest.mark.fault("F49", "each consumer, one dead meanwhile, has the block before the new carrier")
def test_each_consumer_hears_of_the_block_first(town: LaneTown, insurance: TcpProxy) -> None:
    """A card is reported lost, and then another one of the same holder is taken into use."""
    old, new = 0, 1
    lane = town.lane()
    with none_left(lane):
        town.report()
        town.arrived()
        insurance.drop()
        blocked = town.event(old)
        town.store(blocked)
        town.arrived(*OTHERS)
        enabled = town.event(new)
        town.store(enabled)
        town.arrived(*OTHERS)
        insurance.flow()
        town.arrived()
        for agreement in AGREEMENTS:
            came = town.arrivals.first(agreement)
            assert came.index(blocked["event_seq"]) < came.index(enabled["event_seq"]), agreement
        ends_well(town, lane)


def stop(town: LaneTown) -> Callable[[], None]:
    """Stop all deliveries to the transport company; returns what starts them again."""
    town.switch("transport", stopped=True)
    return lambda: town.switch("transport", stopped=False)


def suspend(town: LaneTown) -> Callable[[], None]:
    """Suspend its agreement; returns what approves it again."""
    agreement = town.stage.hub(0).catalogue.agreement(FOLDER)
    with database.connect(town.address, autocommit=True) as connection:
        agreement_lives.suspend(connection, agreement, "值班员", "演练")

    def approve() -> None:
        with database.connect(town.address, autocommit=True) as connection:
            agreement_lives.approve(connection, agreement, "演练批准人", "演练批复〔2026〕2号")

    return approve


@pytest.mark.fault("F51", "stopped or suspended in a burst: nothing more leaves, all of it later")
@pytest.mark.parametrize("how", sampled([stop, suspend], [stop]))
def test_an_agreement_ends_in_a_burst(
    town: LaneTown, how: Callable[[LaneTown], Callable[[], None]]
) -> None:
    rest = (HTTP, TABLE, TOKENS)
    lane = town.lane()
    with none_left(lane):
        with town.load(0.02):
            town.arrived(FOLDER)
            again = how(town)
            until(lambda: not under_way(town), "the batch in hand")
            had = town.arrivals.all(FOLDER)
            for _ in range(3):
                town.arrived(*rest)
        town.arrived(*rest)
        assert town.arrivals.all(FOLDER) == had
        assert town.missing(FOLDER)
        again()
        town.arrived()
        ends_well(town, lane)


def under_way(town: LaneTown) -> int:
    """Deliveries to the transport company that have not ended."""
    return town.number(
        "SELECT count(*) FROM ledger.transfer WHERE subject = %s AND finished_at IS NULL", FOLDER
    )
