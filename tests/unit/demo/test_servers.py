"""The agencies' servers on threads: one object serves one city after the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest
import requests

from demo.servers import APIS, SECRETS, SFTP, Addresses, AgencyServers


@pytest.fixture
def servers() -> Iterator[AgencyServers]:
    with AgencyServers() as found:
        yield found


@pytest.fixture
def cities(tmp_path: Path) -> tuple[Path, Path]:
    """Two cities that differ in passwords and in one file."""
    found = tmp_path / "first", tmp_path / "second"
    for home in found:
        (home / "sftp").mkdir(parents=True)
        (home / "sftp" / "whose.txt").write_text(home.name)
        logins = {name: {"login": "hub", "password": home.name} for name in (*APIS, SFTP)}
        (home / SECRETS).write_text(json.dumps(logins))
    return found


def posts(addresses: Addresses, password: str) -> int:
    """Status of a batch that is sent to the bank."""
    url = f"http://127.0.0.1:{addresses.http['bank_api']}/inbox/some-agreement"
    headers = {"Authorization": f"Bearer {password}"}
    return requests.post(url, json={"batchId": "1", "rows": []}, headers=headers).status_code


async def reads(addresses: Addresses, password: str) -> str:
    """The one file, by SFTP; the host key is checked."""
    known = asyncssh.import_known_hosts(f"127.0.0.1 {addresses.sftp_host_key}\n")
    async with (
        asyncssh.connect(
            "127.0.0.1",
            addresses.sftp,
            username="hub",
            password=password,
            known_hosts=known,
            client_keys=None,
            agent_path=None,
        ) as connection,
        connection.start_sftp_client() as sftp,
        sftp.open("whose.txt") as file,
    ):
        return str(await file.read())


def test_servers_go_from_city_to_city_and_back(
    servers: AgencyServers, cities: tuple[Path, Path]
) -> None:
    first, second = cities
    with servers.serving(first) as outer:
        assert (posts(outer, "first"), posts(outer, "second")) == (200, 401)
        with servers.serving(second) as inner:
            assert inner == outer, "ports and host key stay"
            assert (posts(inner, "first"), posts(inner, "second")) == (401, 200)
            assert asyncio.run(reads(inner, "second")) == "second"
        assert asyncio.run(reads(outer, "first")) == "first"
        with pytest.raises(asyncssh.PermissionDenied):
            asyncio.run(reads(outer, "second"))
    assert (second / "inbox" / "bank_api" / "some-agreement.batches.jsonl").exists()


def test_who_is_connected_is_cut_off_when_the_servers_move(
    servers: AgencyServers, cities: tuple[Path, Path]
) -> None:
    first, second = cities

    async def over_the_move() -> None:
        with servers.serving(first) as addresses:
            async with asyncssh.connect(
                "127.0.0.1",
                addresses.sftp,
                username="hub",
                password="first",
                known_hosts=None,
                client_keys=None,
                agent_path=None,
            ) as connection:
                sftp = await connection.start_sftp_client()
                await asyncio.to_thread(servers.move, second)
                await sftp.stat("whose.txt")

    with pytest.raises(
        (asyncssh.ConnectionLost, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection)
    ):
        asyncio.run(over_the_move())


def test_nothing_listens_after_the_end(cities: tuple[Path, Path]) -> None:
    with AgencyServers() as servers, servers.serving(cities[0]) as addresses:
        assert posts(addresses, "first") == 200
    with pytest.raises(requests.ConnectionError):
        posts(addresses, "first")
