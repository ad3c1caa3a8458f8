"""The bench's own parts: pipes that fail, sections of the page, peers that cannot be had."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import measure, peers, results
from bench.world import World

PAGE = "# Benchmark results\n\n<!-- a -->\nold a\n<!-- end of a -->\n\n<!-- b -->\nb\n<!-- end of b -->\n"


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_a_pipe_hands_on_its_output_and_is_measured() -> None:
    check = "import sys; sys.exit(sys.stdin.read() != 'rows')"
    done = measure.run(python("print('rows', end='')"), python(check))
    assert done.seconds > 0
    assert done.megabytes > 1


@pytest.mark.case("people-27", "a part of a pipe that fails is named: nothing is hidden")
@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_pipe_fails_with_any_of_its_parts(broken: int) -> None:
    parts = [python("import sys; sys.stdin.read()") for _ in range(3)]
    parts[0] = python("pass")
    parts[broken] = python("import sys; sys.exit('version 18 is newer than 15')")
    with pytest.raises(RuntimeError, match=r"python\S*: exit 1: .*version 18 is newer"):
        measure.run(*parts)


def test_a_program_that_is_not_there_fails() -> None:
    with pytest.raises(RuntimeError, match="no-such-program"):
        measure.run(["no-such-program"])


def test_environment_reaches_the_command() -> None:
    check = "import os, sys; sys.exit(os.environ['ONECARD_X'] != 'y')"
    measure.run(python(check), environment={"ONECARD_X": "y"})


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("a", PAGE.replace("old a", "new")),
        ("b", PAGE.replace("\nb\n", "\nnew\n")),
        ("c", f"{PAGE}\n<!-- c -->\nnew\n<!-- end of c -->\n"),
    ],
)
def test_a_section_is_written_and_the_others_are_kept(
    tmp_path: Path, name: str, after: str
) -> None:
    file = tmp_path / "RESULTS.md"
    file.write_text(PAGE)
    for _ in range(2):
        results.put(file, name, "new\n\n")
        assert file.read_text() == after


def test_the_page_in_the_repository_has_every_section() -> None:
    page = results.FILE.read_text(encoding="utf-8")
    for name in ("transfers", "governed deliveries", "stewards' reports", "reconciliation"):
        assert page.count(f"<!-- {name} -->") == page.count(f"<!-- end of {name} -->") == 1


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
        peers.install(tmp_path / "peers", ["first", "second"])
        assert asked == ["first", "second"], "tried once, and again only when the list changes"
        assert "first: cannot be had" in capsys.readouterr().out
    peers.install(tmp_path / "peers", ["second"])
    assert asked[2:] == ["second"]


def test_peers_are_left_out_where_they_cannot_reach_the_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embedded = "postgresql://postgres:@/bench?host=/tmp/socket"
    found = peers.peers(tmp_path / "peers", World(tmp_path, embedded, embedded, embedded))
    assert found == []
    assert "no peers" in capsys.readouterr().out
    assert not (tmp_path / "peers").exists()
