"""Peers: installed one by one, stood in for by older releases, left out and named."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import peers
from bench.world import World

SERVER = "postgresql://postgres@127.0.0.1:5432/bench"
WORKS = "#!/bin/sh\necho Version: v{}\n"
FAILS = "#!/bin/sh\necho could not download >&2\nexit 1\n"


def world(folder: Path, address: str = SERVER) -> World:
    return World(folder, address, address, address, 1000)


@pytest.mark.case("people-27", "peers are installed one by one, and again when the list changes")
def test_a_peer_that_cannot_be_had_keeps_no_other_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def pip(_: Path, package: str) -> str:
        asked.append(package)
        return peers.MISSING if package == "first" else "installed"

    def environment(folder: Path, **_: bool) -> None:
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        (folder / "bin" / "python").touch()

    monkeypatch.setattr(peers, "_install", pip)
    monkeypatch.setattr(peers.venv, "create", environment)
    for _ in range(2):
        found = peers.install(tmp_path / "peers", ["first", "second"])
        assert found == {"first": peers.MISSING, "second": "installed"}
        assert asked == ["first", "second"], "tried once, and again only when the list changes"
        assert "first: cannot be had" in capsys.readouterr().out
    peers.install(tmp_path / "peers", ["second"])
    assert asked[2:] == ["second"]


def test_peers_are_left_out_where_they_cannot_reach_the_server(tmp_path: Path) -> None:
    embedded = "postgresql://postgres:@/bench?host=/tmp/socket"
    found, notes = peers.peers(tmp_path / "peers", world(tmp_path, embedded))
    assert found == []
    assert "no TCP port" in notes[0]
    assert not (tmp_path / "peers").exists()


def programs(folder: Path, given: dict[str, str]) -> Path:
    """An environment that holds these programs."""
    for name, text in given.items():
        program = folder / "bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    (folder / "pyvenv.cfg").touch()
    return folder


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked for; nothing is fetched, and no library is there."""
    asked: list[str] = []

    def install(folder: Path, packages: list[str]) -> dict[str, str]:
        asked.append(folder.name)
        return {package: peers.MISSING if package == "dlt" else "installed" for package in packages}

    monkeypatch.setattr(peers, "install", install)
    monkeypatch.setattr(peers, "wanted", lambda group="bench": ["dlt", "ingestr", "sling"])
    monkeypatch.setattr(peers, "_has", lambda *_: False)
    return asked


def test_the_newest_is_measured_where_its_program_can_be_had(
    tmp_path: Path, installed: list[str]
) -> None:
    programs(tmp_path / "newest", {"ingestr": WORKS.format("9"), "sling": WORKS.format("8")})
    found, notes = peers.peers(tmp_path, world(tmp_path))
    assert [peer.name for peer in found] == ["ingestr 9", "sling 8"]
    assert installed == ["newest"]
    assert notes == ["dlt: cannot be had."]


def test_a_release_with_its_program_inside_stands_in_and_is_named(
    tmp_path: Path, installed: list[str]
) -> None:
    programs(tmp_path / "newest", {"ingestr": FAILS, "sling": WORKS.format("8")})
    programs(tmp_path / "offline", {"ingestr": WORKS.format("1"), "sling": FAILS})
    found, notes = peers.peers(tmp_path, world(tmp_path))
    assert [peer.name for peer in found] == ["ingestr 1", "sling 8"]
    assert any("measured is 1," in note for note in notes)
    assert str(tmp_path / "offline" / "bin" / "ingestr") in found[0].command(world(tmp_path))


def test_a_program_that_starts_nowhere_is_named(tmp_path: Path, installed: list[str]) -> None:
    for folder in ("newest", "offline"):
        programs(tmp_path / folder, {"ingestr": WORKS.format("1"), "sling": FAILS})
    found, notes = peers.peers(tmp_path, world(tmp_path))
    assert [peer.name for peer in found] == ["ingestr 1"]
    assert "sling: cannot be had." in notes


def test_every_peer_of_the_project_has_a_group() -> None:
    assert {"ingestr", "sling", "connectorx"} <= set(peers.wanted())
    assert any(package.startswith("ingestr==") for package in peers.wanted("bench-offline"))
