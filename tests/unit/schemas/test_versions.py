"""Contract versions: each kind of change needs its part of the version, and readers are named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from onecard.errors import ConfigError
from schemas.lint import versions
from schemas.models import catalogue
from schemas.models.problem import Problem

REPOSITORY = Path(__file__).parents[3]
CARDS = "contracts/hrss/card_master.odcs.yaml"

EXTRA = """\
      - name: remark_2
        businessName: 备注二
        physicalName: BZ2
        logicalType: string
        logicalTypeOptions: {maxLength: 1}
        required: REQUIRED
        classification: L2
        customProperties:
          - {property: semantic, value: code}
          - {property: pii, value: QI}
          - {property: codes, value: sex}
"""


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """The folder as it was, and as it is: equal so far."""
    for name in ("old", "new"):
        skip = shutil.ignore_patterns("*.py", "__pycache__")
        shutil.copytree(catalogue.ROOT, tmp_path / name, ignore=skip)
    return tmp_path / "old", tmp_path / "new"


def edit(root: Path, before: str, after: str, file: str = CARDS) -> None:
    path = root / file
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def version(root: Path, value: str) -> None:
    edit(root, "version: 1.0.0", f"version: {value}")


def found(trees: tuple[Path, Path]) -> list[Problem]:
    """What the comparison adds to lint; `onecard lint --against` below runs all of it."""
    old, new = trees
    return sorted(versions.check(new, old, catalogue.load().agreements))


NAME = "physicalName: AAC003\n        logicalType: string\n        logicalTypeOptions: {maxLength: "

CHANGES = {
    "narrowed": (NAME + "50}", NAME + "40}", "major"),
    "renamed": ("- name: person_name\n", "- name: full_name\n", "major"),
    "optional": ("{maxLength: 1}\n        required: true", "{maxLength: 1}", "major"),
    "required": ("{maxLength: 2}\n", "{maxLength: 2}\n        required: true\n", "major"),
    "widened": (NAME + "50}", NAME + "60}", "minor"),
    "title": ("name: 社会保障卡主表\nversion", "name: 社保卡主表\nversion", "patch"),
    "native": ("physicalName: AAC003", "physicalName: AAC003_2", "patch"),
}
RISES = {"major": "2.0.0", "minor": "1.1.0", "patch": "1.0.1"}
ORDER = ("patch", "minor", "major")


def test_nothing_changed_needs_nothing(trees: tuple[Path, Path]) -> None:
    assert found(trees) == []
    version(trees[1], "3.0.0")
    assert found(trees) == []


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_needs_its_part_of_the_version_and_no_more(
    trees: tuple[Path, Path], change: str
) -> None:
    before, after, needed = CHANGES[change]
    edit(trees[1], before, after)
    (problem,) = found(trees)
    assert problem.rule == f"version.{needed}"
    assert problem.file == trees[1] / CARDS
    assert f"write {RISES[needed]} or higher" in problem.message
    assert problem.line == 5
    for part in ORDER:
        version(trees[1], RISES[part])
        enough = ORDER.index(part) >= ORDER.index(needed)
        assert (found(trees) == []) is enough, part
        edit(trees[1], f"version: {RISES[part]}", "version: 1.0.0")


@pytest.mark.parametrize(("required", "needed"), [("false", "minor"), ("true", "major")])
def test_a_field_more(trees: tuple[Path, Path], required: str, needed: str) -> None:
    edit(trees[1], "    properties:\n", "    properties:\n" + EXTRA.replace("REQUIRED", required))
    (problem,) = found(trees)
    assert problem.rule == f"version.{needed}"
    version(trees[1], RISES[needed])
    assert found(trees) == []


def test_a_field_less_names_who_reads_the_dataset(trees: tuple[Path, Path]) -> None:
    edit(trees[0], "    properties:\n", "    properties:\n" + EXTRA.replace("REQUIRED", "false"))
    (problem,) = found(trees)
    assert "field remark_2 is removed" in problem.message
    known = catalogue.load().agreements.values()
    readers = {a.id: a.consumer for a in known if "hrss/card_master" in a.datasets}
    assert len(readers) > 3
    for agreement, consumer in readers.items():
        assert f"{agreement} ({consumer})" in problem.message
    others = {a.id for a in known} - set(readers)
    assert not any(name in problem.message for name in others)


def test_another_key(trees: tuple[Path, Path]) -> None:
    edit(trees[1], "        primaryKey: true\n        primaryKeyPosition: 1\n", "")
    at = "physicalName: AAC002\n"
    edit(trees[1], at, at + "        primaryKey: true\n")
    (problem,) = found(trees)
    assert (problem.rule, "key card_no is now person_id18" in problem.message) == (
        "version.major",
        True,
    )


def test_a_code_less_and_a_code_more(trees: tuple[Path, Path]) -> None:
    edit(trees[1], "1,男性", "7,男性", "codes/sex.csv")
    problems = found(trees)
    contracts = catalogue.load().contracts.values()
    using = {c.id for c in contracts if any("sex" in f.codes for f in c.fields)}
    assert len(problems) == len(using) > 0
    assert {p.rule for p in problems} == {"version.major"}
    assert all("code 1 is gone" in p.message for p in problems)
    edit(trees[1], "7,男性", "1,男性", "codes/sex.csv")
    with (trees[1] / "codes/sex.csv").open("a", encoding="utf-8") as stream:
        stream.write("8,其他,GB/T 2261.1\n")
    versions.code_lists.table.cache_clear()
    versions.code_lists.codes.cache_clear()
    assert {p.rule for p in found(trees)} == {"version.minor"}


def test_a_dataset_that_goes_must_have_been_retired(trees: tuple[Path, Path]) -> None:
    (trees[1] / CARDS).unlink()
    assert [p.rule for p in found(trees)] == ["version.removed"]
    edit(trees[0], "status: active", "status: retired")
    assert found(trees) == []


def test_a_version_never_falls(trees: tuple[Path, Path]) -> None:
    edit(trees[1], CHANGES["title"][0], CHANGES["title"][1])
    version(trees[1], "0.9.9")
    assert [p.rule for p in found(trees)] == ["version.patch"]


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def test_against_a_commit_of_git_and_against_a_folder(
    trees: tuple[Path, Path], tmp_path: Path
) -> None:
    old, new = trees
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "new")
    git(tmp_path, "commit", "-qm", "before")
    edit(new, *CHANGES["narrowed"][:2])
    with versions.earlier("HEAD", new) as before:
        assert [p.rule for p in found((before, new))] == ["version.major"]

    def run(ref: str) -> tuple[int, str]:
        command = ("-W", "ignore", "-m", "tests.integration.run_onecard", "lint", str(new))
        done = subprocess.run(
            [sys.executable, *command, "--against", ref, "--json"],
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
        )
        return done.returncode, done.stdout or done.stderr

    for ref in ("HEAD", str(old)):
        code, said = run(ref)
        assert (code, [p["rule"] for p in json.loads(said)]) == (1, ["version.major"])
    version(new, "2.0.0")
    assert run("HEAD")[0] == 0
    code, said = run("--upload-pack=x")
    assert code in (1, 2)
    assert "[]" not in said


def test_an_unknown_reference_is_named(trees: tuple[Path, Path]) -> None:
    with (
        pytest.raises(ConfigError, match="--against no-such: no folder, and no commit"),
        versions.earlier("no-such", trees[1]),
    ):
        pass
