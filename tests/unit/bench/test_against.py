"""`python -m bench.against`: a revision is cloned with its own environment; what is slower is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import against
from bench.measure import Run

INSTALL = """
import pathlib, sys
folder = pathlib.Path(sys.argv[1]) / "bin"
folder.mkdir(parents=True)
(folder / "onecard").write_text(pathlib.Path("version").read_text())
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose two commits, old and new, install themselves."""
    root = tmp_path / "repository"
    (root / "tools").mkdir(parents=True)
    (root / "tools" / "install.py").write_text(INSTALL)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    own = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    for version in ("old", "new"):
        (root / "version").write_text(version)
        against.git("add", "-A", folder=root)
        against.git(*own, "commit", "-qm", version, folder=root)
        against.git("tag", version, folder=root)
    monkeypatch.setattr(against, "ROOT", root)
    return root


def test_a_revision_is_cloned_and_installed_once(repository: Path, tmp_path: Path) -> None:
    old = against.prepared(tmp_path / "clones", "old")
    assert old.read_text() == "old"
    old.write_text("kept")
    assert against.prepared(tmp_path / "clones", "old").read_text() == "kept"
    assert against.prepared(tmp_path / "clones", "HEAD").read_text() == "new"


def test_an_installation_that_broke_off_is_made_again(repository: Path, tmp_path: Path) -> None:
    old = against.prepared(tmp_path / "clones", "old")
    old.write_text("half")
    (old.parents[1] / ".complete").unlink()
    assert against.prepared(tmp_path / "clones", "old").read_text() == "old"


def test_an_unknown_revision_is_refused(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="nowhere"):
        against.prepared(tmp_path / "clones", "nowhere")
    assert not (tmp_path / "clones").exists()


@pytest.mark.parametrize(("now", "code"), [(2.0, 0), (2.1, 0), (2.2, 1)])
def test_more_cpu_seconds_than_the_limit_are_said_and_fail(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    now: float,
    code: int,
) -> None:
    """By the clock everything is twice as slow, which a busy machine may be."""
    found = {(way, "before"): [Run(1.0, 1.0, 1.0, 1.0)] * 3 for way in against.WAYS}
    found |= {(way, "now"): [Run(2.0, 1.0, 1.0, 1.0)] * 3 for way in against.WAYS}
    found["first load", "now"] = [Run(2.0, part * (now - 1.0), 1.0, 1.0) for part in (0, 1, 9)]
    monkeypatch.setattr(against, "prepared", lambda *_: tmp_path / "onecard")
    monkeypatch.setattr(against, "measured", lambda *_: found)
    monkeypatch.setenv("ONECARD_BENCH_POSTGRES", "postgresql://x")
    monkeypatch.setattr(sys, "argv", ["against", "old"])
    assert against.main() == code
    said = capsys.readouterr().out
    assert f"| first load | 1.00 | 2.00 | 2.00 | 2.00 | {now:.2f} | {now / 2:.2f} |" in said
    assert ("more than 5% above: first load\n" in said) == bool(code)
