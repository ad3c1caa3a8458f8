"""F07, F15 to F20, F23, F24: tables that change while and between they are read, end to end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from onecard.app.wiring import Hub
from onecard.base.settings import Settings
from onecard.errors import AuditFailed, SourceUnavailable
from tests.cities import Cities
from tests.faults.proxy import TcpProxy, tcp_proxy
from tests.faults.sources import World, world

CARDS = "hrss/card_master"
TIME = "source_updated_at"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("tables"), cities) as found:
        yield found


@pytest.fixture(scope="module")
def proxy(city: World) -> Iterator[TcpProxy]:
    at = city.connection("hrss_db")
    with tcp_proxy(str(at["host"]), int(at["port"])) as found:
        city.through("hrss_db", found.port)
        yield found


@pytest.fixture
def cards(city: World, proxy: TcpProxy) -> Iterator[Cards]:
    """The card table as it was, published once; put back at the end."""
    found = Cards(city)
    proxy.clean()
    city.forget(CARDS)
    found.keep()
    city.collect(CARDS)
    yield found
    proxy.clean()
    found.restore()


class Cards:
    """The agency's own hand on its card table."""

    def __init__(self, city: World) -> None:
        self._city = city
        self.contract = city.hub().catalogue.contract(CARDS)
        self.key = self.contract.field(self.contract.key[0]).native
        self.time = self.contract.field(TIME).native
        self.table = f"hrss.{self.contract.source.options['table']}"

    def session(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A session of the agency's, with its own transaction."""
        return psycopg.connect(self._city.stage.city.postgres_url)

    def run(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        """One statement, committed."""
        with self.session() as connection:
            return self.on(connection, text, *values)

    def on(
        self, connection: psycopg.Connection[tuple[Any, ...]], text: str, *values: object
    ) -> list[tuple[Any, ...]]:
        """One statement in a session; {t}, {k}, {at} are the table, its key and its time."""
        filled = text.format(t=self.table, k=f'"{self.key}"', at=f'"{self.time}"')
        cursor = connection.execute(filled.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def keep(self) -> None:
        self.run("CREATE TABLE hrss.kept AS SELECT * FROM {t}")

    def restore(self) -> None:
        self.run("TRUNCATE {t}")
        self.run("INSERT INTO {t} SELECT * FROM hrss.kept")
        self.run("DROP TABLE hrss.kept")

    def published(self, *keys: str) -> dict[str, datetime]:
        """Update times of published cards."""
        name = self.contract.key[0]
        with self._city.hub_database() as connection:
            statement = (
                f"SELECT {name}, {TIME} FROM registry.{self.contract.table}"
                f" WHERE {name} = ANY(%s) AND _deleted_at IS NULL"
            )
            rows = connection.execute(statement.encode(), (list(keys),)).fetchall()
        return {str(row[0]): row[1] for row in rows}

    def some(self, count: int) -> list[str]:
        """Keys of published cards that stand once in the agency's table."""
        name, once = self.contract.key[0], "SELECT {k} FROM {t} GROUP BY 1 HAVING count(*) = 1"
        there = {str(row[0]) for row in self.run(once)}
        with self._city.hub_database() as connection:
            statement = f"SELECT {name} FROM registry.{self.contract.table} ORDER BY 1"
            rows = connection.execute(statement.encode()).fetchall()
        return [str(row[0]) for row in rows if str(row[0]) in there][:count]

    def touch(self, at: datetime, *keys: str) -> None:
        """Change cards, and say when."""
        self.run(
            "UPDATE {t} SET {at} = %s, source_seq = source_seq + 1 WHERE {k} = ANY(%s)",
            at,
            list(keys),
        )

    def watermark(self) -> datetime:
        return datetime.fromisoformat(str(self._city.cursor(CARDS)))


@pytest.mark.fault("F07", "a database that resets mid-COPY: unavailable, nothing published")
@pytest.mark.parametrize("limit", [0, 2_000, 200_000])
def test_a_database_that_hangs_up(city: World, proxy: TcpProxy, cards: Cards, limit: int) -> None:
    wanted = city.state(CARDS)
    city.forget(CARDS)
    proxy.cut(limit)
    city.fails(CARDS, SourceUnavailable, "cannot be reached")
    proxy.clean()
    city.collect(CARDS)
    assert city.state(CARDS) == wanted


@pytest.mark.fault("F16", "rows of one instant, in two readings: all of them, each once")
def test_ties_at_the_boundary(city: World, cards: Cards) -> None:
    at = cards.watermark() + timedelta(minutes=1)
    first, second = cards.some(6)[:3], cards.some(6)[3:]
    base = city.collect(CARDS)
    cards.touch(at, *first)
    assert city.collect(CARDS).published == 3
    assert cards.watermark() == at
    cards.touch(at, *second)
    counts = city.collect(CARDS)
    assert (counts.published, counts.quarantined) == (3, base.quarantined)
    assert set(cards.published(*first, *second).values()) == {at}
    assert city.collect(CARDS).published == 0


@pytest.mark.fault("F17", "committed after the reading with an older time: the overlap finds it")
def test_a_late_commit_is_found_by_the_overlap(city: World, cards: Cards) -> None:
    """Its time is older than the watermark that the reading in between has set."""
    late, on_time, too_late = cards.some(3)
    now = cards.watermark() + timedelta(minutes=30)
    with cards.session() as held:
        cards.on(
            held,
            "UPDATE {t} SET {at} = %s, source_seq = source_seq + 1 WHERE {k} = %s",
            now - timedelta(minutes=5),
            late,
        )
        cards.touch(now, on_time)
        city.collect(CARDS)
        assert cards.watermark() == now
        assert cards.published(late)[late] < now - timedelta(minutes=5)
    assert city.collect(CARDS).published == 1
    assert cards.published(late)[late] == now - timedelta(minutes=5)
    cards.touch(now - timedelta(minutes=11), too_late)
    assert city.collect(CARDS).published == 0
    assert city.collect(CARDS, whole=True).published == 1, "what is older, a whole reading finds"


@pytest.mark.fault("F18", "a row without update time is read every time, quarantined and counted")
def test_null_in_the_cursor(city: World, cards: Cards) -> None:
    (key,) = cards.some(1)
    before = cards.watermark()
    base = city.collect(CARDS)
    cards.run("UPDATE {t} SET {at} = NULL WHERE {k} = %s", key)
    for _ in range(2):
        counts = city.collect(CARDS)
        assert counts.quarantined == base.quarantined + 1
        assert counts.rows_read >= 1
    assert cards.watermark() == before
    cards.touch(before + timedelta(seconds=1), key)
    assert city.collect(CARDS).published == 1


@pytest.mark.fault("F19", "a row of 2031 does not take the watermark past now")
def test_a_row_of_the_future(city: World, cards: Cards) -> None:
    future, present = cards.some(2)
    now = city.stage.city.now(0)
    cards.touch(now + timedelta(days=1_800), future)
    city.collect(CARDS)
    assert cards.watermark() <= now
    cards.touch(now - timedelta(minutes=1), present)
    city.collect(CARDS)
    assert cards.published(present)[present] == now - timedelta(minutes=1), "not lost behind it"


@pytest.mark.fault("F20", "microseconds at the boundary: no row lies between two readings")
def test_microseconds(city: World, cards: Cards) -> None:
    keys = cards.some(5)
    at = cards.watermark() + timedelta(minutes=1, microseconds=999_999)
    cards.touch(at, keys[0])
    city.collect(CARDS)
    assert cards.watermark() == at
    for step, key in enumerate(keys[1:], start=-2):
        cards.touch(at + timedelta(microseconds=step), key)
    assert city.collect(CARDS).published == 4
    assert max(cards.published(*keys).values()) == at + timedelta(microseconds=1)


@pytest.mark.fault("F20", "a source that keeps whole seconds or days: nothing falls between")
@pytest.mark.parametrize("kind", ["timestamp(0)", "date"])
def test_a_coarser_cursor(city: World, cards: Cards, kind: str) -> None:
    cards.run(
        "ALTER TABLE {t} ALTER COLUMN {at} TYPE "
        + kind
        + " USING ({at} AT TIME ZONE 'Asia/Shanghai')"
    )
    try:
        statement = "SELECT count(*) FROM {t} WHERE {at} = (SELECT max({at}) FROM {t})"
        newest = cards.run(statement)[0][0]
        city.forget(CARDS)
        first = city.collect(CARDS)
        counts = city.collect(CARDS)
        assert first.published > first.quarantined
        assert counts.rows_read >= newest >= 1
        assert counts.published == 0
    finally:
        cards.run("ALTER TABLE {t} ALTER COLUMN {at} TYPE timestamptz USING {at}::timestamptz")


@pytest.mark.fault("F23", "a clock 10 minutes fast or slow publishes the same rows in the end")
@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_that_is_wrong(city: World, cards: Cards, minutes: int) -> None:
    right = city.stage.city.now(0)
    wrong = right + timedelta(minutes=minutes)

    def hub(at: datetime) -> Hub:
        environment = {**city.stage.at(0), "ONECARD_NOW": at.isoformat()}
        return Hub(Settings.load(environment), city.stage.hub(0).connections)

    def night(clock: datetime) -> tuple[Any, ...]:
        city.forget(CARDS)
        hub(clock).collect(CARDS).run()
        keys = cards.some(4)
        for place, key in enumerate(keys):
            cards.touch(right + timedelta(minutes=5 * place - 20), key)
        hub(clock).collect(CARDS).run()
        hub(clock + timedelta(minutes=30)).collect(CARDS).run()
        city.sound(CARDS)
        found = city.state(CARDS)
        cards.restore()
        cards.keep()
        return found

    assert night(wrong) == night(right)


@pytest.mark.fault("F24", "01:30 of 1988-09-11 was twice: quarantined; the hours around it are not")
def test_an_ambiguous_hour(city: World, cards: Cards) -> None:
    """The source keeps local time without a zone; summer time ended at 02:00."""
    before, ambiguous, after = cards.some(3)
    base = city.collect(CARDS, whole=True)
    cards.run(
        "ALTER TABLE {t} ALTER COLUMN {at} TYPE timestamp USING ({at} AT TIME ZONE 'Asia/Shanghai')"
    )
    try:
        for key, hour in ((before, "00:30"), (ambiguous, "01:30"), (after, "02:30")):
            cards.run(
                "UPDATE {t} SET {at} = %s, source_seq = source_seq + 1 WHERE {k} = %s",
                f"1988-09-11 {hour}",
                key,
            )
        counts = city.collect(CARDS, whole=True)
        assert counts.quarantined == base.quarantined + 1
        found = cards.published(before, after)
        assert found[before] == datetime.fromisoformat("1988-09-11T00:30+09:00")
        assert found[after] == datetime.fromisoformat("1988-09-11T02:30+08:00")
    finally:
        cards.run(
            "ALTER TABLE {t} ALTER COLUMN {at} TYPE timestamptz USING ({at} AT TIME ZONE 'Asia/Shanghai')"
        )


@pytest.mark.fault("F15", "an empty or halved source: held for a person, no row is taken away")
@pytest.mark.parametrize("whole", [False, True], ids=["from the watermark", "whole"])
@pytest.mark.parametrize("left", [0.0, 0.5])
def test_a_source_that_has_shrunk_is_held(
    city: World, cards: Cards, left: float, *, whole: bool
) -> None:
    """No contract says it: every one demands it of its source. The newest rows are still there."""
    city.collect(CARDS, whole=True)
    before = city.state(CARDS)
    rows = int(cards.run("SELECT count(*) FROM {t}")[0][0])
    cards.run(
        "DELETE FROM {t} WHERE ctid IN (SELECT ctid FROM {t} ORDER BY {at} DESC OFFSET %s)",
        int(rows * left),
    )
    for _ in range(2):  # and the night after is held as well
        with pytest.raises(AuditFailed, match=r"is held: shrinkage\. hrss, with"):
            city.hub().collect(CARDS).run(whole=whole)
        assert city.state(CARDS) == before
    cards.restore()
    cards.keep()
    city.collect(CARDS, whole=whole)
    assert city.state(CARDS) == before


@pytest.mark.fault("F15", "a source that has lost less than half is published")
def test_a_source_that_has_lost_a_little_is_not_held(city: World, cards: Cards) -> None:
    before = city.collect(CARDS, whole=True).rows_read
    cards.run("DELETE FROM {t} WHERE ctid IN (SELECT ctid FROM {t} OFFSET %s)", before * 6 // 10)
    assert city.collect(CARDS, whole=True).rows_read == before * 6 // 10
    assert city.collect(CARDS).rows_read < before * 6 // 10


@pytest.mark.fault("F15", "deletes are never propagated by reading: an empty source takes nothing")
@pytest.mark.parametrize("whole", [False, True])
def test_an_empty_source_takes_nothing_away(city: World, cards: Cards, *, whole: bool) -> None:
    """Behind the watermark it is empty too, though the row that set it should be there again."""
    before = city.state(CARDS)
    cards.run("TRUNCATE {t}")
    for _ in range(2):  # and the night after is held as well
        with pytest.raises(AuditFailed, match="is held: shrinkage"):
            city.hub().collect(CARDS).run(whole=whole)
        assert city.state(CARDS) == before


@pytest.mark.fault("F15", "nights without news are not held, however many")
def test_quiet_nights_are_not_held(city: World, cards: Cards) -> None:
    for _ in range(4):
        assert city.collect(CARDS).published == 0


@pytest.mark.fault("F15", "a contract may ask for less of its source, with a reason")
def test_a_contract_may_relax_it(city: World, cards: Cards) -> None:
    file = city.schemas / "contracts" / "hrss" / "card_master.odcs.yaml"
    kept = file.read_text(encoding="utf-8")
    own = (
        "- {name: emptied, description: 每月清空, type: custom, engine: onecard, dimension: coverage,"
        " severity: warning, implementation: {check: shrinkage, reason: 每月初清空}}\n      "
    )
    try:
        file.write_text(kept.replace("- name: volume", own + "- name: volume"), encoding="utf-8")
        cards.run("TRUNCATE {t}")
        assert city.collect(CARDS).rows_read == 0
    finally:
        file.write_text(kept, encoding="utf-8")


def test_the_hub_is_another_database(city: World) -> None:
    """The proxy stands before the agency, not before the hub: else the tests above mean less."""
    with city.hub_database() as connection:
        assert connection.info.dbname != city.connection("hrss_db")["schema"]
