"""The bench runs: each of its programs with few rows and without peers, and all by one command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from bench import floor, measure, server, server_cpu
from bench.world import World, filled
from onecard.store import database

ROOT = Path(__file__).parents[2]
SMALL = ["--rows", "20000", "--rounds", "1"]
PROGRAMS = {
    "bench.transfers": ([*SMALL, "--no-peers"], "transfers"),
    "bench.text": (SMALL, "text sources"),
    "bench.offices": ([*SMALL, "--no-peers"], "files of offices"),
    "bench.holding": (["--rows", "20000"], "what consumers hold"),
    "bench.govern": ([*SMALL, "--deliveries", "5", "--each", "1000"], "governed deliveries"),
    "bench.rejected": (["--rows", "20000"], "rejected rows"),
    "bench.reconcile": ([*SMALL, "--planted", "30"], "reconciliation"),
}
BUSY = "SELECT count(*) FROM generate_series(1, 3000000) AS n WHERE n % 7 = 0"


def start(program: str, options: list[str], home: Path, address: str | None) -> str:
    """Run one program of the bench; returns the page that it wrote."""
    page = home / "RESULTS.md"
    more = ["--home", str(home / "bench"), "--results", str(page)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ONECARD_")}
    if address:
        environment[server.GIVEN] = address
    done = subprocess.run(
        [sys.executable, "-m", program, *options, *more],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    return page.read_text(encoding="utf-8")


def left(address: str) -> set[str]:
    """Databases of the bench that are there."""
    with psycopg.connect(address) as connection:
        found = connection.execute("SELECT datname FROM pg_database WHERE datname ~ '^bench_'")
        return {str(name) for (name,) in found}


@pytest.mark.nightly
@pytest.mark.case("people-27", "each program of the bench runs on a server")
@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_it_runs_on_a_server(program: str, tmp_path: Path, postgres: str) -> None:
    options, section = PROGRAMS[program]
    page = start(program, options, tmp_path, postgres)
    assert f"<!-- {section} -->" in page
    assert "20,000" in page


@pytest.mark.nightly
@pytest.mark.case(
    "people-27", "the live lane reaches seven consumers, and each holds what it should"
)
def test_the_live_lane_is_measured(tmp_path: Path, postgres: str) -> None:
    page = start("bench.live", ["--residents", "600", "--share", "0.01"], tmp_path, postgres)
    assert "<!-- the live lane -->" in page
    assert "a burst of 600 |" in page
    held = page.partition("Rows in the consumers' own systems")[2]
    assert held.count("(0 wrong, 0 twice)") == 7


@pytest.mark.nightly
@pytest.mark.case("people-27", "each page of the portal is asked for, beside an empty one")
def test_the_portal_is_measured(tmp_path: Path, postgres: str) -> None:
    few = ["--rows", "500", "--rounds", "3", "--first", "2026-10-20", "--checked", "2000"]
    page = start("bench.portal", few, tmp_path, postgres)
    assert "<!-- the stewards' portal -->" in page
    assert "| a problem, rows in the middle |" in page
    assert "one problem has 500 rejected rows" in page
    assert "a CSV of 2,000 cards" in page


@pytest.mark.nightly
@pytest.mark.case("people-27", "calls about single persons: each answer is on record once")
def test_single_persons_are_measured(tmp_path: Path, postgres: str) -> None:
    few = ["--calls", "400", "--seconds", "2"]
    page = start("bench.serve", [*SMALL, *few], tmp_path, postgres)
    assert "<!-- single persons -->" in page
    assert "the bare handler, 64 connections | 400 | 0 |" in page
    assert "200 calls/s for 2 s | 400 | 0 |" in page
    assert "beside 2,300 answers: 0 missing, 0 twice, 0 without an answer" in page
    assert "the log and all groups of calls are whole" in page


@pytest.mark.nightly
@pytest.mark.case("people-27", "one command runs it on the embedded server, where peers reach it")
def test_it_runs_on_the_embedded_server(tmp_path: Path) -> None:
    page = start("bench", ["--quick", "--no-peers", "transfers", "reconcile"], tmp_path, None)
    assert "then the primary key: the floor | " in page
    assert "first load of 40,000 rows" in page
    assert "unknown" not in page, "CPU seconds of the embedded server are known"
    assert "<!-- reconciliation -->" in page
    assert (tmp_path / "results.svg").read_text(encoding="utf-8").startswith("<svg ")
    assert not (tmp_path / "bench" / "server").exists(), "its folder goes"


def test_the_embedded_server_has_a_port_and_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(server.GIVEN, raising=False)
    with server.running(tmp_path) as address:
        with psycopg.connect(address) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        user, _, place = address.rpartition("@")
        wrong = f"{user.rpartition(':')[0]}:guess@{place}"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address)
    assert not (tmp_path / "server").exists()


def test_cpu_seconds_of_sessions_that_ended_count(postgres: str) -> None:
    before = server_cpu.spent(postgres)
    with psycopg.connect(postgres) as connection:
        connection.execute(BUSY)
    after = server_cpu.spent(postgres)
    used = server_cpu.since(before, after)
    assert used is not None
    assert used >= 0.05, "three million rows were counted"


def test_a_block_counts_the_server_s_seconds(postgres: str) -> None:
    with psycopg.connect(postgres) as connection, measure.meter(postgres) as used:
        connection.execute(BUSY)
    assert used.server is not None
    assert used.server >= 0.05
    assert used.cpu == used.client + used.server


@pytest.fixture
def small(tmp_path: Path, postgres: str) -> Iterator[World]:
    """A target of three rows, beside which no source is needed."""
    name = f"bench_target_{uuid4().hex[:6]}"
    yield World(tmp_path, postgres, postgres, database.create_database(postgres, name), 3)
    database.drop_database(postgres, name)


def peer(w: World, rows: int) -> None:
    """A table as a peer makes it: its own names, no key."""
    w.empty_target()
    with psycopg.connect(w.target, autocommit=True) as connection:
        connection.execute('CREATE TABLE peer."Cards" ("aaz500" text, x int)')
        connection.execute(
            'INSERT INTO peer."Cards" SELECT n::text, n FROM generate_series(1, %s) n', (rows,)
        )


def test_a_peer_s_table_gets_the_key_and_is_counted(small: World) -> None:
    peer(small, 3)
    with pytest.raises(RuntimeError, match="primary key: False"):
        small.check_target()
    measure.run(floor.add_key(small))
    small.check_target()
    small.check_target(keyed=False)
    peer(small, 2)
    measure.run(floor.add_key(small))
    with pytest.raises(RuntimeError, match=r"\(2,\) of 3 rows"):
        small.check_target()
    small.empty_target()
    with pytest.raises(RuntimeError, match="0 tables"):
        small.check_target()


def test_the_floor_is_measured_and_leaves_no_database(
    tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(server.GIVEN, postgres)
    with filled(tmp_path, 1000) as w:
        bare, keyed = floor.copy(w, keyed=False), floor.copy(w, keyed=True)
        own = {url.rpartition("/")[2] for url in (w.source, w.hub, w.target)}
        assert own <= left(postgres)
    assert not own & left(postgres)
    assert bare.seconds > 0
    assert keyed.server is not None
